"""Training without a model, an epoch at a time: updates on rows of the log."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int, Key, Scalar

from micro_rl.algorithms.buffer import rows_of
from micro_rl.algorithms.model_free.base import ModelFreeMethod
from micro_rl.algorithms.sac import VALUES, Coefficients
from micro_rl.core.first_bad import first_bad_of_each
from micro_rl.core.settings import Settings
from micro_rl.core.sizes import Sizes
from micro_rl.core.types import Keys, LogRows, Problem, Scaling, Transition
from micro_rl.data import Dataset
from micro_rl.data.scaling import core_action, fit_scaling, to_core


class LogProblem(NamedTuple):
    """What stays the same throughout: the log's rows in core units with what followed them, and those units."""

    rows: LogRows
    scaling: Scaling

    @property
    def log(self) -> Transition:
        """The rows without what followed."""
        return self.rows.now


class LogState(NamedTuple):
    """Everything such a training carries from epoch to epoch."""

    agent: Any
    epoch: Int[Array, ""]

    def without_buffer(self) -> "LogState":
        """There is none."""
        return self


def problem_of(dataset: Dataset, settings: Settings) -> LogProblem:
    """The log in core units on the device; that it may go there was found out when the plan was made."""
    scaling = fit_scaling(dataset, settings.standardise, settings.scale_reward)
    chosen = dataset.learnable(settings.keep_timeouts)
    following = np.roll(core_action(dataset.actions, scaling).astype(np.float32), -1, axis=0)[chosen]
    continued = jnp.asarray(dataset.continued[chosen], jnp.float32)
    now = to_core(dataset.transitions(settings.keep_timeouts), scaling)
    now = jax.tree.map(jnp.asarray, now)
    return LogProblem(LogRows(now, jnp.asarray(following), continued), jax.tree.map(jnp.asarray, scaling))


def start(
    problem: LogProblem | Problem,
    method: ModelFreeMethod,
    sizes: Sizes,
    temperature: Scalar | float,
    keys: Keys,
) -> LogState:
    """Begin: a fresh agent."""
    log = rows_of(problem.log)
    obs, act = log.observation.shape[-1], log.action.shape[-1]
    return LogState(method.start(keys.agent, obs, act, sizes, temperature), jnp.zeros((), jnp.int32))


def epoch(
    state: LogState,
    method: ModelFreeMethod,
    problem: LogProblem,
    c: Coefficients,
    key: Key[Array, ""],
    *,
    sizes: Sizes,
    value_limit: Scalar | float = jnp.inf,
) -> tuple[LogState, dict[str, Array], dict[str, Int[Array, ""]]]:
    """Make `sizes.updates_per_epoch` updates on rows of the log.

    Args, and what is returned, are those of `algorithms.epoch.epoch`; what is bad in a call that makes several
    updates counts at the first of them.
    """

    def call(agent: Any, call_key: Array) -> tuple[Any, dict[str, Array]]:
        rows, own_key = draw_rows(problem.rows, call_key, sizes.batch_size * method.steps)
        return method.update(agent, rows, own_key, c)

    agent, by_call = jax.lax.scan(call, state.agent, call_keys(state, method, key, sizes))
    logged = {name: jnp.mean(value) for name, value in by_call.items()}
    calls = first_bad_of_each(by_call, dict.fromkeys(VALUES, value_limit))
    first = {name: jnp.where(bad, (bad - 1) * method.steps + 1, 0) for name, bad in calls.items()}
    return LogState(agent, state.epoch + 1), logged, first


def call_keys(state: LogState, method: ModelFreeMethod, key: Key[Array, ""], sizes: Sizes) -> Key[Array, " call"]:
    """One for every call of `update` in the epoch that begins with `state`."""
    return jax.random.split(jax.random.fold_in(key, state.epoch), sizes.updates_per_epoch // method.steps)


def draw_rows(rows: LogRows, key: Key[Array, ""], size: int) -> tuple[LogRows, Key[Array, ""]]:
    """`size` rows, uniformly and with replacement, and a key for what is done with them."""
    rows_key, own_key = jax.random.split(key)
    index = jax.random.randint(rows_key, (size,), 0, rows.now.reward.shape[0])
    return jax.tree.map(lambda column: column[index], rows), own_key


compiled_start = jax.jit(start, static_argnames="sizes")
compiled_epoch = jax.jit(epoch, static_argnames="sizes", donate_argnames="state")
