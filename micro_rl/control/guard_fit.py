"""Fits a guard on half of a log's episodes, and sets its limit on the other half by split-conformal prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from micro_rl.control.guard import PARTS, Guard, remembered
from micro_rl.core.wording import plural
from micro_rl.data import Dataset
from micro_rl.errors import TooLittle, UserError

USUAL = 0.99
"""Share of healthy steps whose part is usual."""
LEAST_USUAL = np.array([0.05, 0.05, 0.05, 0.05, 1.0, 0.05, 0.05])
"""A part is at least so usual: where all healthy steps lie in range, rounding is no alarm."""
FEWEST_EPISODES, BLOCKS = 8, 20
"""A log of fewer episodes is cut into so many stretches of time."""
LEAST_RESIDUAL = 1e-4
"""Standard deviations of a column that a prediction may leave, so that a perfect one does not make rounding news."""
RIDGE = 1e-6
OFTEN = 0.5
"""A column that stands still in this share of the steps is a set-point, and says nothing by doing so."""
MOST_ROWS = 50_000
"""Steps of either half: more do not make a guard better."""


class Steps(NamedTuple):
    """Steps in order, raw units: what each began with, what was applied, where it led, whether the one above led to it.

    `observation` and `after` are [row, obs], `action` [row, act], `continues` [row].
    """

    observation: np.ndarray
    action: np.ndarray
    after: np.ndarray
    continues: np.ndarray

    def of(self, chosen: np.ndarray) -> Steps:
        """Pick some of them, by their numbers in order."""
        apart = np.diff(chosen, prepend=-2) != 1
        picked = Steps(*(part[chosen] for part in self))
        return picked._replace(continues=picked.continues & ~apart)


def fit(
    log: Dataset,
    rate: float,
    references: int,
    episodes: Sequence[int] | None = None,
    records: Sequence[Dataset] = (),
) -> Guard:
    """Fit a guard; see `Guard.fit`."""
    if not 0 < rate < 1:
        raise UserError(f"rate: {rate} is no share between 0 and 1")
    if references < 1:
        raise UserError(f"references: {references} is not 1 or more")
    steps, blocks = _with_records(log, episodes, records)
    fitting, calibrating = _halves(blocks)
    needed = int(np.ceil(1 / rate)) - 1
    if len(calibrating) < max(needed, 2) or len(fitting) < log.observation_size + log.actions.shape[1] + 2:
        raise TooLittle(
            f"{log.path}: has {plural(len(blocks), 'healthy step')}, too few for a guard with a rate of {rate:g} "
            f"({needed:,} are needed to calibrate it, and as many to fit it): log more, or choose a greater rate"
        )
    guard = _fitted(log, steps.of(fitting), references)
    raw = parts_of(guard, steps.of(calibrating))
    usual = np.maximum(np.quantile(raw, USUAL, axis=0), LEAST_USUAL)
    counts = {"steps fitted": len(fitting), "steps calibrated": len(calibrating)}
    counts |= {"blocks": len(np.unique(blocks)), "references": len(guard.references)}
    return replace(guard, usual=usual, threshold=conformal((raw / usual).max(1), 1 - rate), rate=rate, counts=counts)


def _with_records(log: Dataset, episodes: Sequence[int] | None, records: Sequence[Dataset]) -> tuple[Steps, np.ndarray]:
    """The healthy steps of a log and of what was recorded since, and the number of each one's block."""
    parts, known = [_steps(log, episodes)], {log.sha256: log.path}
    for record in records:
        if record.sha256 in known:
            raise UserError(f"{record.path}: holds the same as {known[record.sha256]}: give each log and record once")
        known[record.sha256] = record.path
        if why := record.columns.unlike(log.columns):
            raise UserError(f"{record.path}: its columns are not those of {log.path} ({why}): fit the guard without it")
        steps, blocks = _steps(record, None)
        parts.append((steps, blocks + 1 + max((int(taken.max()) for _, taken in parts if len(taken)), default=-1)))
    together = Steps(*(np.concatenate(columns) for columns in zip(*(steps for steps, _ in parts), strict=True)))
    return together, np.concatenate([blocks for _, blocks in parts])


