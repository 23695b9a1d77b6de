"""Behaviour cloning: supervised learning of the log's actions.

What offline RL papers call BC is meant: the squared error of the deterministic action. The likelihood of a
tanh-Gaussian would be undefined for actions at their bounds, where tanh has no inverse.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, PyTree, Scalar

from micro_rl.buffer import draw_log
from micro_rl.nets import LOG_STD_MIN, MLP, action_error, uniform_mlp
from micro_rl.optimise import descend, moments_of
from micro_rl.types import Transition


class Cloner(NamedTuple):
    """What the updates change."""

    actor: MLP
    moments: PyTree


def start(key: Key[Array, ""], obs: int, act: int, hidden: tuple[int, ...]) -> Cloner:
    """An actor of the shape that `export` takes.

    The error teaches it no spread, so its standard deviation is set to the smallest one and stays there:
    what it samples is what it would do.
    """
    actor = uniform_mlp(key, (obs, *hidden, 2 * act))
    weight = actor.weights[-1].at[:, act:].set(0.0)
    bias = actor.biases[-1].at[act:].set(LOG_STD_MIN)
    actor = MLP((*actor.weights[:-1], weight), (*actor.biases[:-1], bias))
    return Cloner(actor, moments_of(actor))


def update(cloner: Cloner, rows: Transition, rate: Scalar) -> tuple[Cloner, Scalar]:
    """One step of Adam on these rows; also the error before it."""
    error, gradient = jax.value_and_grad(action_error)(cloner.actor, rows.observation, rows.action)
    return Cloner(*descend(cloner.actor, gradient, cloner.moments, rate)), error


@partial(jax.jit, static_argnames=("updates", "batch", "hidden"))
def clone(
    log: Transition,
    key: Key[Array, ""],
    rate: float | Scalar = 3e-4,
    *,
    updates: int,
    batch: int = 256,
    hidden: tuple[int, ...] = (256, 256),
) -> tuple[MLP, Float[Array, " update"]]:
    """The actor that imitates the log's rows (core units) after so many updates, and the error at each.

    For the best tenth of the episodes give `dataset.transitions(True, dataset.best_rows(0.1))` in core units.
    """
    start_key, updates_key = jax.random.split(key)

    def step(cloner: Cloner, step_key: Array) -> tuple[Cloner, Scalar]:
        return update(cloner, draw_log(log, step_key, batch), jnp.asarray(rate, jnp.float32))

    cloner = start(start_key, log.observation.shape[-1], log.action.shape[-1], hidden)
    cloner, errors = jax.lax.scan(step, cloner, jax.random.split(updates_key, updates))
    return cloner.actor, errors
