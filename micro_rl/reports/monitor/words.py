"""What a record shows, in sentences: for the terminal and the page."""

import math
from typing import NamedTuple

from micro_rl.core.wording import number, plural
from micro_rl.reports.monitor.drift import Drift
from micro_rl.reports.monitor.findings import Findings
from micro_rl.reports.monitor.prediction import Prediction
from micro_rl.reports.monitor.recorded import Recorded
from micro_rl.reports.trust.record import BETTER, NOT_SHOWN
from micro_rl.reports.trust.watched import ABOVE, CONSISTENT, FALLS_SHORT, Held


class Obtained(NamedTuple):
    """The sequential tests of the policy's windows, in plain values: against the log, and against what was predicted.

    `spread` is the windows' deviation over that of the log's windows, None of a single one. `most` is how many windows
    the trial's plan has, None without a plan. `prediction` and how it was `held` are None where nobody predicted
    anything of this policy and of windows so long.
    """

    windows: int
    length: int
    baseline: float
    difference: float
    margin: float
    verdict: str
    decided_after: int | None
    spread: float | None
    most: int | None
    prediction: Prediction | None = None
    held: Held | None = None


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
    if test is not None and test.held is not None and test.held.outcome != CONSISTENT:
        parts.append("falls short of the prediction" if test.held.outcome == FALLS_SHORT else "above the prediction")
    return "; ".join(parts) + "."


def _undecided(test: Obtained) -> str:
    return "against the log not decided yet" if test.verdict == NOT_SHOWN else "worse than what made the log"


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
    outside = f", {drift.outside:.1%} outside its range (usual {drift.usual_outside:.1%})" if drift.outside else ""
    return text + outside + (f", {drift.missing:.1%} missing" if drift.missing else "")


def trial(test: Obtained | None, length: int | None) -> str:
    """What was obtained beyond the log, and what the test decides."""
    if test is None:
        window = "" if length is None else f" of {plural(length, 'step')}"
        return f"no window{window} in which the policy acted throughout and the reward is known"
    spread = "" if test.spread is None else f", {number(test.spread)} times as spread as the log's"
    return (
        f"{plural(test.windows, 'window')} of {plural(test.length, 'step')}{spread}, each {_more(test.difference)} "
        f"on average than what made the log ({number(test.baseline)}); {_decided(test)}"
    )


def _decided(test: Obtained) -> str:
    """What decides, and what it says; nothing does where the margin is infinite."""
    if not math.isfinite(test.margin):
        return (
            "not decided: too few windows of the log differ to tell how spread they are. A longer --window lets "
            "rewards that are seldom given differ, a shorter one leaves more windows"
        )
    return f"decided once that is beyond {number(test.margin)}. {_verdict(test)}"


def against_prediction(test: Obtained) -> str | None:
    """How the windows stand to what was predicted; None where nothing was."""
    if test.prediction is None or test.held is None:
        return None
    told, held = test.prediction, test.held
    outcome = {CONSISTENT: "consistent so far with", FALLS_SHORT: "falls short of", ABOVE: "above"}[held.outcome]
    shown = "" if held.decided_after is None else f"shown after {plural(held.decided_after, 'window')}; "
    return (
        f"{outcome} what {told.by} predicted{told.caution}, {_more(told.mean)} than the log ({signed(told.low)} to "
        f"{signed(told.high)}): {shown}after {plural(test.windows, 'window')} it may be anything from "
        f"{signed(held.lowest)} to {signed(held.highest)}"
    )


def signed(value: float) -> str:
    """A difference with its sign."""
    return f"+{number(value)}" if value > 0 else number(value)


def _more(difference: float) -> str:
    return f"{number(abs(difference))} {'more' if difference >= 0 else 'less'}"


def _verdict(test: Obtained) -> str:
    if test.verdict == NOT_SHOWN:
        left = "" if test.most is None else f", at most {max(0, test.most - test.windows):,} more by the trial's plan"
        return f"Not decided yet{left}"
    word = "better than what made the log" if test.verdict == BETTER else "worse than what made the log: stop"
    return f"It is {word}, decided after {plural(test.decided_after or test.windows, 'window')}"
