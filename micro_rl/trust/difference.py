"""The difference between a policy and what made the log, with what is unknown counted both ways.

Both are estimated from the same starts, by the same members, with the same noise, so that what the judge gets wrong of
both cancels. Steps that the log cannot vouch for count as its worst reward in the lower end of the interval, and as
its best in the upper end.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Difference(NamedTuple):
    """Policy less behaviour, raw units a window; `deviation` is that of the mean, over members and starts."""

    mean: float
    low: float
    high: float
    deviation: float
    members: float
    chance: float

    @property
    def sign(self) -> int:
        """1 where all of the interval is above 0, -1 where all is below, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def spread(values: Float[np.ndarray, "member start"]) -> tuple[float, float]:
    """Deviation of the mean that the members' differing means tell, and that the starts' tell."""
    members = values.mean(1).std(ddof=1) * np.sqrt(1 + 1 / len(values)) if len(values) > 1 else 0.0
    chance = values.mean(0).std(ddof=1) / np.sqrt(values.shape[1]) if values.shape[1] > 1 else 0.0
    return float(members), float(chance)


def difference(
    policy: Float[np.ndarray, "member start"],
    worst: Float[np.ndarray, "member start"],
    best: Float[np.ndarray, "member start"],
    behaviour: Float[np.ndarray, "member start"],
    slope: float,
    width: float,
) -> Difference:
    """The difference and its interval.

    Args:
        policy: return of the policy's windows as the members have it, raw units.
        worst: the same with the unknown steps at the log's worst reward.
        best: the same at its best.
        behaviour: return of the behaviour's windows from the same starts.
        slope: what the self-test makes of a predicted difference.
        width: half widths are so many deviations.
    """
    members, chance = spread(slope * (policy - behaviour))
    deviation = float(np.hypot(members, chance))
    mean = slope * float((policy - behaviour).mean())
    low, high = (mean + float((bound - policy).mean()) for bound in (worst, best))
    return Difference(mean, low - width * deviation, high + width * deviation, deviation, members, chance)


def worst_tenth(values: Float[np.ndarray, " window"]) -> float:
    """Mean of the lowest tenth."""
    ordered = np.sort(values)
    return float(ordered[: max(1, len(ordered) // 10)].mean())
