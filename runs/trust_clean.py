"""The trust study's logs that nobody had looked at when the judge's rules were made."""

from pathlib import Path

from micro_rl.trust.verdict import Thresholds
from runs import trust_table, trust_wrong
from runs.trust_pairs import Log, Totals, by_test, totals

FIGURE = Path("docs/results/trust-clean.svg")
HOW = """\
These logs were named, and their simulators written (commit af2bfa6), before a policy on any of them had been trained.
Before one was judged the judge was corrected, by what a review of its code found (below), without a look at them, and
one refusal was mended: every step of the balanced pendulum is paid 1, and the judge would not look at such a log,
though whoever falls later collects more (commit 76aef27). They were then counted: of 42 worse policies 0 were called
better, of 61 better ones 33 were not shown, 61 of 70 intervals held that the log vouches for (this record at commit
2e98f11). A second review of the code found that a sample of windows counted for as little as half of what it tells;
with that mended (commit 6527dc8) they were judged again, which is what stands here. Nothing else was changed, and
nothing was tuned.

Two are plants of our own: a cooled reactor that is easily made to oscillate (`runs/reactor.py`) and a patient with an
insulin pump (`runs/insulin.py`), each under its controller with three operators' tunings. Two are what an online
learner saw in Gymnasium's tasks on its way to nine tenths of what it reached in 15,000 steps; how fast the pusher's
object moves is not observed, so its windows begin with the object at rest. A fifth, Ant-v4, was named and could not be
made: its learner had learned nothing in these steps.
"""


def shipped(logs: list[Log]) -> dict[str, Thresholds]:
    """What the command ships with, for every log: nothing is chosen."""
    return {log.name: Thresholds() for log in logs}


def sums(logs: list[Log]) -> Totals:
    """All that is counted on them."""
    return totals(logs, shipped(logs))


def section(logs: list[Log]) -> str:
    """Their part of the page."""
    thresholds = shipped(logs)
    return f"""## Logs that nobody had looked at

{HOW}
![Every pair's interval beside the truth, on the logs that nobody had looked at](trust-clean.svg)

A line for each policy, the truly best on top: the dot is the true difference from what made the log, a window, the bar
the interval, green where the policy was called better, orange where worse, gray where nothing was shown, and pale where
the log vouches for too few of its steps. Wide bars leave the panel.

{by_test(logs, thresholds)}

{trust_table.of_logs(logs, thresholds)}

{trust_wrong.estimators(logs)}

Where the interval misses the truth:

{trust_wrong.misses(logs, thresholds)}"""
