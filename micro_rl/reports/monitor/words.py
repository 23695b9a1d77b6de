"""What a record shows, in sentences: for the terminal and the page."""

from typing import NamedTuple

from micro_rl.core.wording import number, plural
from micro_rl.reports.monitor.findings import Drift, Findings
from micro_rl.reports.monitor.recorded import Recorded
from micro_rl.reports.trust.record import BETTER, NOT_SHOWN


class Obtained(NamedTuple):
    """The sequential test of the policy's windows, in plain values, and what was predicted of them.

    `predicted` is what the policy was expected to collect beyond the log in a window, and `by` who expected that; None
    where nobody did. `most` is how many windows the trial's plan has, None without a plan.
    """

    windows: int
    length: int
    baseline: float
    difference: float
    margin: float
    verdict: str
    decided_after: int | None
    predicted: float | None
    by: str
    most: int | None


def headline(findings: Findings, test: Obtained | None) -> str:
    """The whole in a line."""
    alarms = plural(len(findings.alarms), "alarm") if findings.alarms else "no alarm"
    drifted = [drift.name.partition(" [")[0] for drift in findings.drifts or () if drift.drifted]
    parts = [f"{plural(findings.steps, 'step')}, {alarms}"]
    if findings.drifts is not None:
        have = "has" if len(drifted) == 1 else "have"
        parts.append(f"{', '.join(drifted[:3])} {have} drifted" if drifted else "no drift")
    if test is not None:
        parts.append("better than what made the log" if test.verdict == BETTER else _undecided(test))
    return "; ".join(parts) + "."


def _undecided(test: Obtained) -> str:
    return "not decided yet" if test.verdict == NOT_SHOWN else "worse than what made the log"


def acted(findings: Findings) -> str:
    """Who acted, and for how long."""
    shares = (f"{who} {steps / findings.steps:.1%}" for who, steps in findings.who)
    return f"{plural(findings.steps, 'step')} in {plural(findings.episodes, 'episode')}: {', '.join(shares)}"


def guarded(findings: Findings, record: Recorded) -> str:
    """How often the guard minded, against how often it may."""
    if not findings.scored:
        return "there was no guard, or it could judge no step"
    text = f"{plural(findings.scored, 'step')} judged"
    if findings.above is None or record.last_limit is None:
        return text
    share = f"{findings.above / findings.scored:.1%} above the limit of {record.last_limit:.3g}"
    rate = "" if record.rate is None else f"; healthy steps of the log are so in {record.rate:.3%} of cases"
    return f"{text}, {share}{rate}"


def drifted(drift: Drift) -> str:
    """A column's drift."""
    if drift.missing == 1:
        return "no number at all"
    text = f"mean {drift.shift:+.2f} deviations, spread {drift.spread:.2f} of the log's, "
    text += f"index {drift.stability:.2f} (usual {drift.usual:.2f})"
    outside = f", {drift.outside:.1%} outside its range" if drift.outside else ""
    return text + outside + (f", {drift.missing:.1%} missing" if drift.missing else "")


def trial(test: Obtained | None, length: int | None) -> str:
    """What was obtained, what had been predicted, and what the test decides."""
    if test is None:
        window = "" if length is None else f" of {plural(length, 'step')}"
        return f"no window{window} in which the policy acted throughout and the reward is known"
    sign = "more" if test.difference >= 0 else "less"
    text = (
        f"{plural(test.windows, 'window')} of {plural(test.length, 'step')}, each {number(abs(test.difference))} "
        f"{sign} on average than what made the log ({number(test.baseline)}); decided once that is beyond "
        f"{number(test.margin)}"
    )
    if test.predicted is not None:
        text += f". Predicted by {test.by}: {number(abs(test.predicted))} {'more' if test.predicted >= 0 else 'less'}"
    return f"{text}. {_verdict(test)}"


def _verdict(test: Obtained) -> str:
    if test.verdict == NOT_SHOWN:
        left = "" if test.most is None else f", at most {max(0, test.most - test.windows):,} more by the trial's plan"
        return f"Not decided yet{left}"
    word = "better than what made the log" if test.verdict == BETTER else "worse than what made the log: stop"
    return f"It is {word}, decided after {plural(test.decided_after or test.windows, 'window')}"
