"""What a trial adds to a choice: a thousand trials of a policy, drawn from the windows measured in the simulator.

A window is drawn with replacement from those that begin in rows of the log, so that it begins where the log's windows
did. Trials follow the plan of the choice's own judgement (`micro_rl.trust.trial`).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from micro_rl.reports.trust.record import Trial
from micro_rl.trust.trial import margins

TRIALS = 1000


class Tried(NamedTuple):
    """How trials of a policy end: the shares of all, the median number of windows of those that decide, the cost.

    `collected` is what a trial's windows brought beyond as many of the log's, the mean over trials.
    """

    policy: str
    most_windows: int
    better: float
    worse: float
    windows: float | None
    collected: float


def trials(policy: str, plan: Trial, returns: Float[np.ndarray, " window"], seed: int = 0) -> Tried:
    """Try a policy many times.

    Args:
        policy: its name.
        plan: of the trial.
        returns: of the policy's windows, raw units.
        seed: of the draws.
    """
    drawn = np.random.default_rng(seed).choice(returns, (TRIALS, plan.most_windows))
    counts = np.arange(1.0, plan.most_windows + 1)
    sums = np.cumsum(drawn - plan.baseline, 1)
    passed = np.abs(sums / counts) > margins(counts, plan.deviation, plan.alpha, plan.baseline_deviation)
    decided = passed.any(1)
    last = np.where(decided, passed.argmax(1), plan.most_windows - 1)
    ends = sums[np.arange(TRIALS), last]
    return Tried(
        policy,
        plan.most_windows,
        float((decided & (ends > 0)).mean()),
        float((decided & (ends <= 0)).mean()),
        float(np.median(last[decided] + 1)) if decided.any() else None,
        float(ends.mean()),
    )
