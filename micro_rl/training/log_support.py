"""What a log can vouch for, measured before anything is fitted: the log's reference, and which score is usual.

The log is cut into blocks of consecutive rows, of whole episodes where there are enough. Each block's true transitions
are scored against a reference made of the other blocks: neighbours in time would vouch for each other. Nothing here
depends on the units of the log, or on a model.
"""

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from micro_rl.algorithms.support import Halt, Penalise, Support, Truncate
from micro_rl.core.settings import Settings
from micro_rl.core.support_settings import PENALTY
from micro_rl.core.types import Scaling, Transition
from micro_rl.core.wording import plural
from micro_rl.data import Dataset
from micro_rl.data.scaling import fit_scaling, to_core
from micro_rl.dynamics.ensemble import inputs_of
from micro_rl.dynamics.support import LEAST_SCALE, Reference, distance, excess, quantile, reference
from micro_rl.errors import UserError
from micro_rl.trust.folds import by_time

MEASURED = 4000
"""Rows of the log that are scored."""
USUAL, BREADTH = 0.99, 0.9
"""A part's scale is exceeded by one true transition in a hundred; drawn actions are held against nine in ten."""


class LogSupport(NamedTuple):
    """The log's reference in the units of `scaling`, and the scores of true transitions.

    `near` is of the same transitions the distance of state and action alone, as `drawn` is of actions that are drawn.
    """

    known: Reference
    scaling: Scaling
    scales: Float[np.ndarray, " 2"]
    scores: Float[np.ndarray, " row"]
    near: Float[np.ndarray, " row"]
    drawn: Float[np.ndarray, " row"]
    least_reward: float
    mean_reward: float

    def limit(self, level: float) -> float:
        """The score below which this share of true transitions lies; infinity at 1."""
        return float("inf") if level == 1 else quantile(self.scores, level)

    @property
    def breadth(self) -> float:
        """Share of uniformly drawn actions, at the log's own states, that are as near as nine true ones in ten are."""
        return float(np.mean(self.drawn <= quantile(self.near, BREADTH)))

    def slot(self, settings: Settings, scaling: Scaling) -> Support:
        """What these settings make of unknown rows, in other core units."""
        leaves = jnp.asarray(self.scales, jnp.float32), jnp.asarray(self.limit(settings.level), jnp.float32)
        known = _in_units(self.known, self.scaling, scaling)
        if settings.support == "truncate":
            return Truncate(known, *leaves)
        if settings.support == "halt":
            return Halt(known, *leaves, jnp.asarray(self.least_reward / float(scaling.reward_scale), jnp.float32))
        price = PENALTY if settings.support_penalty is None else settings.support_penalty
        return Penalise(known, *leaves, jnp.asarray(price, jnp.float32))

    def sentences(self, settings: Settings) -> list[str]:
        """What a person should know of it, the least first."""
        limit, (far, outside) = self.limit(settings.level), self.scales
        known = (
            "all model rows count as known (support_level 1)"
            if settings.level == 1
            else f"model rows further than {limit * far:.2g} standard deviations from the log's or "
            f"{limit * outside:.2g} beyond its ranges count as unknown ({1 - settings.level:.3g} of true ones do)"
        )
        lines = [
            f"support {settings.support}: {known}; of uniformly drawn actions {self.breadth:.0%} are as near to the "
            "log as nine true ones in ten: the fewer, the narrower the log"
        ]
        if settings.support == "halt" and settings.level < 1 and self.mean_reward < 0:
            lines.append(
                f"support halt: the log's mean reward is {self.mean_reward:.3g}, so that an end can be worth more to "
                "the policy than going on; support truncate or penalty have no such reward"
            )
        return lines


_MEASURED: "WeakKeyDictionary[Dataset, dict[bool, LogSupport]]" = WeakKeyDictionary()


def log_support(dataset: Dataset, keep_timeouts: bool) -> LogSupport:
    """What this log can vouch for; measured once for each log. `UserError` where it has too few rows for it.

    Args:
        dataset: the log, in windows of the history.
        keep_timeouts: which rows can be learned from.
    """
    measured = _MEASURED.setdefault(dataset, {})
    if keep_timeouts not in measured:
        measured[keep_timeouts] = _measure(dataset, keep_timeouts)
    return measured[keep_timeouts]


