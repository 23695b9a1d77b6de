"""Better, not shown, or worse: the gates that decide, each with its figure and what would change it.

"Not shown" is the default. "Worse" takes the whole interval below 0, and estimators that do not contradict each other;
"better" takes every gate that can be asked.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from micro_rl.core.wording import number
from micro_rl.reports.trust.record import BETTER, NOT_SHOWN, WORSE, Evidence, Gate, Interval, PolicyJudgement

NOT_ABOVE = "the lower end of the difference is not above 0"
"""The gate that a trial can pass in the log's place."""
NOTHING = "Its interval promises nothing: too many of its steps are unlike the log."


class Thresholds(NamedTuple):
    """What the gates ask for. Set on logs other than those that they are reported on (`runs/trust.py`)."""

    support: float = 0.8
    """Share of the policy's steps that the log can vouch for, over the same share of the baseline's."""
    correlation: float = 0.0
    """Of predicted and measured folds, where the folds differ by more than their own noise."""
    violations: float = 0.001
    """Share of steps that may break the limits beyond the log's own share."""


def gates(evidence: Evidence, thresholds: Thresholds) -> tuple[Gate, ...]:
    """Every gate, in the order of what a reader asks first."""
    asked = _gates(evidence, thresholds)
    return tuple(gate if gate.passed is None else gate._replace(passed=bool(gate.passed)) for gate in asked)


def decide(evidence: Evidence, asked: tuple[Gate, ...]) -> str:
    """The verdict."""
    if evidence.difference.high < 0 and not _contradict(evidence):
        return WORSE
    return BETTER if all(gate.passed is not False for gate in asked) else NOT_SHOWN


def worth_a_trial(evidence: Evidence, asked: tuple[Gate, ...]) -> bool:
    """Whether a trial is to be planned: nothing speaks against the policy but an interval that holds 0, if that."""
    failed = {gate.name for gate in asked if gate.passed is False}
    return failed <= {NOT_ABOVE} and evidence.difference.mean > 0


def standing(difference: Interval, explained: float) -> float:
    """What may be believed of a difference: its mean, less the part of its half width that the judge has not earned.

    Args:
        difference: policy less behaviour.
        explained: share of what the log's parts differ by that the judge predicted; below 0 it predicted nothing.
    """
    return difference.mean - (1 - max(0.0, explained)) * (difference.mean - difference.low)


def ranking(policies: Sequence[PolicyJudgement], explained: float) -> tuple[str, ...]:
    """Names, the best founded in front: better, not shown, worse, and within a verdict by standing."""

    def key(policy: PolicyJudgement) -> tuple[int, float]:
        return (BETTER, NOT_SHOWN, WORSE).index(policy.verdict), -standing(policy.difference, explained)

    return tuple(policy.name for policy in sorted(policies, key=key))


def sentence(verdict: str, evidence: Evidence, asked: tuple[Gate, ...]) -> str:
    """What a reader takes away."""
    low, high = number(evidence.difference.low), number(evidence.difference.high)
    if verdict == WORSE:
        return f"Worse: the difference lies between {low} and {high} a window."
    if verdict == BETTER:
        return f"Better by {low} to {high} a window, as far as the log can tell: try it, under watch."
    failed = [gate for gate in asked if gate.passed is False]
    unknown = "" if asked[0].passed else f" {NOTHING}"
    return f"Not shown to be better: {'; '.join(gate.name for gate in failed)}.{unknown}"


def _gates(evidence: Evidence, thresholds: Thresholds) -> Iterator[Gate]:
    e = evidence
    least = thresholds.support * e.baseline_support
    yield Gate(
        "the log vouches for too few of its steps" if e.support < least else "the log vouches for its steps",
        e.support >= least,
        f"{100 * e.support:.0f} % of steps, {100 * e.baseline_support:.0f} % of the baseline's",
        f"at least {100 * least:.0f} %",
        "stay nearer to the log: --bc-weight of a method with a model, or bc or iql; or log what it does there",
    )
    yield Gate(
        NOT_ABOVE if e.difference.low <= 0 else "the whole interval is above 0",
        e.difference.low > 0,
        f"{number(e.difference.mean)} [{number(e.difference.low)}, {number(e.difference.high)}]",
        "all above 0",
        "more episodes narrow the interval; more varied ones narrow it faster",
    )
    yield _agreement(e)
    worse = e.worst_tenth < e.baseline_worst_tenth - 2 * e.worst_tenth_error
    yield Gate(
        "its worst windows are worse than the log's" if worse else "its worst windows are no worse",
        not worse,
        f"{number(e.worst_tenth)} against {number(e.baseline_worst_tenth)}",
        "no lower than the behaviour's, but for noise",
        "look at where those windows begin, and log more episodes from there",
    )
    if e.violations is not None:
        allowed = e.log_violations + thresholds.violations
        yield Gate(
            "it breaks the limits" if e.violations > allowed else "it keeps the limits as often as the log",
            e.violations <= allowed,
            f"{100 * e.violations:.2f} % of steps",
            f"at most {100 * allowed:.2f} %",
            "let the reward count the limit, then train anew",
        )
    yield _tested(e, thresholds)


def _contradict(e: Evidence) -> bool:
    """Whether the estimators' intervals do not overlap."""
    return bool(e.fqe.low > e.model.high or e.fqe.high < e.model.low)


def _agreement(e: Evidence) -> Gate:
    apart = _contradict(e)
    model, fqe = (f"{number(own.mean)} [{number(own.low)}, {number(own.high)}]" for own in (e.model, e.fqe))
    return Gate(
        "the estimators contradict each other" if apart else "the estimators do not contradict each other",
        not apart,
        f"model {model}, FQE {fqe}",
        "intervals that overlap",
        "a longer log; a shorter --window, which both can follow",
    )


def _tested(e: Evidence, thresholds: Thresholds) -> Gate:
    if e.correlation is None:
        return Gate("parts of the log do not differ, so ranking them cannot be tested", None, "", "", "--groups COLUMN")
    failed = e.correlation < thresholds.correlation
    return Gate(
        "the judge does not rank the log's own parts" if failed else "the judge ranks parts of the log it did not see",
        not failed,
        f"correlation {e.correlation:.2f} over {e.folds} parts",
        f"at least {thresholds.correlation:.2f}",
        "more episodes, or --groups COLUMN that names who controlled",
    )
