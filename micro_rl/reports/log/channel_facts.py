"""Each observation and action by itself: where its values lie, how much of its range they fill."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from micro_rl.data import Dataset
from micro_rl.reports.log.sample import few_rows

BINS = 20
FILLED = 0.05
"""A bin counts as covered if it holds this share of what it would if all held the same."""
AT_BOUND = 1e-3
"""Share of the half range within which an action is at its bound."""
ROWS = 200_000


class Channel(NamedTuple):
    """A column in raw units; `low` and `high` are its percentiles 1 and 99.

    `covered` is the share of twenty equal parts of its range (an action's bounds, or an observation's least to greatest
    value) with a fair number of rows; `at_bound` is the share of the rows at a bound, for actions only.
    """

    name: str
    least: float
    low: float
    median: float
    high: float
    greatest: float
    covered: float
    at_bound: float | None


def channels(dataset: Dataset) -> list[Channel]:
    """Every observation, then every action; percentiles 1 and 99 of a sample where there are many rows."""
    rows = few_rows(dataset, ROWS)
    observations = [
        _channel(str(column), dataset.observations[rows, place], None)
        for place, column in enumerate(dataset.columns.observations)
    ]
    limits = zip(dataset.action_low.tolist(), dataset.action_high.tolist(), strict=True)
    actions = [
        _channel(str(column), dataset.actions[rows, place], pair)
        for place, (column, pair) in enumerate(zip(dataset.columns.actions, limits, strict=True))
    ]
    return observations + actions


def _channel(name: str, values: Float32[np.ndarray, " row"], bounds: tuple[float, float] | None) -> Channel:
    least, greatest = float(values.min()), float(values.max())
    low, median, high = np.quantile(values, [0.01, 0.5, 0.99]).tolist()
    start, stop = bounds or (least, greatest)
    counts, _ = np.histogram(values, BINS, (start, stop)) if stop > start else (np.array([len(values)]), None)
    covered = float((counts > FILLED * len(values) / len(counts)).mean())
    at_bound = None
    if bounds:
        slack = AT_BOUND * (stop - start) / 2
        at_bound = float(((values <= start + slack) | (values >= stop - slack)).mean())
    return Channel(name, least, low, median, high, greatest, covered, at_bound)
