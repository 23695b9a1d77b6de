"""The faults of the judge that the trust study brought to light, mended or not, in words for its page."""

import numpy as np

from micro_rl.core.wording import number
from micro_rl.reports.trust.record import NOT_SHOWN
from micro_rl.trust.verdict import Thresholds
from runs import trust_wrong
from runs.trust_pairs import Log, filled, totals
from runs.trust_wrong import median

WHY = """\
All of it lies on logs whose parts were made by one controller, which leaves the test nothing to tell apart.

On dmsd the model follows the masses rightly and pays them wrongly. The mean action truly collects 120 a window (mean of
a hundred); a model of the judge's kind pays 665 on the way that was truly taken, and the simulator would pay 120 on the
way that the model takes. Whatever stood far from its target in this log was being pushed there: of 5,684 rows that end
more than 0.5 away none is idle. They were paid 1.29; put to rest, without an action, the model pays them 6.39, as if
they had arrived. It reads the reward off action and speed, and its members agree (`python -m runs.trust_rewards
../shared/data RESULTS by-hand-seed0-mean-action`; that model was fitted to train the study's policies).

On safety the simulator gives -100 above a speed that the log never reached. On both logs many of these policies truly
collect less a step than the worst reward of any row: a step that the log cannot vouch for counts as that worst reward,
which is far too good. No figure of such a log can tell; `--limits` can.
"""

CHOICE = """\
What to hold policies against was written down before it was counted. Of the logs that were looked at, none has a passed
test and a clone that is far off; the others were counted once. Where nobody is falsely called better, the fewest not
shown were to decide, which is what was measured alone, by one policy of 51. Both were taken all the same: what was
measured alone rests on the level of the estimate, where both sides can be wrong together, and calls far more policies
worse. One thing was changed after the first count: stretched intervals hid that the estimators contradict each other
(safety, iql after 8,000 updates, was called better and is worse), so that gate looks at those from the clone.
"""


def mended(logs: list[Log], groups: dict[str, list[Log]], frozen: dict[str, Thresholds]) -> str:
    """The section on what was wrong at first; the first count stands in it as it was, for that judge is gone."""
    by_name = {log.name: log for log in logs}
    return f"""## What was wrong at first

The other five logs were then judged once: the interval held the truth in 217 of all 270 pairs (109 of 135 on the logs
looked at, 108 on the others), and 36 of 85 better policies were not shown (27 of 51, and 9 of 34). Every estimate was
compared with its truth to see why, and two faults came to light.

{filled(_of_clone(by_name["halfcheetah-replay"]))}

{filled(_of_slope(by_name["hopper-medium"]))}

{trust_wrong.baselines(logs)}

The clone's columns are its estimated return of a window less what was measured; those of the policies are the median
distance of their estimates from their own true returns.

{CHOICE}
{trust_wrong.ways(groups, frozen)}

{filled(_cleanness(logs))}"""


def remaining(logs: list[Log], frozen: dict[str, Thresholds]) -> str:
    """The section on what is wrong still."""
    return f"""## Where it still goes wrong

{trust_wrong.kinds(logs, frozen)}

{WHY}
{filled(_withheld(logs, frozen))}

{trust_wrong.misses(logs, frozen)}

"Too high": the policy's return by the model, and by FQE, less its true one."""


def _of_clone(log: Log) -> str:
    error = log.judgement["baseline_error"]
    alone = trust_wrong.against(log, trust_wrong.WAYS["the clone's estimate alone"])
    missed = [pair for pair in alone.pairs if not pair.covered]
    below = sum(pair.truth < pair.evidence.difference.low for pair in missed)
    model, fqe = (median([abs(pair.too_high[place]) for pair in missed]) for place in (0, 1))
    own = 100 * float(np.median([pair.evidence.support for pair in missed]))
    usual, most = 100 * missed[0].evidence.baseline_support, number(max(pair.value for pair in missed))
    return (
        f"**The clone is not what made the log.** {log.name}'s test was passed, and {len(missed)} of its "
        f"{len(log.pairs)} intervals missed the truth, which lay below {below} of them. They are policies early in "
        f"training or made by hand that truly collect at most {most} a window, where the log collects "
        f"{number(log.judgement['measured'])}. Support was not what they lacked: the log vouched for {own:.0f} % of "
        f"their steps in the median ({usual:.0f} % of the baseline's), and their own returns were off by {model} (the "
        f"model) and {fqe} (FQE). The baseline was put {number(-error['model'])} and {number(-error['fqe'])} too low. "
        "A replay buffer is the work of many policies. Its clone does the mean of what they did, which collects less "
        "than they did on average; so every policy looked better by as much. The self-test could not see it: it "
        "predicts parts of the log, each by a clone of its own, and takes off what all of them miss alike. What the "
        "log collected is the one return that is measured, so the interval now holds the difference from it as well. "
        "No number had to be chosen, and as it only grows, no policy is called better or worse that was not called so "
        "before."
    )


def _of_slope(log: Log) -> str:
    measured = [fold["measured"] for fold in log.judgement["folds"]]
    model, fqe = (max(abs(pair.too_high[place]) for pair in log.pairs) for place in (0, 1))
    return (
        f"**A slope that was fitted to noise.** On {log.name} the model's returns are right within {number(model)} for "
        f"all {len(log.pairs)} policies (FQE's are off by up to {number(fqe)}), and 13 intervals missed. The parts of "
        f"this log return about the same, {number(min(measured))} to {number(max(measured))}; their predictions differ "
        "by noise, so least squares multiplied every difference by 0.40, the large ones of policies that fall over, "
        "too. Now a slope counts only where the predictions, corrected by it, explain something of what the parts "
        "differ by. That changes this log alone: its intervals hold the truth in "
        f"{sum(pair.covered for pair in log.pairs)} of {len(log.pairs)}."
    )


def _cleanness(logs: list[Log]) -> str:
    """How far the figures can be taken for a test."""
    return (
        "Both faults were found on logs that had been kept aside, with the truths of all ten on the table. No number "
        "was fitted to them, but the counts above are no clean test any more: only logs that nobody has judged yet can "
        f"say what {sum(pair.covered for log in logs for pair in log.pairs)} of "
        f"{sum(len(log.pairs) for log in logs)} is worth elsewhere."
    )


def _withheld(logs: list[Log], frozen: dict[str, Thresholds]) -> str:
    """What would come of giving no interval where nothing supports one."""
    passed = [log for log in logs if log.judgement["explained"] > 0]
    failed = [log for log in logs if log.judgement["explained"] <= 0]
    sums = totals(passed, frozen)
    lost = sum(pair.said(frozen[log.name]) != NOT_SHOWN for log in failed for pair in log.pairs)
    return (
        "One could give no interval where the test explained nothing. Of those that remain "
        f"{sums.covered} of {sums.pairs} would hold the truth, more than the 90 % that is promised, and of the "
        f"{sum(len(log.pairs) for log in failed)} policies on the other logs {lost} would lose a verdict other than "
        '"not shown". It would better the figure and hardly anything else. The intervals stay, and the page of such a '
        "log says that they can promise nothing."
    )
