"""When a training blows up: how that is noticed, and which number was the first to go.

The compiled epoch is watched by its means alone, which costs nothing. Once they are bad, the epoch is gone through
again update by update from the state it began with, with the same keys and so the same batches.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Key, PyTree

from micro_rl.algorithms import buffer as buffers
from micro_rl.algorithms.epoch import FURTHEST_ROW, TrainState, branched_rollout, draw_batch_and_noise
from micro_rl.algorithms.log_epoch import LogProblem, LogState, call_keys, draw_rows
from micro_rl.algorithms.model_free.base import ModelFreeMethod
from micro_rl.algorithms.sac import VALUES, Coefficients, update
from micro_rl.algorithms.slots import Method
from micro_rl.core.sizes import Sizes
from micro_rl.core.types import Batch, LogRows, Problem
from micro_rl.dynamics.ensemble import Models
from micro_rl.dynamics.termination_rules import Termination
from micro_rl.storage import pytree_io
from micro_rl.storage.arrays import write_arrays
from micro_rl.storage.files import CannotWrite

FAR_TOO_LARGE = 100.0
"""Values so many times past the largest return that the log's rewards allow have exploded."""
LARGEST_WEIGHT = 1e6
ENTROPY = 5.0
"""At most so much entropy bonus for each action: the policy's standard deviation is at least exp(-5)."""

ADVICE = {
    "model rows": "the model's rollouts ran away from the log: shorten rollout_length, or fit another model with a "
    "lower model_rate",
    "log rows": "the log's own rows are extreme: look for outliers in it, or leave standardise and scale_reward on",
    "disagreement": "the members disagree without bounds: shorten rollout_length, or lower beta (MOBILE: penalty)",
    "critics": "the critics feed on their own values: lower critic_rate, target_rate or discount, or make "
    "the method more conservative",
    "actor": "the actor moves too fast for its critics: lower actor_rate",
    "temperature": "the temperature ran away: lower temperature_rate, or keep it with --no-learn-temperature",
    "other": "lower the learning rates",
}
CAUSES = (
    *(("log rows", "log rows"), ("model rows", "model rows")),
    *(("conservative_term", "disagreement"), ("inconsistency", "disagreement")),
    *((name, "critics") for name in ("q/target", "q/real", "q/model", "loss/critic", "critics", "targets")),
    *(("critic_moments", "critics"), ("loss/actor", "actor"), ("entropy", "actor"), ("actor", "actor")),
    *(("actor_moments", "actor"), ("loss/temperature", "temperature"), ("temperature", "temperature")),
    *(("log_temperature", "temperature"), ("temperature_moments", "temperature")),
)
"""Every term of an update in the order in which it acts on the next, with the advice that it calls for."""


class Found(NamedTuple):
    """The update (from 1) in which the first term blew up, with the agent, batch and key that went into it."""

    update: int
    term: str
    value: float
    at_first: float
    agent: Any
    batch: Batch | LogRows
    key: Key[Array, ""]

    def told(self) -> str:
        """In plain words, with what to try."""
        return (
            f"{self.term} was the first to blow up, in update {self.update} of that epoch ({self.value:.3g}"
            f"{f', after {self.at_first:.3g} in the first' if self.update > 1 else ''}); "
            f"{ADVICE[dict(CAUSES).get(self.term, 'other')]}"
        )


def largest_value(problem: Problem | LogProblem, discount: float) -> float:
    """The size of Q, in core units, past which it has exploded."""
    log = buffers.rows_of(problem.log)
    reward = float(jnp.max(jnp.abs(log.reward)))
    return FAR_TOO_LARGE * (reward + ENTROPY * log.action.shape[-1]) / max(1 - discount, 1e-4)


def reason(logged: Mapping[str, float], agent: Any, limit: float) -> str | None:
    """What is wrong with an epoch's means or with the agent it left; None where nothing is."""
    for name, value in logged.items():
        if not np.isfinite(value):
            return f"{name} is not finite"
        if name in VALUES and abs(value) > limit:
            return (
                f"{name} has exploded to {value:.3g}, where the log's rewards allow at most {limit / FAR_TOO_LARGE:.3g}"
            )
    for name, size in _sizes(agent).items():
        if not np.isfinite(size):
            return f"{name} is not finite"
    return None


class Step(NamedTuple):
    """An update (from 1): the agent before and after it, how large everything in it was, and what went into it."""

    number: int
    before: Any
    after: Any
    figures: dict[str, float]
    batch: Batch | LogRows
    key: Key[Array, ""]


