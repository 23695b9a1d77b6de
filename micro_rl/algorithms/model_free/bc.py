"""Behaviour cloning: supervised learning of the log's actions.

What offline RL papers call BC is meant: the squared error of the deterministic action. The likelihood of a
tanh-Gaussian would be undefined for actions at their bounds, where tanh has no inverse.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, PyTree, Scalar

from micro_rl.algorithms.buffer import draw_log
from micro_rl.algorithms.model_free.base import TRAINING, ModelFreeMethod
from micro_rl.algorithms.sac import Coefficients
from micro_rl.core.networks import MLP, action_error, steady_mlp
from micro_rl.core.optim import adam_step, init_opt_state
from micro_rl.core.sizes import Sizes
from micro_rl.core.types import LogRows, Transition

SUMMARY = "does what the log did: the squared error of the actions, no critics"
PAPER = "Pomerleau, NIPS 1988"
USES = TRAINING
DEFAULTS: dict[str, Any] = {}


@dataclass(frozen=True)
class Options:
    """None of its own."""


class Cloner(NamedTuple):
    """What the updates change."""

    actor: MLP
    moments: PyTree
    critics: None = None


class Cloning(ModelFreeMethod):
    """Steps on the mean of (tanh(mean(s)) - a)^2."""

    steps: int = eqx.field(static=True, default=1)

    def start(self, key: Key[Array, ""], obs: int, act: int, sizes: Sizes, temperature: Scalar | float) -> Cloner:
        return start(key, obs, act, sizes.hidden_sizes)

    def update(
        self, agent: Cloner, rows: LogRows, key: Key[Array, ""], c: Coefficients
    ) -> tuple[Cloner, dict[str, Array]]:
        cloner, error = update(agent, rows.now, c.actor_lr)
        return cloner, {"loss/actor": error}


def build(options: Options) -> Cloning:
    """The method; there is nothing to choose."""
    return Cloning()


def start(key: Key[Array, ""], obs: int, act: int, hidden: tuple[int, ...]) -> Cloner:
    """A deterministic actor."""
    actor = steady_mlp(key, obs, act, hidden)
    return Cloner(actor, init_opt_state(actor))


def update(cloner: Cloner, rows: Transition, rate: Scalar) -> tuple[Cloner, Scalar]:
    """One step of Adam on these rows; also the error before it."""
    error, gradient = jax.value_and_grad(action_error)(cloner.actor, rows.observation, rows.action)
    return Cloner(*adam_step(cloner.actor, gradient, cloner.moments, rate)), error


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
