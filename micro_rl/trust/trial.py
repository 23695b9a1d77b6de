"""A staged trial: windows of the policy under watch, and a test that may decide after any of them.

The mean of the windows so far lies within `margin` of the true mean at all times at once, but for a share alpha: a
confidence sequence by a normal mixture (Robbins, Annals of Mathematical Statistics 1970; asymptotic form in arXiv
2103.06476). Looking after every window is therefore no cheating.
"""

from bisect import bisect_left

import numpy as np

from micro_rl.reports.trust.record import Trial

ALPHA = 0.05
MOST_WINDOWS = 10_000
SHOWN = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


def margin(windows: int, deviation: float, alpha: float = ALPHA, best_at: int = 50) -> float:
    """Half width after so many windows of this standard deviation; narrowest, relatively, after about `best_at`."""
    rho = np.sqrt((-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / best_at)
    t = windows * rho**2
    return float(deviation * np.sqrt(2 * (t + 1) / (windows**2 * rho**2) * np.log(np.sqrt(t + 1) / alpha)))


def plan(gain: float, baseline: float, deviation: float, alpha: float = ALPHA) -> Trial:
    """The trial that shows a gain of this size.

    Args:
        gain: of a window's mean return over the baseline, positive.
        baseline: what made the log collects in a window on average.
        deviation: standard deviation of a window's return.
        alpha: share of trials that may decide wrongly.

    Returns:
        The windows that it takes at most, and how far above the baseline the mean must lie after how many of them.
    """
    # The more windows, the narrower: of those that are enough the fewest.
    most = 1 + bisect_left(range(1, MOST_WINDOWS), True, key=lambda count: margin(count, deviation, alpha) <= gain)
    shown = [count for count in SHOWN if count < most] + [most]
    return Trial(most, alpha, baseline, deviation, tuple((count, margin(count, deviation, alpha)) for count in shown))
