"""Rows to longer steps, without looking ahead.

A step begins at its decision. Its observation is made of the rows since the decision before, up to and including the
one at the decision itself; its action and its reward of the rows from the decision on, before the next. So an
observation never holds what its own action did, and rows that already are so far apart stay what they are. A row counts
as one at the decision where it is nearer to it than `NEAR` of the log's own step: clocks are late, early and jitter.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int

from micro_rl.data.process_words import ResampleKind

ROUNDING = 1e-6
"""Share of a step by which clocks round at least."""
NEAR = 0.1
"""Share of the time from row to row, its median, by which clocks are off at most."""


def resampled(
    columns: Mapping[str, np.ndarray],
    begins: Bool[np.ndarray, " row"],
    steps: Float64[np.ndarray, " row"],
    seconds: float,
    kinds: Mapping[str, Sequence[ResampleKind]],
    near: float = ROUNDING,
) -> tuple[dict[str, np.ndarray], Bool[np.ndarray, " step"], int]:
    """Puts the rows of every episode together; its first row is its first decision.

    Args:
        columns: matrices, rewards and flags by field.
        begins: the rows that begin an episode; one does after every terminal and timeout.
        steps: seconds since the row before.
        seconds: the length of a step.
        kinds: of matrices and rewards, how each column is put together; of flags a step has any that its rows have.
        near: the share of a step within which a row counts as one at the decision.

    Returns:
        The columns, where episodes begin, and how many steps had no row of their own.
    """
    led_to, done_in, first, total = _steps_of_rows(begins, steps, seconds, near)
    parts, idle = {}, 0
    for field, values in columns.items():
        step = led_to if field == "observations" else done_in
        if field not in kinds:
            parts[field] = np.bincount(step, values.astype(np.float64), total) > 0
            continue
        bins = _Bins(step, total, first)
        table = values.reshape(len(values), -1)
        joined = [bins.joined(column, kind) for column, kind in zip(table.T, kinds[field], strict=True)]
        parts[field] = np.stack(joined, axis=1).astype(values.dtype).reshape(total, *values.shape[1:])
        idle = max(idle, bins.idle)
    new = np.zeros(total, bool)
    new[first] = True
    return parts, new, idle


def _steps_of_rows(
    begins: Bool[np.ndarray, " row"], steps: Float64[np.ndarray, " row"], seconds: float, near: float
) -> tuple[Int[np.ndarray, " row"], Int[np.ndarray, " row"], Int[np.ndarray, " episode"], int]:
    """The step whose observation a row is part of, the step in which it was done, each episode's first, and how many.

    The rows after an episode's last decision tell of an observation that no action follows: they are of no step (-1).
    """
    clock = np.cumsum(np.where(begins, 0.0, steps))
    starts = np.flatnonzero(begins)
    lengths = np.diff(np.append(starts, len(begins)))
    since = (clock - np.repeat(clock[starts], lengths)) / seconds
    done_in = np.floor(since + near).astype(np.int64)
    led_to = np.ceil(since - near).astype(np.int64)
    counts = np.maximum.reduceat(done_in, starts) + 1
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    offset = np.repeat(first, lengths)
    beyond = led_to >= np.repeat(counts, lengths)
    return np.where(beyond, -1, led_to + offset), done_in + offset, first, int(counts.sum())


class _Bins:
    """Rows by step, each episode's first step having one; of a row without a step nothing is taken."""

    def __init__(self, step: Int[np.ndarray, " row"], total: int, first: Int[np.ndarray, " episode"]):
        self._rows = np.flatnonzero(step >= 0)
        self._step, self._total = step[self._rows], total
        held = np.bincount(self._step, minlength=total) > 0
        number = np.arange(total)
        episode = np.zeros(total, np.int64)
        episode[first] = first
        self._source = np.maximum(np.maximum.accumulate(np.where(held, number, 0)), np.maximum.accumulate(episode))
        self._held = held
        self.idle = int((~held).sum())

    def joined(self, column: np.ndarray, kind: ResampleKind) -> Float64[np.ndarray, " step"]:
        """A column by step; NaN where no row of a step has a value, or of a sum one has none."""
        values = column[self._rows].astype(np.float64)
        known = ~np.isnan(values)
        step, values = self._step[known], values[known]
        count = np.bincount(step, minlength=self._total)
        if kind == "last":
            result = np.full(self._total, np.nan)
            result[step] = values
            return result[self._source]
        total = np.bincount(step, values, self._total)
        if kind == "sum":
            lacking = np.bincount(self._step[~known], minlength=self._total) > 0
            return np.where(lacking, np.nan, total)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)[self._source]
