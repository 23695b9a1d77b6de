"""What is odd in single columns: a sensor that stood still, a value at its limit, values from another world."""

import numpy as np
from jaxtyping import Bool, Float32, Int

from micro_rl.core.columns import Column, title
from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding
from micro_rl.data.dataset import Dataset

STUCK_ROWS = 12
"""So many equal values in a row are a standstill ..."""
LIVELY = 0.5
"""... in a column that otherwise changes at more than this share of its steps."""
OFTEN = 0.2
"""Share of the episodes, if there are several, that hold a standstill where standing still is usual."""
AT_LIMIT = 0.01
"""Share of the rows at its greatest or least value from which an observation counts as saturated ..."""
AT_BOUND = 0.5
"""... and at one of its bounds, an action."""
CONTINUOUS = 50
"""A column with fewer different values is a switch or a counter, which may stand still and has limits."""
FAR = 20
"""An outlier is further from the median than so many times the span of the middle 98 %."""
APART = 1e6
QUANTILE_ROWS = 100_000


def odd(dataset: Dataset) -> list[Finding]:
    """Finds what is odd in single columns of observations and actions."""
    problems = findings.constant("action", dataset.actions, dataset.columns.actions)
    ends = dataset.terminals | dataset.timeouts
    groups = (("observation", dataset.observations, dataset.columns.observations),)
    groups += (("action", dataset.actions, dataset.columns.actions),)
    for what, values, columns in groups:
        for place, column in enumerate(columns):
            problems += _odd_column(what, place, column, np.ascontiguousarray(values[:, place]), ends)
    problems += _at_bounds(dataset)
    if len(dataset) > 1 and not np.ptp(dataset.rewards):
        problems.append(
            findings.warning("reward-constant", "rewards never change: there is nothing to learn from them")
        )
    return problems + _apart(dataset)


def _odd_column(
    what: str, place: int, column: Column, values: Float32[np.ndarray, " row"], ends: Bool[np.ndarray, " row"]
) -> list[Finding]:
    name = title(what, place, column)
    if len(values) < STUCK_ROWS or len(np.unique(values[: CONTINUOUS * 1000])) < CONTINUOUS:
        return []
    problems = []
    if len(rows := stuck_rows(values, ends)):
        text = (
            f"{name} stands still in {findings.listed(rows)} although it usually changes from step to step: "
            "a stuck sensor?"
        )
        problems.append(findings.warning("stuck", text, rows, [place]))
    if what == "observation" and len(rows := _limit_rows(values, ends)):
        limits = " or ".join(f"{limit:.6g}" for limit in np.unique(values[rows]))
        text = (
            f"{name} is at its limit ({limits}) in {100 * len(rows) / len(values):.1f} % of the rows: clipped or "
            "saturated, and what lies beyond is not in the log"
        )
        problems.append(findings.warning("saturated", text, rows, [place]))
    if len(rows := _far_rows(values)):
        text = (
            f"{name} is far from all its other values in {findings.listed(rows)}, as {values[rows[0]]:.6g} in row "
            f"{rows[0]}: a code for a missing value, or a unit that changed?"
        )
        problems.append(findings.warning("outlier", text, rows, [place]))
    return problems


