"""The worst next state in a ball around the stored one, found by projected gradient on the target critics.

It is a variant of ours of MICRO's uncertainty set (arXiv 2312.03991), which the paper takes from the members.
"""

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Scalar

from micro_rl.algorithms.slots import MethodContext
from micro_rl.core.networks import gaussian, q_values
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import predict

Radius = Scalar | Float[Array, "rows one"]
"""Of all rows, or of each."""
STRIDE = 2.5
"""Of a ball's radius, how far all steps together may lead: enough to get from the centre to any edge."""


class Ball(eqx.Module):
    """Displacements u in units of standard deviations; how they move a state, and which are inside."""

    in_log_units: ClassVar[bool] = True
    """Whether those are deviations in the log."""

    @abstractmethod
    def units(self, context: MethodContext, rows: Transition) -> Float[Array, "#rows obs obs"]:
        """The matrix that turns u into a displacement of the state."""

    @abstractmethod
    def project(self, u: Float[Array, "rows obs"], radius: Radius) -> Float[Array, "rows obs"]:
        """The nearest displacement inside."""

    @abstractmethod
    def steepest(self, gradient: Float[Array, "rows obs"]) -> Float[Array, "rows obs"]:
        """The direction of length 1, in this ball's norm, along which the gradient falls fastest."""


def _log_units(context: MethodContext, rows: Transition) -> Float[Array, "one obs obs"]:
    return jnp.diag(context.models.members.input_std[: rows.next_observation.shape[-1]])[None]


class L2(Ball):
    """Euclidean; the unit is the log's standard deviation of each dimension."""

    def units(self, context: MethodContext, rows: Transition) -> Float[Array, "#rows obs obs"]:
        return _log_units(context, rows)

    def project(self, u: Float[Array, "rows obs"], radius: Radius) -> Float[Array, "rows obs"]:
        return _shortened(u, radius)

    def steepest(self, gradient: Float[Array, "rows obs"]) -> Float[Array, "rows obs"]:
        return _downhill(gradient)


class LInfinity(Ball):
    """Every dimension by itself; the unit is the log's standard deviation of each."""

    def units(self, context: MethodContext, rows: Transition) -> Float[Array, "#rows obs obs"]:
        return _log_units(context, rows)

    def project(self, u: Float[Array, "rows obs"], radius: Radius) -> Float[Array, "rows obs"]:
        return jnp.clip(u, -radius, radius)

    def steepest(self, gradient: Float[Array, "rows obs"]) -> Float[Array, "rows obs"]:
        return -jnp.sign(gradient)


class Mahalanobis(Ball):
    """By the elites' predictive covariance of this very row: that of their means plus their mean variance."""

    in_log_units: ClassVar[bool] = False

    def units(self, context: MethodContext, rows: Transition) -> Float[Array, "#rows obs obs"]:
        mean, std = predict(context.models.elites, rows.observation, rows.action)
        apart = mean[..., :-1] - jnp.mean(mean[..., :-1], axis=0, keepdims=True)
        between = jnp.einsum("erj,erk->rjk", apart, apart) / apart.shape[0]
        within = jax.vmap(jnp.diag)(jnp.mean(std[..., :-1] ** 2, axis=0))
        known = jnp.mean(std[..., :-1], axis=0) == 0  # the older part of a window: 1 there, or no root exists
        return jnp.linalg.cholesky(between + within + jax.vmap(jnp.diag)(known.astype(std.dtype)))

    def project(self, u: Float[Array, "rows obs"], radius: Radius) -> Float[Array, "rows obs"]:
        return _shortened(u, radius)

    def steepest(self, gradient: Float[Array, "rows obs"]) -> Float[Array, "rows obs"]:
        return _downhill(gradient)


BALLS: dict[str, Ball] = {"l2": L2(), "linf": LInfinity(), "mahalanobis": Mahalanobis()}
"""By their names among the options."""


def _shortened(u: Float[Array, "rows obs"], radius: Radius) -> Float[Array, "rows obs"]:
    return u * jnp.minimum(1.0, radius / jnp.maximum(_length(u), 1e-12))


def _downhill(gradient: Float[Array, "rows obs"]) -> Float[Array, "rows obs"]:
    return -gradient / jnp.maximum(_length(gradient), 1e-12)


def _length(u: Float[Array, "rows obs"]) -> Float[Array, "rows one"]:
    return jnp.linalg.norm(u, axis=-1, keepdims=True)


def state_value(context: MethodContext, states: Float[Array, "rows obs"]) -> Float[Array, " rows"]:
    """min_k Q'_k(s, mode of pi(s))."""
    actions = jnp.tanh(gaussian(context.actor, states)[0])
    return jnp.min(q_values(context.targets, states, actions), axis=0)


def worst_in_ball(
    context: MethodContext,
    rows: Transition,
    ball: Ball,
    radius: Scalar,
    steps: int,
    constant: Bool[Array, " obs"] | None = None,
) -> Float[Array, "two rows"]:
    """Search a ball around the stored next state for the smallest value, by projected gradient descent.

    Args:
        context: The actor, the target critics and the models.
        rows: Model rows; the balls lie around their next observations.
        ball: The norm.
        radius: In the norm's units.
        steps: Of the descent.
        constant: Columns that the ball does not reach into; None: it reaches into all.

    Returns:
        The value at the centre, and the smallest that was met on the way [2, rows].
    """
    units = ball.units(context, rows)
    newest, columns = context.models.elites.target_mean.shape[0] - 1, rows.next_observation.shape[-1]
    if newest < columns:  # the rest of a window is known, and no ball may move it
        units = units * (jnp.arange(columns) < newest)[None, :, None]
    if context.models.exogenous is not None:  # what no action moves is no reason to fear an action
        units = units * ~context.models.exogenous[None, :, None]
    if constant is not None:
        units = units * ~constant[None, :, None]

    return descend(context, rows.next_observation, units, ball, radius, steps)


def descend(
    context: MethodContext,
    centre: Float[Array, "rows obs"],
    units: Float[Array, "#rows obs obs"],
    ball: Ball,
    radius: Radius,
    steps: int,
) -> Float[Array, "two rows"]:
    """Follow the gradient of the states' value down from the centre, step after step back into the ball.

    Args:
        context: The actor and the target critics are used.
        centre: Of the balls.
        units: What turns displacements of the ball into those of a state.
        ball: The norm.
        radius: In the norm's units, of all rows or of each.
        steps: How many.

    Returns:
        The value at the centre, and the smallest that was met on the way [2, rows].
    """

    def value(u: Float[Array, "rows obs"]) -> Float[Array, " rows"]:
        return state_value(context, centre + jnp.squeeze(units @ u[..., None], -1))

    def down(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        u, lowest = carry
        gradient = jax.grad(lambda u: jnp.sum(value(u)))(u)
        u = ball.project(u + STRIDE * radius / steps * ball.steepest(gradient), radius)
        return (u, jnp.minimum(lowest, value(u))), None

    start = jnp.zeros_like(centre)
    at_centre = value(start)
    (_, lowest), _ = jax.lax.scan(down, (start, at_centre), None, length=steps)
    return jnp.stack([at_centre, lowest])