def steps(
    state: TrainState,
    method: Method,
    problem: Problem,
    c: Coefficients,
    key: Key[Array, ""],
    sizes: Sizes,
    ends: Termination,
) -> Iterator[Step]:
    """The updates of the epoch that begins with `state`, one by one. `key` is the run's, as for `epoch`."""
    turns = jax.random.split(jax.random.fold_in(key, state.epoch), sizes.updates // sizes.rollout_every)
    for turn, turn_key in enumerate(turns):
        *rollout_keys, update_key = jax.random.split(turn_key, 3)
        state = state._replace(buffer=_rolled(state, method, problem, ends, rollout_keys, sizes=sizes))
        for number, step_key in enumerate(jax.random.split(update_key, sizes.rollout_every), start=1):
            agent, figures, batch, own_key = _updated(state, method, problem, c, step_key, sizes=sizes)
            figures = {name: float(value) for name, value in jax.device_get(figures).items()}
            yield Step(turn * sizes.rollout_every + number, state.agent, agent, figures, batch, own_key)
            state = state._replace(agent=agent)


def steps_on_log(
    state: LogState, method: ModelFreeMethod, problem: LogProblem, c: Coefficients, key: Key[Array, ""], sizes: Sizes
) -> Iterator[Step]:
    """The same without a model; an update is a call of the method's."""
    agent = state.agent
    for number, call_key in enumerate(call_keys(state, method, key, sizes), start=1):
        after, figures, rows, own_key = _updated_on_log(agent, method, problem, c, call_key, sizes=sizes)
        yield Step(
            number, agent, after, {n: float(value) for n, value in jax.device_get(figures).items()}, rows, own_key
        )
        agent = after


def first_to_blow_up(epoch: Iterable[Step], limit: float) -> Found | None:
    """The first term past its bounds, in the order in which terms act on each other; None where none is."""
    first: dict[str, float] = {}
    for step in epoch:
        first = first or step.figures
        for term in _in_order(step.figures):
            if _blown_up(term, step.figures[term], limit):
                return Found(step.number, term, step.figures[term], first[term], step.before, step.batch, step.key)
    return None


NOT_AGAIN = (
    "gone through update by update, on its own, it did not blow up: beside other runs rounding differs, "
    "else the machine may be at fault"
)


def keep(folder: Path, before: TrainState | LogState, key: Key[Array, ""], found: Found | None, why: str) -> str:
    """Write the state and key that the epoch began with, and what went into the update that blew up.

    What to tell the user of it, also where the disk refuses.
    """
    told = found.told() if found else NOT_AGAIN
    about: dict[str, Any] = {"epoch": int(before.epoch), "key": _numbers(key), "reason": why, "diagnosis": told}
    try:
        write_arrays(folder / "state", "state", pytree_io.to_arrays(before), about)
        if found:
            own = {"update": found.update, "term": found.term, "value": found.value, "key": _numbers(found.key)}
            into = {"agent": found.agent, "batch": found.batch}
            write_arrays(folder / "update", "update", pytree_io.to_arrays(into), about | own)
    except CannotWrite as error:
        return f"{told}; nothing could be kept of it: {error}"
    return f"{told}; the state before that epoch{' and the batch' if found else ''} are kept in {folder}"


def _numbers(key: Key[Array, ""]) -> list[int]:
    """A key as `jax.random.wrap_key_data` takes it."""
    return np.asarray(jax.random.key_data(key)).tolist()


@partial(jax.jit, static_argnames="sizes")
def _rolled(state: TrainState, method: Method, problem: Problem, ends: Termination, keys: list[Array], *, sizes: Sizes):
    return buffers.write(state.buffer, branched_rollout(state, method, problem, ends, keys, sizes))


@partial(jax.jit, static_argnames="sizes")
def _updated(state: TrainState, method: Method, problem: Problem, c: Coefficients, key: Array, *, sizes: Sizes):
    """One update: the agent after it, how large everything in it was, and what went into it."""
    models = Models.of(state.ensemble, sizes.elites)
    batch, noise, own_key = draw_batch_and_noise(problem.log, state.buffer, method, models, key, sizes)
    agent, logged = update(state.agent, method, models, batch, noise, own_key, c)
    rows = {"log rows": _size(batch.real), "model rows": _size(batch.model)}
    return agent, rows | logged | _parts(agent), batch, own_key


@partial(jax.jit, static_argnames="sizes")
def _updated_on_log(
    agent: Any, method: ModelFreeMethod, problem: LogProblem, c: Coefficients, key: Array, *, sizes: Sizes
):
    rows, own_key = draw_rows(problem.rows, key, sizes.batch * method.steps)
    after, logged = method.update(agent, rows, own_key, c)
    return after, {"log rows": _size(rows)} | logged | _parts(after), rows, own_key


def _parts(agent: Any) -> dict[str, Array]:
    """The size of each of an agent's parts that has any arrays."""
    return {name: _size(part) for name, part in agent._asdict().items() if jax.tree.leaves(part)}


def _size(tree: PyTree) -> Array:
    """The largest magnitude in a tree; NaN where there is one."""
    return jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)).astype(jnp.float32) for leaf in jax.tree.leaves(tree)]))


_compiled_parts = jax.jit(_parts)


def _sizes(agent: Any) -> dict[str, float]:
    return {name: float(size) for name, size in jax.device_get(_compiled_parts(agent)).items()}


def _in_order(figures: Mapping[str, Any]) -> list[str]:
    order = [name for name, _ in CAUSES if name in figures]
    return order + [name for name in figures if name not in order]


def _blown_up(term: str, value: float, limit: float) -> bool:
    if not np.isfinite(value):
        return True
    bounds: dict[str, float] = {**dict.fromkeys(VALUES, limit), "log rows": FURTHEST_ROW, "model rows": FURTHEST_ROW}
    bounds.update(dict.fromkeys(("actor", "critics", "targets"), LARGEST_WEIGHT))
    return abs(value) > bounds.get(term, np.inf)