def conformal(values: np.ndarray, level: float) -> float:
    """Find the least of these values [row] that a new one, exchangeable with them, keeps with this probability.

    Split-conformal prediction (arXiv 2005.07972): infinity where there are too few for the level.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    rank = int(np.ceil(level * (len(ordered) + 1) - 1e-9))
    return float(ordered[rank - 1]) if 1 <= rank <= len(ordered) else float("inf")


def healthy_steps(log: Dataset, episodes: Sequence[int] | None = None) -> Steps:
    """Take the steps of these episodes that a guard may learn from; by default of all."""
    return _steps(log, episodes)[0]


def parts_of(guard: Guard, steps: Steps) -> np.ndarray:
    """Score steps one after the other: their parts, each over what is usual [row, 7]."""
    residual = guard.residual(steps.after, steps.observation, steps.action)
    memory = np.empty((len(residual), 3 * residual.shape[1]))
    equal, last, blank = steps.after == steps.observation, guard.blank, guard.blank
    for row, goes_on in enumerate(steps.continues):
        memory[row] = last = remembered(last if goes_on else blank, residual[row], equal[row])
    pieces = range(0, len(residual), 4096)
    lone = [guard.alone(steps.after[at : at + 4096]) for at in pieces]
    return np.concatenate([np.concatenate(lone), guard.moving(residual, memory)], -1) / guard.usual


def _steps(log: Dataset, episodes: Sequence[int] | None) -> tuple[Steps, np.ndarray]:
    """The healthy steps, and the number of each one's block."""
    size, usable = log.observation_size, log.usable.copy()
    episode = np.repeat(np.arange(len(log.starts)), log.lengths)
    if episodes is not None:
        usable &= np.isin(episode, np.asarray(episodes))
    if log.outliers is not None:
        usable &= ~log.outliers.rows
    rows = np.flatnonzero(usable)
    observation, action, after = (
        part[rows].astype(np.float64)
        for part in (log.observations[:, :size], log.actions, log.next_observations[:, :size])
    )
    continues = np.zeros(len(rows), bool)
    continues[1:] = log.continued[rows[:-1]] & (np.diff(rows) == 1)
    return Steps(observation, action, after, continues), _blocks(episode[rows])


def _blocks(episode: np.ndarray) -> np.ndarray:
    """The number of the block of every step: its episode, cut where a log has few of them."""
    if len(np.unique(episode)) >= FEWEST_EPISODES:
        return np.unique(episode, return_inverse=True)[1].reshape(-1)
    longest = max(1, -(-len(episode) // BLOCKS))
    starts = np.flatnonzero(np.diff(episode, prepend=-1))
    within = np.arange(len(episode)) - np.repeat(starts, np.diff(starts, append=len(episode)))
    return np.unique(np.stack([episode, within // longest]), axis=1, return_inverse=True)[1].reshape(-1)


def _halves(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps to fit and to calibrate on: of each two blocks that follow each other one, by lot."""
    count = int(blocks.max()) + 1 if len(blocks) else 0
    first = np.random.default_rng(0).integers(2, size=(count + 1) // 2)
    fits = np.stack([first == 0, first == 1], 1).reshape(-1)[:count]
    return _rows(blocks, np.flatnonzero(fits)), _rows(blocks, np.flatnonzero(~fits))


def _rows(blocks: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The steps of these blocks; where they are very many, of every second one, or third, ..."""
    total = int(np.isin(blocks, chosen).sum())
    return np.flatnonzero(np.isin(blocks, chosen[:: max(1, round(total / MOST_ROWS))]))


def _fitted(log: Dataset, steps: Steps, references: int) -> Guard:
    """The guard but for what its parts and its score usually are."""
    center, scale = _units(steps.after)
    action_center, action_scale = _units(steps.action)
    past, after = ((part - center) / scale for part in (steps.observation, steps.after))
    action = (steps.action - action_center) / action_scale
    inputs = np.concatenate([np.ones((len(past), 1)), past, action], 1)
    weights = _ridge(inputs, after - past)
    residual = after - past - inputs @ weights
    residual_scale = np.maximum(residual.std(0), LEAST_RESIDUAL)
    rows = np.linspace(0, len(after) - 1, min(references, len(after))).round().astype(int)
    return Guard(
        center, scale, action_center, action_scale, after[rows], steps.after.min(0), steps.after.max(0),
        weights, residual_scale, _whitening(residual / residual_scale), _still_cost(steps),
        np.ones(len(PARTS)), float("inf"), 0.0, columns=log.measured_columns, log=log.sha256,
    )  # fmt: skip


def _units(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    center, scale = values.mean(0), values.std(0)
    return center, np.where(scale > 1e-9 * np.abs(values).max(0) + 1e-12, scale, 1.0)


def _ridge(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    gram = inputs.T @ inputs
    return np.linalg.solve(gram + RIDGE * len(inputs) * np.eye(len(gram)), inputs.T @ targets)


def _whitening(residual: np.ndarray) -> np.ndarray:
    covariance = residual.T @ residual / len(residual)
    return np.linalg.inv(np.linalg.cholesky(covariance + RIDGE * np.eye(len(covariance)))).T


def _still_cost(steps: Steps) -> np.ndarray:
    share = ((steps.after == steps.observation).sum(0) + 0.5) / (len(steps.after) + 1)
    return np.where(share < OFTEN, -np.log(share), 0.0)
