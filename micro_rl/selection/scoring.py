"""What the rungs rank by: every policy's windows in the judge's members, less the baseline's."""

from typing import NamedTuple

from micro_rl.policy import Policy
from micro_rl.reports.trust.record import Interval
from micro_rl.trust.actors import Judged
from micro_rl.trust.difference import difference
from micro_rl.trust.estimates import collect
from micro_rl.trust.places import common_windows
from micro_rl.trust.rollouts import Collected
from micro_rl.trust.verdict import standing
from micro_rl.trust.yardstick import Yardstick


class Scored(NamedTuple):
    """A policy at an epoch of its training, its file's digest, and what the judge's model says of it, a window."""

    name: str
    candidate: str
    epoch: int
    actor: Judged
    collected: Collected
    mean: float
    low: float
    high: float
    standing: float
    sha256: str


def score(yardstick: Yardstick, policy: Policy, name: str, candidate: str, epoch: int) -> Scored:
    """Runs the policy in the judge's members; the same policy has the same score whatever is scored beside it.

    Args:
        yardstick: the judge.
        policy: to be scored.
        name: of the policy.
        candidate: whose it is.
        epoch: that it was taken after.
    """
    case, baseline, test = yardstick.case, yardstick.standard.baseline, yardstick.standard.test
    actor = yardstick.actor(policy, name)
    collected = collect(case, actor, yardstick.starts)
    corrected = test.slope, test.unexplained, test.width
    apart = difference(collected, baseline.model, case.window_rewards, *corrected, common_windows(case).disjoint)
    interval = Interval(apart.mean, apart.low, apart.high)
    stands = standing(interval, test.explained)
    return Scored(name, candidate, epoch, actor, collected, *interval, stands, policy.sha256)
