"""Values that no measurement gives: codes for a missing one, overflow, rubbish. One row of them ruins every scale."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int, Shaped

from micro_rl.core.columns import Columns, titles
from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding

CODES = np.array([999, 999.9, 999.99, 9999, 9999.9, 9999.99, 99999, 999999, 9999999, 32767, 32768, 65535, 2**31], float)
"""What instruments write for a missing value, with either sign."""
CODE_APART = 3
"""A code stands this many times the width of all other values away from them ..."""
REWARD_APART = 10
"""... in rewards this many times, since a goal or a crash may be worth many steps."""
APART = 100
"""Any other value is absurd from this many times the width on, in a handful of rows ..."""
HANDFUL, SHARE = 10, 1e-3
"""... which are so many, or this share of all."""
ABSURD = 1e15
"""Larger values of a column that else is smaller are no measurement in any unit."""
NEAR = 10
"""Spans of the middle 80 % within which all values are plausible: most columns are done with that look."""
SAMPLE = 10_000


class Limits(NamedTuple):
    """Values below `low` or above `high` are absurd; both are infinite where none is."""

    low: float
    high: float


NONE = Limits(-np.inf, np.inf)


def limits(values: Shaped[np.ndarray, " row"], rewards: bool = False) -> Limits:
    """Finds between which limits a column's values are plausible.

    Args:
        values: one column; NaN and infinity are passed over.
        rewards: whether these are rewards, of which only codes and overflow are absurd.

    Returns:
        The least and the greatest plausible value, infinite on a side that holds nothing else.
    """
    few = values[:: max(1, len(values) // SAMPLE)]
    few = few[np.isfinite(few)].astype(np.float64)
    if len(few) < HANDFUL:
        return NONE
    with np.errstate(invalid="ignore"):
        least, greatest = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
    low, high = np.quantile(few, [0.1, 0.9]).tolist()
    span = high - low
    if least >= low - NEAR * span and greatest <= high + NEAR * span:
        return NONE
    known = values[np.isfinite(values)].astype(np.float64)
    core = (known >= low - NEAR * span) & (known <= high + NEAR * span)
    bottom, top = float(known[core].min()), float(known[core].max())
    above = _first_absurd(np.sort(known[known > top]), bottom, top, len(known), rewards)
    below = _first_absurd(np.sort(-known[known < bottom]), -top, -bottom, len(known), rewards)
    return Limits(-below, above)


def _first_absurd(outside: np.ndarray, bottom: float, top: float, total: int, rewards: bool) -> float:
    """The greatest plausible of values in order above `top`; infinite where all are."""
    edges = np.concatenate([[top], outside])
    gap, width = np.diff(edges), edges[:-1] - bottom
    size, left = np.abs(outside), np.arange(len(outside), 0, -1)
    code = np.isclose(size[:, None], CODES, rtol=1e-6).any(1) | (size >= ABSURD)
    absurd = code & (gap >= (REWARD_APART if rewards else CODE_APART) * width) & (gap > 0)
    if not rewards:
        absurd |= (width > 0) & (gap >= APART * width) & (left <= max(HANDFUL, SHARE * total))
    return float(edges[np.argmax(absurd)]) if absurd.any() else np.inf


class Outliers(NamedTuple):
    """Where a log holds absurd values: cells of each field, and the rows that hold one or lead to one."""

    observations: Bool[np.ndarray, "row obs"]
    actions: Bool[np.ndarray, "row act"]
    rewards: Bool[np.ndarray, "row 1"]
    next_observations: Bool[np.ndarray, "row obs"]

    @property
    def rows(self) -> Bool[np.ndarray, " row"]:
        """Rows that nothing should be learned from."""
        return np.asarray(np.concatenate(self, axis=1).any(1))

    @property
    def window(self) -> Bool[np.ndarray, " row"]:
        """Rows that no window should hold."""
        return np.asarray(self.observations.any(1) | self.actions.any(1))


def find(
    observations: Float32[np.ndarray, "row obs"],
    actions: Float32[np.ndarray, "row act"],
    rewards: Float32[np.ndarray, " row"],
    after: Float32[np.ndarray, "row obs"],
) -> Outliers | None:
    """Finds the absurd values of a log; None where there is none, as in nearly every log."""
    observed = [_of_both(*columns) for columns in zip(observations.T, after.T, strict=True)]
    rewarded = [limits(rewards, rewards=True)]
    pairs = [observed, [limits(column) for column in actions.T], rewarded, observed]
    fields = (observations, actions, rewards.reshape(-1, 1), after)
    if all(pair == NONE for field in pairs for pair in field):
        return None
    return Outliers(*(_outside(field, pair) for field, pair in zip(fields, pairs, strict=True)))


def _of_both(column: Float32[np.ndarray, " row"], after: Float32[np.ndarray, " row"]) -> Limits:
    """The limits of an observation and the next one, which are one quantity."""
    if limits(column) == NONE == limits(after):
        return NONE
    return limits(np.concatenate([column, after]))


def _outside(values: Float32[np.ndarray, "row column"], pairs: list[Limits]) -> Bool[np.ndarray, "row column"]:
    low, high = (np.array(side) for side in zip(*pairs, strict=True))
    return (np.isfinite(values) & ((values < low) | (values > high))) if len(pairs) else np.zeros(values.shape, bool)


def described(outliers: Outliers | None, columns: Columns, values: tuple[np.ndarray, ...]) -> list[Finding]:
    """Says where the absurd values are, and that their rows are not learned from.

    Args:
        outliers: as of `find`.
        columns: the names of the log's columns.
        values: observations, actions, rewards and next observations, as given to `find`.

    Returns:
        A warning for each of the fields that holds any; next observations where they alone do.
    """
    if outliers is None:
        return []
    problems, left = [], int(outliers.rows.sum())
    for what, cells, field, named in (
        ("observation", outliers.observations, values[0], columns.observations),
        ("action", outliers.actions, values[1], columns.actions),
        ("reward", outliers.rewards, values[2].reshape(-1, 1), ()),
        ("next observation", outliers.next_observations, values[3], columns.observations),
    ):
        rows: Int[np.ndarray, " row"] = np.flatnonzero(cells.any(1))
        if not len(rows) or (what == "next observation" and outliers.observations.any()):
            continue
        places = np.flatnonzero(cells.any(0)).tolist()
        name = titles(what, places, named) if named else "the reward"
        example = field[rows[0], np.flatnonzero(cells[rows[0]])[0]]
        text = (
            f"{name} {'are' if len(places) > 1 else 'is'} far from all other values in {findings.listed(rows)}, as "
            f"{example:.6g} in row {rows[0]}: a code for a missing value, or a unit that changed? {left:,} "
            f"{'rows that hold or lead' if left > 1 else 'row that holds or leads'} to such a value "
            f"{'are' if left > 1 else 'is'} not learned from, and no scale is taken from {'them' if left > 1 else 'it'}"
        )
        problems.append(findings.warning("outlier", text, rows, places if named else ()))
    return problems
