"""Short holes in a column, filled within one episode: by the value before, or by a line to the one after."""

import numpy as np
from jaxtyping import Bool, Float64, Int

from micro_rl.data.process_words import FillKind


class Holes:
    """The episodes in which holes lie, and the times between whose values a line is drawn."""

    def __init__(self, begins: Bool[np.ndarray, " row"], steps: Float64[np.ndarray, " row"] | None):
        number = np.arange(len(begins))
        starts = np.flatnonzero(begins)
        self._first = np.maximum.accumulate(np.where(begins, number, 0))
        stops = np.append(starts[1:], len(number))
        self._last = np.repeat(stops - 1, np.diff(np.append(starts, len(number))))
        self._time = number.astype(np.float64) if steps is None else np.cumsum(steps)

    def fill(self, column: np.ndarray, kind: FillKind, limit: int) -> tuple[int, int]:
        """Fills a column in place; how many cells were filled, and how many were not."""
        known, number = ~np.isnan(column), np.arange(len(column))
        if known.all():
            return 0, 0
        before = np.maximum.accumulate(np.where(known, number, -1))
        after = np.minimum.accumulate(np.where(known, number, len(column))[::-1])[::-1]
        length = np.minimum(after, self._last + 1) - np.maximum(before, self._first - 1) - 1
        short = ~known & (length <= limit) & (before >= self._first)
        if kind == "linear":
            short &= after <= self._last
        rows = np.flatnonzero(short)
        column[rows] = column[before[rows]] if kind == "previous" else self._line(column, before, after, rows)
        return len(rows), int((~known).sum()) - len(rows)

    def _line(self, column: np.ndarray, before: np.ndarray, after: np.ndarray, rows: Int[np.ndarray, " hole"]):
        low, high = before[rows], after[rows]
        span = self._time[high] - self._time[low]
        share = np.where(span > 0, (self._time[rows] - self._time[low]) / np.where(span > 0, span, 1), 0.5)
        first, last = column[low].astype(np.float64), column[high].astype(np.float64)
        return (first + share * (last - first)).astype(column.dtype)
