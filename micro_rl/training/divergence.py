"""When a training or a fit blows up: how that is noticed, which term was the first to go, and what to try.

The compiled epoch itself reports the first update in which each of its terms was not finite, beside their means. What
those say of the cause is decided here, with the agent that the epoch left and the rows that went into it.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Key, PyTree

from micro_rl.algorithms import buffer as buffers
from micro_rl.algorithms.epoch import FURTHEST_ROW, MODEL_ROWS
from micro_rl.algorithms.log_epoch import LogProblem
from micro_rl.algorithms.sac import PENALTY, VALUES
from micro_rl.core.settings import Settings
from micro_rl.core.types import Problem, Transition
from micro_rl.dynamics.ensemble import inputs_of, standardise, targets_of
from micro_rl.dynamics.fit_epoch import FitState
from micro_rl.storage import pytree_io
from micro_rl.storage.arrays import write_arrays
from micro_rl.storage.files import CannotWrite
from micro_rl.storage.jsonl import Row

FAR_TOO_LARGE = 100.0
"""Values so many times past the largest return that the log's rewards allow have exploded."""
BLOCK = 100_000
"""Rows that are looked at together."""
ENTROPY = 5.0
"""At most so much entropy bonus for each action: the policy's standard deviation is at least exp(-5)."""

ADVICE = {
    "model rows": "the model's rollouts ran away from the log: shorten rollout_length, or fit another model with a "
    "lower model_lr",
    "log rows": "the log's own rows are extreme: look for outliers in it, or leave standardise and scale_reward on",
    "disagreement": "the members disagree without bounds: shorten rollout_length, or lower beta (MOBILE: penalty)",
    "critics": "the critics feed on their own values: lower critic_lr, tau or discount, or make "
    "the method more conservative",
    "actor": "the actor moves too fast for its critics: lower actor_lr",
    "temperature": "the temperature ran away: lower temperature_lr, or keep it with --no-learn-temperature",
    "penalty": "what the method adds to the critics' loss ran away: lower its weight (critic_diversity, where that is "
    "set), or critic_lr",
    "other": "lower the learning rates",
}
LOG_ROWS, AGENT, OTHERS = "log rows", "the agent", "others"
CAUSES = {
    LOG_ROWS: "log rows",
    MODEL_ROWS: "model rows",
    "rollout/reward": "model rows",
    "entropy": "actor",
    "temperature": "temperature",
    "loss/temperature": "temperature",
    "conservative_term": "disagreement",
    "inconsistency": "disagreement",
    OTHERS: "other",
    **dict.fromkeys(("q/target", "q/real", "q/model", "value/real"), "critics"),
    PENALTY: "penalty",
    **dict.fromkeys(("loss/value", "loss/critic", "loss/actor"), "critics"),
}
"""Every term of an update with the advice that it calls for, in the order in which one term spoils another.

The entropy depends on no other term, the temperature on the entropy, every target on both, and the actor's loss on
critics that have just moved: of terms that go in the same update the first in this order is the cause. A method's
own terms, `OTHERS`, are part of its target; what it adds to the critics' loss is made of the critics' values.
"""
SLOTS = {
    MODEL_ROWS: ("transform", "update_model"),
    "rollout/reward": ("transform", "update_model"),
    PENALTY: ("regularize",),
    **dict.fromkeys(("conservative_term", "inconsistency", OTHERS, "q/target"), ("target",)),
}
"""The slots of a method that a term may come from; in a method without a model all are `update`'s.

The penalty may be critic_diversity's alone, which the advice names.
"""


class Cause(NamedTuple):
    """The term that was the first to blow up, with the update (from 1; 0: unknown) and what is known of its size."""

    term: str
    update: int
    size: float

    def diagnosis(self, own: Mapping[str, str] = MappingProxyType({})) -> str:
        """In plain words, with what to try; `own` names the file of each slot that is from outside the package."""
        where = f", in update {self.update} of that epoch" if self.update else ""
        size = f" ({self.size:.3g})" if np.isfinite(self.size) else ""
        term = self.term if self.term in (*CAUSES, LOG_ROWS, AGENT) else OTHERS
        slot = next((slot for slot in (*SLOTS.get(term, ()), "update") if slot in own), None)
        first = f"it comes of {slot} in {own[slot]}: look there first; else " if slot else ""
        return f"{self.term} was the first to blow up{where}{size}; {first}{ADVICE[CAUSES.get(term, 'other')]}"


def largest_value(problem: Problem | LogProblem, settings: Settings) -> float:
    """The size of Q, in core units, past which it has exploded; infinite where a formula may pay anything."""
    if settings.known_reward is not None:
        return np.inf
    log = buffers.rows_of(problem.log)
    reward = float(jnp.max(jnp.abs(log.reward)))
    return FAR_TOO_LARGE * (reward + ENTROPY * log.action.shape[-1]) / max(1 - settings.discount, 1e-4)


