"""A staged trial: windows of the policy under watch, and a test that may decide after any of them.

The mean of the windows so far, less that of the log's windows, lies within `margin` of the true difference at all times
at once, but for a share alpha: a confidence sequence by a normal mixture (Robbins, Annals of Mathematical Statistics
1970; asymptotic form in arXiv 2103.06476). Looking after every window is therefore no cheating. The log's mean is drawn
once and off by as much at every look, so its variance is added to that of the policy's mean: both together are normal,
and the ratio of their likelihoods, mixed over the difference, is a martingale as it is without.
"""

from bisect import bisect_left

import numpy as np
from jaxtyping import Float64

from micro_rl.reports.trust.record import Trial

ALPHA = 0.05
MOST_WINDOWS = 10_000
SHOWN = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


def margin(windows: int, deviation: float, alpha: float = ALPHA, baseline_deviation: float = 0.0) -> float:
    """Half width after so many windows of this standard deviation; see `margins`."""
    return float(margins(np.array([float(windows)]), deviation, alpha, baseline_deviation)[0])


def margins(
    counts: Float64[np.ndarray, " look"],
    deviation: float | Float64[np.ndarray, "*records look"],
    alpha: float = ALPHA,
    baseline_deviation: float = 0.0,
    best_at: int = 50,
) -> Float64[np.ndarray, "*records look"]:
    """The margin after so many windows; infinite where their deviation is 0, for then nothing tells how they spread.

    Args:
        counts: of windows at each look.
        deviation: of a window's return, the effective one where windows are alike.
        alpha: share of trials that may decide wrongly.
        baseline_deviation: of the log's mean return, as a mean of its windows; 0 takes it for exactly known.
        best_at: windows after which it is narrowest, relatively, but for the log's mean.
    """
    mixed = np.square(deviation) * (-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / best_at
    own = np.square(deviation) / counts + baseline_deviation**2
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.sqrt(2 * own * (own / mixed + 1) * np.log(np.sqrt(mixed / own + 1) / alpha))
    return np.where(mixed > 0, half, np.inf)


def effective(deviation: float, alike: float) -> float:
    """The deviation of independent windows whose mean is as uncertain as that of windows like the ones before them.

    Args:
        deviation: of a window's return.
        alike: correlation of a window's return with the next one's, which is taken to fade from window to window.
    """
    return float(deviation * np.sqrt((1 + alike) / (1 - alike)))


def plan(
    gain: float, baseline: float, deviation: float, alpha: float = ALPHA, baseline_deviation: float = 0.0
) -> Trial:
    """The trial that shows a gain of this size, or as many windows as a trial has at most where none does.

    Args:
        gain: of a window's mean return over the baseline, positive.
        baseline: what made the log collects in a window on average.
        deviation: standard deviation of a window's return, the effective one where windows are alike.
        alpha: share of trials that may decide wrongly.
        baseline_deviation: of the baseline, as a mean of the log's windows; 0 takes it for exactly known.

    Returns:
        The windows that it takes at most, and how far above the baseline the mean must lie after how many of them.
    """

    def needed(count: int) -> float:
        return margin(count, deviation, alpha, baseline_deviation)

    # The more windows, the narrower: of those that are enough the fewest.
    most = 1 + bisect_left(range(1, MOST_WINDOWS), True, key=lambda count: needed(count) <= gain)
    shown = [count for count in SHOWN if count < most] + [most]
    marks = tuple((count, needed(count)) for count in shown)
    return Trial(most, alpha, baseline, deviation, marks, baseline_deviation)
