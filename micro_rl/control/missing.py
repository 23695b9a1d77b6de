"""What to do with a value that is missing or no measurement: hold the last one for a few steps, then give up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from micro_rl.control.settings import ControlSettings, Pair, by_column
from micro_rl.core.columns import Column
from micro_rl.core.wording import plural


class Complete(NamedTuple):
    """An observation with its holes filled as far as that goes.

    `values` are in the columns' order, NaN where a value is lost [obs]; `held` says which are not of this step
    [obs]; `blind` that some value has been missing for too long; `reasons` what is wrong.
    """

    values: np.ndarray
    held: np.ndarray
    blind: bool
    reasons: tuple[str, ...]


class Holder:
    """Remembers the last good value of every column."""

    def __init__(self, columns: Sequence[Column], settings: ControlSettings):
        self.names = [column.name for column in columns]
        self.low, self.high = possible(columns, settings)
        self.longest = settings.hold_missing
        self.begin()

    def begin(self) -> None:
        """Forget all values, for an episode begins."""
        self.last, self.age = np.full(len(self.names), np.nan), np.zeros(len(self.names), int)

    def __call__(self, values: np.ndarray) -> Complete:
        """Fill the holes of an observation [obs], NaN where a value is missing."""
        outside = (values < self.low) | (values > self.high)
        absent = outside | np.isnan(values)
        if not absent.any():
            self.last, self.age = values, np.zeros_like(self.age)
            return Complete(values, absent, False, ())
        self.age = np.where(absent, self.age + 1, 0)
        self.last = np.where(absent, self.last, values)
        lost = absent & ((self.age > self.longest) | np.isnan(self.last))
        reasons = [self._out_of_range(place, values[place]) for place in np.flatnonzero(outside)]
        for place in np.flatnonzero(absent):
            after = f"lost for {plural(int(self.age[place]), 'step')}" if lost[place] else f"held for {self.age[place]}"
            reasons.append(f"{self.names[place]} {after}")
        return Complete(np.where(lost, np.nan, self.last), absent, bool(lost.any()), tuple(reasons))

    def _out_of_range(self, place: np.intp, value: np.float64) -> str:
        return f"{self.names[place]} {value:.6g} is outside {self.low[place]:.6g} to {self.high[place]:.6g}"


def possible(columns: Sequence[Column], settings: ControlSettings) -> tuple[np.ndarray, np.ndarray]:
    """What each column can be: the user's range, else that of the log and a margin, else anything [obs], [obs]."""
    given: Mapping[int, Pair] = by_column("ranges", settings.ranges, tuple(columns))
    ends = [given.get(number) or _widened(column, settings.range_margin) for number, column in enumerate(columns)]
    return np.array([low for low, _ in ends]), np.array([high for _, high in ends])


def _widened(column: Column, margin: float) -> Pair:
    if column.low is None or column.high is None:
        return -np.inf, np.inf
    width = max(column.high - column.low, 1e-3 * max(abs(column.low), abs(column.high)), 1e-6)
    return column.low - margin * width, column.high + margin * width
