"""The difference between a policy and what made the log, with what is unknown counted both ways.

Both are estimated from the same starts, by the same members, with the same noise, so that what the judge gets wrong of
both cancels. Steps that the log cannot vouch for count as those of its worst window in the lower end of the
interval, and as those of its best in the upper end, as far as there are more of them than the baseline has: that many
come of the judge, whose rollouts drift, and the self-test has seen them.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from micro_rl.trust.rollouts import Collected

RESAMPLES = 400


class Difference(NamedTuple):
    """Policy less behaviour, raw units a window; `deviation` is that of the mean, over members and starts."""

    mean: float
    low: float
    high: float
    deviation: float
    cost: float
    gain: float

    @property
    def sign(self) -> int:
        """1 where all of the interval is above 0, -1 where all is below, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def spread(values: Float[np.ndarray, "member start"], disjoint: int) -> tuple[float, float]:
    """Deviation of the mean that the members' differing means tell, and that the starts' tell.

    Args:
        values: by every member from every start.
        disjoint: of the windows that begin there, how many do not overlap: the others tell little of their own.
    """
    members = values.mean(1).std(ddof=1) * np.sqrt(1 + 1 / len(values)) if len(values) > 1 else 0.0
    chance = values.mean(0).std(ddof=1) / np.sqrt(max(1, disjoint)) if values.shape[1] > 1 else 0.0
    return float(members), float(chance)


def difference(
    policy: Collected,
    baseline: Collected,
    rewards: tuple[float, float],
    slope: float,
    unexplained: float,
    width: float,
    disjoint: int,
) -> Difference:
    """The difference and its interval.

    Args:
        policy: what its windows collect, as NumPy arrays.
        baseline: the same of what it is compared with.
        rewards: the mean reward a step of the log's worst window and of its best, raw units.
        slope: what the self-test makes of a predicted difference.
        unexplained: deviation that the self-test found beyond those of members and starts.
        width: half widths are so many deviations.
        disjoint: of the windows, how many do not overlap.
    """
    apart = slope * (np.asarray(policy.total) - np.asarray(baseline.total))
    deviation, mean = float(np.hypot(np.hypot(*spread(apart, disjoint)), unexplained)), float(apart.mean())
    own, usual = float(policy.unknown.mean()), float(baseline.unknown.mean())
    beyond = max(0.0, 1 - usual / own) if own else 0.0
    worst, best = (float((policy.known + policy.unknown * reward - policy.total).mean()) for reward in rewards)
    cost, gain = max(0.0, -beyond * worst), max(0.0, beyond * best)
    return Difference(mean, mean - cost - width * deviation, mean + gain + width * deviation, deviation, cost, gain)


def worst_tenth(values: Float[np.ndarray, "*draws window"]) -> Float[np.ndarray, "*draws"]:
    """Mean of the lowest tenth."""
    return np.asarray(np.sort(values, axis=-1)[..., : max(1, values.shape[-1] // 10)].mean(-1))


def tail_error(first: Float[np.ndarray, " window"], second: Float[np.ndarray, " window"], disjoint: int) -> float:
    """Standard error, over starts that both share, of the difference of their worst tenths (bootstrap).

    Args:
        first: what one collects in each window.
        second: what the other does.
        disjoint: of these windows, how many do not overlap.
    """
    drawn = np.random.default_rng(0).integers(0, len(first), (RESAMPLES, len(first)))
    overlap = np.sqrt(len(first) / max(1, disjoint))
    return float(overlap * (worst_tenth(first[drawn]) - worst_tenth(second[drawn])).std())
