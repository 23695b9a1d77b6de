"""The rows that are looked at closely: a sample of a big log with a fixed seed, in comparable units, by episode."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int

from micro_rl.data import Dataset

ROWS = 40_000
"""At most so many; a log with fewer usable rows is looked at whole."""
FOLDS = 5


class Sample(NamedTuple):
    """Rows in the log's order. Columns that never change are left out, the others have mean 0 and deviation 1.

    `fold` puts every episode, whole, into one of `FOLDS` parts; a log with fewer episodes is cut into as many blocks
    of rows instead, and `by_episode` is False.
    """

    rows: Int[np.ndarray, " row"]
    observations: Float64[np.ndarray, "row obs"]
    actions: Float64[np.ndarray, "row act"]
    steps: Float64[np.ndarray, "row step"]
    fold: Int[np.ndarray, " row"]
    by_episode: bool


def draw(dataset: Dataset) -> Sample:
    """The sample of a log; only rows whose next observation is true."""
    random = np.random.default_rng(0)
    rows = np.flatnonzero(dataset.usable)
    if len(rows) > ROWS:
        rows = np.sort(random.choice(rows, ROWS, replace=False))
    episodes = len(dataset.stops)
    by_episode = episodes >= FOLDS
    if by_episode:
        part = random.permutation(np.arange(episodes) % FOLDS)
        fold = part[np.searchsorted(dataset.stops, rows, side="right")]
    else:
        fold = np.arange(len(rows)) * FOLDS // max(1, len(rows))
    before, after = (part[rows].astype(np.float64) for part in (dataset.observations, dataset.next_observations))
    return Sample(
        rows,
        _scaled(before),
        _scaled(dataset.actions[rows].astype(np.float64)),
        _scaled(after - before),
        fold,
        by_episode,
    )


def few(sample: Sample, at_most: int, among: Bool[np.ndarray, " row"] | None = None) -> Int[np.ndarray, " few"]:
    """Places of some rows of the sample, of those `among` which they are to be."""
    places = np.arange(len(sample.rows)) if among is None else np.flatnonzero(among)
    if len(places) <= at_most:
        return places
    return np.sort(np.random.default_rng(1).choice(places, at_most, replace=False))


def few_rows(dataset: Dataset, at_most: int) -> Int[np.ndarray, " few"]:
    """All rows of a log that hold what can be measured, or so many of them, drawn with a fixed seed."""
    rows = np.flatnonzero(measured(dataset))
    if len(rows) <= at_most:
        return rows
    return rows[np.sort(np.random.default_rng(4).choice(len(rows), at_most, replace=False))]


def measured(dataset: Dataset) -> Bool[np.ndarray, " row"]:
    """Rows whose observation and action hold no value that no measurement gives."""
    return np.ones(len(dataset), bool) if dataset.outliers is None else ~dataset.outliers.window


def _scaled(values: Float64[np.ndarray, "row column"]) -> Float64[np.ndarray, "row moving"]:
    spread = values.std(0) if len(values) else np.zeros(values.shape[1])
    moving = spread > 1e-12 * np.abs(values).max(0, initial=1e-300)
    return (values[:, moving] - values[:, moving].mean(0)) / spread[moving]