def stuck_rows(values: Float32[np.ndarray, " row"], ends: Bool[np.ndarray, " row"]) -> Int[np.ndarray, " stuck"]:
    """Finds the rows in standstills of a lively column, but for those at a place of rest.

    A place of rest is where an episode begins, or a value at which the column stands still more than once, or its
    greatest or least value: a stuck sensor keeps whatever it measured last, and nothing brings it there again. What
    stands still in many episodes is no sensor's fault but a thing that can be left alone, as a door is.
    """
    same = (values[1:] == values[:-1]) & ~ends[:-1]
    if same.mean() > LIVELY:
        return np.empty(0, np.int64)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.view(np.int8), [0]])))
    starts, stops = edges[::2], edges[1::2] + 1
    long = stops - starts >= STUCK_ROWS
    starts, stops = starts[long], stops[long]
    at = values[starts]
    _, place, times = np.unique(at, return_inverse=True, return_counts=True)
    begins = np.concatenate([[True], ends[:-1]])[starts]
    rest = (times[place] > 1) | begins | (at == values.min()) | (at == values.max())
    starts, stops = starts[~rest], stops[~rest]
    number = np.cumsum(np.concatenate([[0], ends[:-1]]))
    if number[-1] and len(np.unique(number[starts])) > OFTEN * (number[-1] + 1):
        return np.empty(0, np.int64)
    pieces = [np.arange(start, stop) for start, stop in zip(starts, stops, strict=True)]
    return np.concatenate(pieces) if pieces else np.empty(0, np.int64)


def _limit_rows(values: Float32[np.ndarray, " row"], ends: Bool[np.ndarray, " row"]) -> Int[np.ndarray, " limit"]:
    """Rows at the least or the greatest value, where these hold a visible share.

    An episode that begins there counts from where it has left: what nobody has touched yet is not saturated.
    """
    few = max(STUCK_ROWS, AT_LIMIT * len(values))
    at = np.zeros(len(values), bool)
    for limit in (values.min(), values.max()):
        here = values == limit
        if here.sum() >= few:
            here &= ~_untouched(here, ends)
            at |= here & (here.sum() >= few)
    return np.flatnonzero(at)


def _untouched(here: Bool[np.ndarray, " row"], ends: Bool[np.ndarray, " row"]) -> Bool[np.ndarray, " row"]:
    """Rows that are there, as all rows of their episode before."""
    row = np.arange(len(here))
    begin = np.maximum.accumulate(np.where(np.concatenate([[True], ends[:-1]]), row, 0))
    elsewhere = np.maximum.accumulate(np.where(here, -1, row))
    return elsewhere < begin


def _far_rows(values: Float32[np.ndarray, " row"]) -> Int[np.ndarray, " far"]:
    """Rows far outside the span of the middle of the column."""
    sample = values
    if len(values) > QUANTILE_ROWS:
        sample = values[np.random.default_rng(0).integers(len(values), size=QUANTILE_ROWS)]
    low, middle, high = np.quantile(sample, [0.01, 0.5, 0.99])
    return np.flatnonzero(np.abs(values - middle) > FAR * (high - low)) if high > low else np.empty(0, np.int64)


def _at_bounds(dataset: Dataset) -> list[Finding]:
    """Actions that are at one of their bounds most of the time."""
    slack = 1e-3 * (dataset.action_high - dataset.action_low) / 2
    at = (dataset.actions <= dataset.action_low + slack) | (dataset.actions >= dataset.action_high - slack)
    problems = []
    for place in np.flatnonzero(at.mean(0) > AT_BOUND).tolist():
        name = title("action", place, dataset.columns.actions[place])
        text = (
            f"{name} is at one of its bounds in {100 * at[:, place].mean():.0f} % of the rows: "
            "the log tells little about the actions between"
        )
        problems.append(findings.warning("action-saturated", text, np.flatnonzero(at[:, place]), [place]))
    return problems


def _apart(dataset: Dataset) -> list[Finding]:
    """Observation columns whose spreads differ a millionfold."""
    spread = dataset.observations.std(0, dtype=np.float64)
    moving = np.flatnonzero(spread > 0)
    if not len(moving) or spread[moving].max() < APART * spread[moving].min():
        return []
    small, large = (int(moving[pick(spread[moving])]) for pick in (np.argmin, np.argmax))
    names = [title("observation", place, dataset.columns.observations[place]) for place in (large, small)]
    text = (
        f"columns differ in scale: {names[0]} varies by {spread[large]:.3g}, {names[1]} by {spread[small]:.3g}: "
        "fine while training standardises them (the default)"
    )
    return [findings.warning("scales", text, columns=[small, large])]
