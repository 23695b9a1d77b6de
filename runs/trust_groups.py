"""The trust study's logs, by what was known of them when the judge got its last rule, and the page's part of each."""

from pathlib import Path
from typing import NamedTuple

from micro_rl.trust.verdict import Thresholds
from runs import trust_table, trust_wrong
from runs.trust_pairs import Log, by_test, totals

SETTLED = ("insulin", "inverted-pendulum", "pusher", "reactor")
"""On which the share of noise was settled. They were named before anything of them was made."""
SETTLED_FIGURE, ANEW_FIGURE = Path("docs/results/trust-settled.svg"), Path("docs/results/trust.svg")
ANEW = """\
The judge was made with these logs, long before its last rule, the [share of noise](#the-noise-of-rollouts). For this
count their policies were trained anew, and so were the logs that an online learner makes; the rule had been settled on
the logs of the next section, and each of these was then judged once. Nothing was changed since.

Two tanks and a dryer are plants of our own under operators of different skill, hopper-replay and halfcheetah-replay are
D4RL's medium-replay logs, and the others are Gymnasium's tasks as an online learner saw them on its way.

![Every pair's interval beside the truth](trust.svg)

A line for each policy, the truly best on top: the dot is the true difference from what made the log, a window, the bar
the interval, green where the policy was called better, orange where worse, gray where nothing was shown, and pale where
the log vouches for too few of its steps. Wide bars leave the panel.
"""
OWN = """\
When these logs were named, and their simulators written (commit af2bfa6), no policy on any of them had been trained.
They were judged before and after a second [review](#what-a-review-found), and nothing was tuned on them: of 42 worse
policies 0 were called better, of 61 better ones 27 were shown, 61 of 70 intervals held that the log vouches for (commit
6527dc8). On the same policies the share of noise was then settled, so that they are no clean test of it.

Two are plants of our own: a cooled reactor that is easily made to oscillate (`runs/reactor.py`) and a patient with an
insulin pump (`runs/insulin.py`), each under its controller with three operators' tunings. Two are what an online
learner saw in Gymnasium's tasks on its way to nine tenths of what it reached in 15,000 steps; how fast the pusher's
object moves is not observed, so its windows begin with the object at rest. A fifth, Ant-v4, was named and could not be
made: its learner had learned nothing in these steps.

![Every pair's interval beside the truth, on the logs that the last rule was settled on](trust-settled.svg)
"""
EARLIER = """\
These are of the judge before its [corrections](#what-a-review-found) and before the share of noise. Their policies are
no more; to make and judge them anew takes about an hour of a core each. walker2d's log is no more, either, and its
recipe does not make it on every processor: on this one the learner's best return was 382 where the log needs 400.
"""


class Groups(NamedTuple):
    """The study's logs: judged anew, settled on, and judged by an earlier judge."""

    anew: list[Log]
    settled: list[Log]
    earlier: list[Log]


def grouped(logs: list[Log]) -> Groups:
    """Told apart by name, and by whether the record knows a share of noise."""
    own, others = ([log for log in logs if (log.name in SETTLED) == once] for once in (True, False))
    anew, earlier = ([log for log in others if ("noise" in log.judgement) == once] for once in (True, False))
    return Groups(anew, own, earlier)


def shipped(logs: list[Log]) -> dict[str, Thresholds]:
    """What the command ships with, for every log: nothing is chosen."""
    return {log.name: Thresholds() for log in logs}


def sentence(logs: list[Log]) -> str:
    """All that is counted on them."""
    return totals(logs, shipped(logs)).sentence()


def sections(groups: Groups) -> str:
    """Their parts of the page."""
    parts = [
        _section("Logs judged once, after the last rule", ANEW, groups.anew),
        _section("Logs that the last rule was settled on", OWN, groups.settled),
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