def refuse_unmeasurable(dataset: Dataset, settings: Settings) -> None:
    """`UserError` where the log has too few rows for the level; none is needed where nothing is measured."""
    if settings.support == "off":
        return
    chosen = dataset.learnable(settings.keep_timeouts)
    rows, level = min(MEASURED, int(chosen.sum())), settings.level
    if level < 1 and not np.isfinite(quantile(np.zeros(rows), level)):
        raise UserError(
            f"support_level: {level:g} cannot be told from the {plural(rows, 'row')} to score; at most "
            f"{rows / (rows + 1):.4g} can, or 1 for no limit; --support off needs none"
        )
    _blocks(dataset, settings.keep_timeouts)


def _blocks(dataset: Dataset, keep_timeouts: bool) -> np.ndarray:
    """The block of time of each row that can be learned from [row]; `UserError` where there are no two."""
    block = by_time(dataset).of_row[dataset.learnable(keep_timeouts)]
    if len(np.unique(block)) < 2:
        raise UserError(f"{dataset.path}: too few rows to tell what it can vouch for; log more, or take --support off")
    return block


def _measure(dataset: Dataset, keep_timeouts: bool) -> LogSupport:
    block, scaling = _blocks(dataset, keep_timeouts), fit_scaling(dataset, standardise=True, scale_reward=False)
    log = to_core(dataset.transitions(keep_timeouts), scaling)
    known = _reference(dataset, log, np.arange(len(log.reward)))
    scored = np.linspace(0, len(block) - 1, min(MEASURED, len(block))).round().astype(int)
    parts, drawn = np.empty((len(scored), 2)), np.empty(len(scored))
    rows = jax.tree.map(lambda column: column[scored], log)
    actions = np.random.default_rng(0).uniform(-1, 1, rows.action.shape).astype(np.float32)
    blocks, counts = np.unique(block[scored], return_counts=True)
    for number in blocks:
        others = _reference(dataset, log, np.flatnonzero(block != number))
        own = np.resize(np.flatnonzero(block[scored] == number), counts.max())  # one shape is compiled once
        true = jax.tree.map(lambda column, own=own: column[own], rows)
        parts[own] = np.stack(_compiled_parts(others, true), -1)
        drawn[own] = _compiled_parts(others, true._replace(action=actions[own]))[0]
    scales = np.maximum(np.quantile(parts, USUAL, axis=0), LEAST_SCALE)
    rewards, scored = np.asarray(log.reward, np.float64), parts / scales
    least, mean = float(rewards.min()), float(rewards.mean())
    return LogSupport(known, scaling, scales, scored.max(-1), scored[:, 0], drawn / scales[0], least, mean)


@jax.jit
def _compiled_parts(known: Reference, rows: Transition) -> tuple[Any, Any]:
    return distance(known, inputs_of(rows)), excess(known, rows.next_observation)


def _reference(dataset: Dataset, log: Transition, rows: np.ndarray) -> Reference:
    """Of these rows; without a range for what no action moves, or what a window repeats of the row itself."""
    known, columns = reference(log, rows), np.arange(dataset.observations.shape[1])
    judged = jnp.asarray((columns < dataset.observation_size) & ~np.isin(columns, dataset.exogenous))
    low, high = jnp.where(judged, known.low, -jnp.inf), jnp.where(judged, known.high, jnp.inf)
    return Reference(known.rows, known.mean, known.std, low, high, known.spread)


def _in_units(known: Reference, own: Scaling, other: Scaling) -> Reference:
    """The same reference for rows in other core units."""
    own, other = (Scaling(*(np.asarray(part, np.float64) for part in units)) for units in (own, other))
    shift, stretch = own.observation_mean - other.observation_mean, own.observation_std / other.observation_std
    obs = (np.asarray(known.low, np.float64), np.asarray(known.high, np.float64))
    low, high = ((end * own.observation_std + shift) / other.observation_std for end in obs)
    acting = own.action_half / other.action_half
    inputs = np.concatenate([stretch, acting])
    moved = np.concatenate([shift / other.observation_std, (own.action_mid - other.action_mid) / other.action_half])
    mean, std = np.asarray(known.mean, np.float64) * inputs + moved, np.asarray(known.std, np.float64) * inputs
    spread = np.asarray(known.spread, np.float64) * stretch
    return Reference(known.rows, *(jnp.asarray(part, jnp.float32) for part in (mean, std, low, high, spread)))
