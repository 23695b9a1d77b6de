"""A trial under watch: what its windows so far decide, however often one looks."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from micro_rl.reports.trust.record import BETTER, NOT_SHOWN, WORSE
from micro_rl.reports.trust.watched import ABOVE, CONSISTENT, FALLS_SHORT, Held, Watched
from micro_rl.trust.trial import ALPHA, effective, margins

FEWEST = 10
"""Windows whose own spread says something."""


def watch(
    returns: Sequence[float], baseline: float, deviation: float, alpha: float = ALPHA, baseline_deviation: float = 0.0
) -> Watched:
    """Look at a trial after each of its windows; the first look that decides counts.

    Args:
        returns: of the windows in which the policy acted, in order, raw units.
        baseline: what made the log collects in a window on average.
        deviation: standard deviation of a window's return, the effective one where windows are alike; of 0 nothing is
            ever decided, for then nothing tells how spread windows are.
        alpha: share of trials that may decide wrongly.
        baseline_deviation: of the baseline, as a mean of the log's windows; 0 takes it for exactly known.

    Raises:
        ValueError: there is no window.
    """
    differences = _differences(returns, baseline)
    half = margins(np.arange(1.0, len(returns) + 1), deviation, alpha, baseline_deviation)
    decided = np.flatnonzero(np.abs(differences) > half)
    last = float(differences[-1]), float(half[-1])
    if not len(decided):
        return Watched(len(returns), *last, NOT_SHOWN, None)
    first = int(decided[0])
    return Watched(len(returns), *last, BETTER if differences[first] > 0 else WORSE, first + 1)


def hold(
    returns: Float64[np.ndarray, " window"],
    baseline: float,
    deviation: float,
    predicted: tuple[float, float],
    alpha: float = ALPHA,
    alike: float = 0.0,
    baseline_deviation: float = 0.0,
) -> Held:
    """Hold a prediction against the windows, after each of them; the first look that decides counts.

    The difference from the baseline lies within its half width at all times at once, but for a share alpha. It falls
    short where all that this leaves lies below the prediction's interval, and is above where all lies above.

    Args:
        returns: of the windows in which the policy acted, in order, raw units.
        baseline: what made the log collects in a window on average.
        deviation: standard deviation of the log's windows.
        predicted: lower and upper end of the difference that was predicted.
        alpha: share of true predictions that may be contradicted at any time.
        alike: correlation of a window's return with the next one's, by the log.
        baseline_deviation: of the baseline, as a mean of the log's windows; 0 takes it for exactly known.

    Raises:
        ValueError: there is no window, or the ends are in the wrong order.
    """
    low, high = predicted
    if not low <= high:
        raise ValueError(f"predicted: {low} to {high} is no interval")
    differences = _differences(returns.tolist(), baseline)
    half = half_widths(returns, deviation, alpha, alike, baseline_deviation)
    lowest, highest = differences - half, differences + half
    decided = np.flatnonzero((highest < low) | (lowest > high))
    left = float(lowest[-1]), float(highest[-1])
    if not len(decided):
        return Held(CONSISTENT, *left, None, half)
    first = int(decided[0])
    return Held(FALLS_SHORT if highest[first] < low else ABOVE, *left, first + 1, half)


def half_widths(
    returns: Float64[np.ndarray, "*records window"],
    deviation: float,
    alpha: float = ALPHA,
    alike: float = 0.0,
    baseline_deviation: float = 0.0,
) -> Float64[np.ndarray, "*records window"]:
    """How far the mean may lie from the truth after every window: the trial's margin, for windows as they really are.

    Windows that are more spread than the log's count by their own deviation, from `FEWEST` of them on; and windows
    that are like the one before tell less than as many that are not.

    Args:
        returns: of the windows, in order.
        deviation: standard deviation of the log's windows.
        alpha: share of records whose mean may ever lie further off.
        alike: correlation of a window's return with the next one's.
        baseline_deviation: of the log's mean return, as a mean of its windows; 0 takes it for exactly known.
    """
    counts = np.arange(1.0, returns.shape[-1] + 1)
    with np.errstate(over="ignore", invalid="ignore"):  # returns may be of any size
        apart = returns - returns[..., :1]
        squares = (apart**2).cumsum(-1) - apart.cumsum(-1) ** 2 / counts
        own = np.sqrt(np.maximum(squares, 0.0) / np.maximum(counts - 1, 1.0))
    spread = np.maximum(deviation, np.where(counts < FEWEST, 0.0, own))
    return margins(counts, effective(1.0, alike) * spread, alpha, baseline_deviation)


def _differences(returns: Sequence[float], baseline: float) -> Float64[np.ndarray, " look"]:
    """The mean difference after each window."""
    if not len(returns):
        raise ValueError("returns: no window to look at")
    return np.cumsum(np.asarray(returns, np.float64)) / np.arange(1, len(returns) + 1) - baseline
