"""Stretches: uninterrupted windows of one length in a log, and what whoever made the log collected in them.

Lengths of episodes differ, so returns of episodes cannot be compared. Windows of one length can. After a terminal
nothing more is collected: a window that reaches one is whole, its later rewards are 0.
"""

from bisect import bisect_left
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int

from micro_rl.data.dataset import Dataset

SAME = 1e-9
"""Of a return: windows that differ by no more bring the same, but for the rounding of sums."""
MOST_ALIKE = 0.9
"""Correlation of windows that is reckoned with at most."""


class Stretches(NamedTuple):
    """Windows of `length` steps: their first rows, in order, one past the last row of each, and what each collects.

    That is the undiscounted sum of its rewards, raw units. A window that reaches a terminal ends there. Windows
    overlap; `disjoint` is how many there are that do not. `most` is as many as there were among those of which these
    are a sample; None where they are none.
    """

    length: int
    starts: Int[np.ndarray, " window"]
    stops: Int[np.ndarray, " window"]
    returns: Float64[np.ndarray, " window"]
    most: int | None = None

    def of(self, chosen: Bool[np.ndarray, " window"] | Int[np.ndarray, " some"]) -> "Stretches":
        """Picks some of the windows, in order."""
        return Stretches(self.length, self.starts[chosen], self.stops[chosen], self.returns[chosen])

    def sample(self, chosen: Int[np.ndarray, " some"]) -> "Stretches":
        """Picks windows that stand for all: neighbours that share a row tell nearly as much as such that share none."""
        return self.of(chosen)._replace(most=self.disjoint)

    @property
    def disjoint(self) -> int:
        """The most of these windows that do not overlap; of a sample as many as there are of all, if it has so many."""
        if self.most is not None:
            return min(self.most, len(np.unique(self.starts)))
        following = np.searchsorted(self.starts, self.stops).tolist()
        count = place = 0
        while place < len(following):
            count, place = count + 1, following[place]
        return count

    def evenly(self, count: int) -> "Stretches":
        """Picks at most so many, evenly through the log."""
        return self.sample(np.linspace(0, len(self.starts) - 1, min(count, len(self.starts))).round().astype(int))

    def rows(self) -> tuple[Int[np.ndarray, "window step"], Bool[np.ndarray, "window step"]]:
        """Gives the rows of every window, and which are there: after a terminal none is, and its row stands again."""
        rows, stops = self.starts[:, None] + np.arange(self.length), self.stops[:, None]
        return np.minimum(rows, stops - 1), rows < stops

    @property
    def deviation(self) -> float:
        """Standard deviation of a window's return; 0 where all of them bring the same, but for rounding."""
        if np.ptp(self.returns) <= SAME * np.abs(self.returns).max():
            return 0.0
        return float(self.returns.std(ddof=1))

    @property
    def mean_deviation(self) -> float:
        """Standard deviation of the mean return, by the windows that do not overlap."""
        return float(self.returns.std() / np.sqrt(max(1, self.disjoint - 1)))


def stretches(dataset: Dataset, length: int) -> Stretches:
    """Finds all windows of a length in a log.

    Args:
        dataset: the log.
        length: steps of a window.

    Returns:
        The windows, in the log's order: one from every row after which the log goes on for so long, or to a terminal.

    Raises:
        ValueError: `length` is below 1.
    """
    if length < 1:
        raise ValueError(f"length must be 1 or more, not {length}")
    stops, rows = _stops(dataset), np.arange(len(dataset))
    starts = rows[(stops - rows >= length) | dataset.terminals[stops - 1]]
    sums = np.concatenate([[0.0], np.cumsum(dataset.rewards.astype(np.float64))])
    ends = np.minimum(starts + length, stops[starts])
    return Stretches(length, starts, ends, sums[ends] - sums[starts])


def all_alike(dataset: Dataset) -> bool:
    """Tells whether no policy can collect more: one reward in all rows, and it is 0, or no episode ever terminates."""
    rewards = dataset.rewards
    return not np.ptp(rewards) and (not rewards[0] or not dataset.terminals.any())


def greatest_length(dataset: Dataset) -> int:
    """The steps of the longest windows of which a log holds two that do not overlap; 0 where it holds no two at all."""
    lengths = range(1, len(dataset) + 1)
    return bisect_left(lengths, True, key=lambda length: stretches(dataset, length).disjoint < 2)


def alike(dataset: Dataset, own: Stretches) -> float:
    """The correlation of a window's return with that of the window after it in the same episode of the log.

    It is 0 at least, `MOST_ALIKE` at most, and 0 where no episode holds two windows or all of them bring the same.
    """
    row = np.full(len(dataset) + own.length, -1)
    row[own.starts] = np.arange(len(own.starts))
    after, episode = row[own.starts + own.length], np.searchsorted(dataset.starts, own.starts, "right")
    first = np.flatnonzero((after >= 0) & (episode[after] == episode))
    apart = own.returns - own.returns.mean()
    if not len(first) or not apart.any():
        return 0.0
    return float(np.clip((apart[first] * apart[after[first]]).mean() / apart.var(), 0.0, MOST_ALIKE))


def _stops(dataset: Dataset) -> Int[np.ndarray, " row"]:
    """One past the last row that follows each row without interruption."""
    rows = np.arange(1, len(dataset) + 1)
    return np.minimum.accumulate(np.where(dataset.continued, len(dataset), rows)[::-1])[::-1]
