"""The trust study's logs, by what was known of them while the judge was made, and the page's part of each."""

from pathlib import Path
from typing import NamedTuple

from micro_rl.trust.verdict import Thresholds
from runs import trust_table, trust_wrong
from runs.trust_pairs import Log, by_test, totals

NAMED = ("insulin", "inverted-pendulum", "pusher", "reactor")
"""Named before anything of them was made."""
EARLIER_LOGS = ("dmsd", "hopper-medium", "safety", "walker2d")
"""Whose record is an earlier judge's."""
NAMED_FIGURE, ANEW_FIGURE = Path("docs/results/trust-named.svg"), Path("docs/results/trust.svg")
OWN = """\
When these logs were named, and their simulators written (commit af2bfa6), no policy on any of them had been trained.
The present judge was settled without them; since then a rule was tried on them and
[taken out](#a-rule-that-was-taken-out) again, in view of what it did on all logs of this section and the next.

Two are plants of our own: a cooled reactor that is easily made to oscillate (`runs/reactor.py`) and a patient with an
insulin pump (`runs/insulin.py`), each under its controller with three operators' tunings. Two are what an online
learner saw in Gymnasium's tasks on its way to nine tenths of what it reached in 15,000 steps; how fast the pusher's
object moves is not observed, so its windows begin with the object at rest. A fifth, Ant-v4, was named and could not be
made: its learner had learned nothing in these steps.

![Every pair's interval beside the truth, on the logs that were named beforehand](trust-named.svg)

A line for each policy, the truly best on top: the dot is the true difference from what made the log, a window, the bar
the interval, green where the policy was called better, orange where worse, gray where nothing was shown, and pale where
the log vouches for too few of its steps. Wide bars leave the panel.
"""
ANEW = """\
The judge was made with these logs. For this count their policies were trained anew, and so were the logs that an
online learner makes.

Two tanks and a dryer are plants of our own under operators of different skill, hopper-replay and halfcheetah-replay are
D4RL's medium-replay logs, and the others are Gymnasium's tasks as an online learner saw them on its way.

![Every pair's interval beside the truth, on policies made anew](trust.svg)
"""
EARLIER = """\
These are of the judge before its [corrections](#what-a-review-found). Their policies are no more; to make and judge
them anew takes about an hour of a core each. walker2d's log is no more, either, and its recipe does not make it on
every processor: on this one the learner's best return was 382 where the log needs 400.
"""


class Groups(NamedTuple):
    """The study's logs: named beforehand, with policies made anew, and judged by an earlier judge."""

    named: list[Log]
    anew: list[Log]
    earlier: list[Log]


def grouped(logs: list[Log]) -> Groups:
    """Told apart by name."""
    named, earlier = ([log for log in logs if log.name in names] for names in (NAMED, EARLIER_LOGS))
    return Groups(named, [log for log in logs if log not in named and log not in earlier], earlier)


def shipped(logs: list[Log]) -> dict[str, Thresholds]:
    """What the command ships with, for every log: nothing is chosen."""
    return {log.name: Thresholds() for log in logs}


def sentence(logs: list[Log]) -> str:
    """All that is counted on them."""
    return totals(logs, shipped(logs)).sentence()


def sections(groups: Groups) -> str:
    """Their parts of the page."""
    parts = [
        _section("Logs that were named beforehand", OWN, groups.named),
        _section("Older logs with new policies", ANEW, groups.anew),
    ]
    if groups.earlier:
        parts.append(_section("Logs judged by an earlier judge", EARLIER, groups.earlier))
    return "\n\n".join(parts)


def _section(heading: str, about: str, logs: list[Log]) -> str:
    thresholds = shipped(logs)
    return f"""## {heading}

{about}
{by_test(logs, thresholds)}

{trust_table.of_logs(logs, thresholds)}

{trust_wrong.estimators(logs)}"""
