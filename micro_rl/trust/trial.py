"""A staged trial: windows of the policy under watch, and a test that may decide after any of them.

The mean of the windows so far lies within `margin` of the true mean at all times at once, but for a share alpha: a
confidence sequence by a normal mixture (Robbins, Annals of Mathematical Statistics 1970; asymptotic form in arXiv
2103.06476). Looking after every window is therefore no cheating.
"""

from bisect import bisect_left

import numpy as np
from jaxtyping import Float64

from micro_rl.reports.trust.record import Trial

ALPHA = 0.05
MOST_WINDOWS = 10_000
SHOWN = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


def margin(windows: int, deviation: float, alpha: float = ALPHA, best_at: int = 50) -> float:
    """Half width after so many windows of this standard deviation; narrowest, relatively, after about `best_at`."""
    return float(_half_width(np.array([float(windows)]), deviation, alpha, best_at)[0])


def margins(windows: int, deviation: float, alpha: float = ALPHA) -> Float64[np.ndarray, " window"]:
    """The margin after each of so many windows, from the first one on."""
    return _half_width(np.arange(1.0, windows + 1), deviation, alpha)


def effective(deviation: float, alike: float) -> float:
    """The deviation of independent windows whose mean is as uncertain as that of windows like the ones before them.

    Args:
        deviation: of a window's return.
        alike: correlation of a window's return with the next one's, which is taken to fade from window to window.
    """
    return float(deviation * np.sqrt((1 + alike) / (1 - alike)))


def _half_width(
    counts: Float64[np.ndarray, " look"], deviation: float, alpha: float, best_at: int = 50
) -> Float64[np.ndarray, " look"]:
    rho = np.sqrt((-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / best_at)
    t = counts * rho**2
    return deviation * np.sqrt(2 * (t + 1) / (counts**2 * rho**2) * np.log(np.sqrt(t + 1) / alpha))


def plan(gain: float, baseline: float, deviation: float, alpha: float = ALPHA) -> Trial:
    """The trial that shows a gain of this size.

    Args:
        gain: of a window's mean return over the baseline, positive.
        baseline: what made the log collects in a window on average.
        deviation: standard deviation of a window's return, the effective one where windows are alike.
        alpha: share of trials that may decide wrongly.

    Returns:
        The windows that it takes at most, and how far above the baseline the mean must lie after how many of them.
    """
    # The more windows, the narrower: of those that are enough the fewest.
    most = 1 + bisect_left(range(1, MOST_WINDOWS), True, key=lambda count: margin(count, deviation, alpha) <= gain)
    shown = [count for count in SHOWN if count < most] + [most]
    return Trial(most, alpha, baseline, deviation, tuple((count, margin(count, deviation, alpha)) for count in shown))