def reason(means: Mapping[str, float], agent: Any, limit: float) -> str | None:
    """What is wrong with an epoch's means or with the agent it left; None where nothing is."""
    for name, value in means.items():
        if not np.isfinite(value):
            return f"{name} is not finite"
        if name in VALUES and abs(value) > limit:
            return (
                f"{name} has exploded to {value:.3g}, where the log's rewards allow at most {limit / FAR_TOO_LARGE:.3g}"
            )
    for name, size in part_sizes(agent).items():
        if not np.isfinite(size):
            return f"{name} is not finite"
    return None


def find_cause(means: Mapping[str, float], first_bad: Mapping[str, int], log_size: float) -> Cause:
    """The first term past its bounds.

    Args:
        means: The epoch's means.
        first_bad: The first update (from 1) in which each term was not finite or past its limit; 0: none.
        log_size: The largest magnitude in the log's rows, in core units.
    """
    if not log_size <= FURTHEST_ROW:
        return Cause(LOG_ROWS, 0, log_size)
    order = list(CAUSES)
    bad = {term: update for term, update in first_bad.items() if update}
    if not bad:
        return Cause(AGENT, 0, np.nan)
    term = min(bad, key=lambda name: (bad[name], order.index(name if name in CAUSES else OTHERS)))
    return Cause(term, bad[term], means.get(term, np.nan))


def keep_epoch(folder: Path, before: Any, key: Key[Array, ""], first_bad: Mapping[str, int], text: str) -> str:
    """Write the state and key that the epoch began with, from which it blows up again; what to tell the user of it."""
    about = {"epoch": int(before.epoch), "key": key_numbers(key), "first_bad": dict(first_bad), "diagnosis": text}
    try:
        write_arrays(folder / "state", "state", pytree_io.to_arrays(before), about)
    except CannotWrite as error:
        return f"{text}; nothing could be kept of it: {error}"
    return f"{text}; the state before that epoch is kept in {folder}"


def part_sizes(agent: Any) -> dict[str, float]:
    """The size of each of an agent's parts that has any arrays: the largest magnitude, NaN where there is one."""
    return {name: float(size) for name, size in jax.device_get(_compiled_parts(agent)).items()}


def largest(tree: PyTree) -> Array:
    """The largest magnitude in a tree; NaN where there is one, 0 where there is nothing."""
    sizes = [jnp.max(jnp.abs(leaf), initial=0.0).astype(jnp.float32) for leaf in jax.tree.leaves(tree)]
    return jnp.max(jnp.stack(sizes))


@jax.jit
def _compiled_parts(agent: Any) -> dict[str, Array]:
    return {name: largest(part) for name, part in agent._asdict().items() if jax.tree.leaves(part)}


def key_numbers(key: Key[Array, ""]) -> list[int]:
    """A key as `jax.random.wrap_key_data` takes it."""
    return np.asarray(jax.random.key_data(key)).tolist()


def find_fit_cause(state: FitState, log: Transition, first_bad: int) -> str:
    """What blew up first in an epoch of the dynamics fit, in plain words, with what to try.

    Args:
        state: The state before the epoch, for the units of its inputs and outputs.
        log: The rows that are fitted, in core units, on the device or the host.
        first_bad: The first batch (from 1) whose loss was not finite; 0 if none was.
    """
    size = _standardised_size(state, log)
    if not size <= FURTHEST_ROW:
        return f"its standardised rows are extreme ({size:.3g}): look for outliers in the log"
    if first_bad:
        return f"its loss was the first to blow up, at step {first_bad} of that epoch; lower model_lr"
    return (
        "its holdout error was the first to blow up: the held-out rows are unlike the others: look for outliers in the "
        "log, or lower model_lr"
    )


def _standardised_size(state: FitState, log: Transition) -> float:
    """The largest magnitude among standardised inputs and targets, a block of rows at a time."""
    newest, size = state.target_mean.shape[0] - 1, 0.0
    for start in range(0, len(log.reward), BLOCK):
        rows = Transition(*(column[start : start + BLOCK] for column in log))
        inputs = standardise(inputs_of(rows), state.input_mean, state.input_std)
        targets = standardise(targets_of(rows, newest), state.target_mean, state.target_std)
        size = max(size, float(largest((inputs, targets))), key=lambda value: (np.isnan(value), value))
    return size


def keep_fit(folder: Path, before: FitState, key: Key[Array, ""], row: Row, text: str) -> str:
    """Write the state and key that the fit's epoch began with; what to tell the user of it."""
    about = {"epoch": row["epoch"], "key": key_numbers(key), "diagnosis": text}
    try:
        write_arrays(folder / "state", "state", pytree_io.to_arrays(before), about)
    except CannotWrite as error:
        return f"{text}; nothing could be kept of it: {error}"
    return f"{text}; the state before that epoch is kept in {folder}"
