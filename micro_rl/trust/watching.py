"""A trial under watch: what its windows so far decide, however often one looks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from micro_rl.reports.trust.record import BETTER, NOT_SHOWN, WORSE
from micro_rl.trust.trial import ALPHA, margin


class Watched(NamedTuple):
    """The windows so far: their mean less the baseline, the margin that it must pass, and what follows.

    `decided_after` is the window after which it was decided, None where it is not yet; `verdict` is then `NOT_SHOWN`.
    """

    windows: int
    difference: float
    margin: float
    verdict: str
    decided_after: int | None


def watch(returns: Sequence[float], baseline: float, deviation: float, alpha: float = ALPHA) -> Watched:
    """Look at a trial after each of its windows; the first look that decides counts.

    Args:
        returns: of the windows in which the policy acted, in order, raw units.
        baseline: what made the log collects in a window on average.
        deviation: standard deviation of a window's return.
        alpha: share of trials that may decide wrongly.

    Raises:
        ValueError: there is no window.
    """
    if not len(returns):
        raise ValueError("returns: no window to look at")
    counts = np.arange(1, len(returns) + 1)
    differences = np.cumsum(np.asarray(returns, np.float64)) / counts - baseline
    margins = np.array([margin(int(count), deviation, alpha) for count in counts])
    decided = np.flatnonzero(np.abs(differences) > margins)
    last = float(differences[-1]), float(margins[-1])
    if not len(decided):
        return Watched(len(returns), *last, NOT_SHOWN, None)
    first = int(decided[0])
    return Watched(len(returns), *last, BETTER if differences[first] > 0 else WORSE, first + 1)
