"""MICRO's target where the uncertainty set is a ball around the stored next state."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Key, PyTree, Scalar

from micro_rl.algorithms.model_based.balls import Ball, worst_in_ball
from micro_rl.algorithms.slots import MethodContext, Target, bellman
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Models
from micro_rl.dynamics.log_units import LogUnits


class BallTarget(Target):
    """y = r + gamma d (V(s') - beta f(s, a)), f = V(s') - the smallest V in a ball around s'.

    A ball in units of the log does not reach into columns that are `constant` there: their deviation is 0. None: all
    vary.
    """

    beta: Scalar
    radius: Scalar
    ball: Ball
    steps: int = eqx.field(static=True)
    constant: Bool[Array, " obs"] | None = None

    def in_units_of(self, units: LogUnits) -> "BallTarget":
        constant = units.constant() if self.ball.in_log_units else None
        return self if constant is None else replace(self, constant=jnp.asarray(constant))

    def noise(self, key: Key[Array, ""], rows: Transition, models: Models) -> PyTree:
        return ()

    def __call__(
        self, rows: Transition, next_value: Float[Array, " rows"], context: MethodContext, noise: PyTree
    ) -> tuple[Float[Array, " rows"], dict[str, Array]]:
        centre, lowest = worst_in_ball(context, rows, self.ball, self.radius, self.steps, self.constant)
        f = centre - lowest
        y = bellman(rows, next_value - self.beta * f, context.discount)
        return y, {"conservative_term": jnp.mean(f)}
