"""Rows with what came before and after them in the same episode: the ground on which delays and noise are measured."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int

from micro_rl.data import Dataset
from micro_rl.data.process_words import ResampleKind
from micro_rl.data.readers.resample import resampled
from micro_rl.reports.log.sample import measured

BLOCKS = 10
"""Stretches of rows, of which every other is one half: both halves see the whole log, and few rows are neighbours."""


class Series(NamedTuple):
    """A log as time series: columns that move, standardised, cut into episodes; `exogenous` marks observations."""

    observations: Float64[np.ndarray, "row obs"]
    actions: Float64[np.ndarray, "row act"]
    begins: Bool[np.ndarray, " row"]
    observed: tuple[str, ...]
    acted: tuple[str, ...]
    exogenous: Bool[np.ndarray, " obs"]


def series(dataset: Dataset) -> Series:
    """A log's columns that move, the newest observation alone of windows; cut where no measurement gives a value."""
    width, good = dataset.observation_size, measured(dataset)
    observations, moving = _standardised(dataset.observations[good, :width])
    actions, acting = _standardised(dataset.actions[good])
    begins = np.append(True, ~good[:-1])
    begins[dataset.starts] = True
    begins = begins[good]
    names = [str(column) for column in dataset.columns.observations[:width]]
    outside = np.isin(np.arange(width), dataset.exogenous)
    return Series(
        observations,
        actions,
        begins,
        tuple(names[place] for place in np.flatnonzero(moving)),
        tuple(str(dataset.columns.actions[place]) for place in np.flatnonzero(acting)),
        outside[moving],
    )


def longer_steps(log: Series, rows: int) -> Series:
    """The series with so many rows put together to a step, as `resample` does."""
    if rows == 1:
        return log
    columns = {"observations": log.observations, "actions": log.actions}
    kinds: dict[str, list[ResampleKind]] = {
        "observations": ["mean"] * len(log.observed),
        "actions": ["mean"] * len(log.acted),
    }
    made, begins, _ = resampled(columns, log.begins, np.ones(len(log.begins)), float(rows), kinds)
    return log._replace(observations=made["observations"], actions=made["actions"], begins=begins)


def inside(log: Series, before: int, after: int) -> Int[np.ndarray, " row"]:
    """Rows with so many rows of their episode before and after them."""
    number = np.arange(len(log.begins))
    starts = np.flatnonzero(log.begins)
    lengths = np.diff(np.append(starts, len(number)))
    place = number - np.repeat(starts, lengths)
    left = np.repeat(lengths, lengths) - 1 - place
    return np.flatnonzero((place >= before) & (left >= after))


def some(rows: Int[np.ndarray, " row"], at_most: int) -> Int[np.ndarray, " some"]:
    """So many of the rows at most, drawn with a fixed seed, in order."""
    if len(rows) <= at_most:
        return rows
    return np.sort(np.random.default_rng(5).choice(rows, at_most, replace=False))


def halves(rows: Int[np.ndarray, " row"], total: int) -> Bool[np.ndarray, " row"]:
    """True for the rows in every other of the blocks of a log with so many rows."""
    return rows * BLOCKS // total % 2 == 1


def past(
    values: Float64[np.ndarray, "row column"], rows: Int[np.ndarray, " asked"], first: int, last: int
) -> Float64[np.ndarray, "asked wide"]:
    """The columns from `first` to `last` rows before each row, side by side; nothing where there are none."""
    parts = [values[rows - back] for back in range(first, last + 1)]
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(rows), 0))


def _standardised(values: np.ndarray) -> tuple[Float64[np.ndarray, "row moving"], Bool[np.ndarray, " column"]]:
    wide = values.astype(np.float64)
    spread, size = wide.std(0), np.abs(wide).max(0, initial=1e-300)
    moving = spread > 1e-6 * size
    return (wide[:, moving] - wide[:, moving].mean(0)) / spread[moving], moving
