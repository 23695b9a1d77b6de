"""The pairs of the trust study: what was judged beside what is true, and what is counted over them."""

import textwrap
from typing import Any, NamedTuple

import numpy as np

from micro_rl.reports.trust.record import BETTER, BaselineError, Evidence, Interval
from micro_rl.trust import verdict
from micro_rl.trust.verdict import Thresholds
from runs.records import recorded
from runs.trust import STUDY

CANDIDATES = [Thresholds(support=support) for support in (0.8, 0.9, 0.95, 0.7, 0.5, 0.0)]


class Pair(NamedTuple):
    """A policy on a log: what the judge found, what is true (with its standard error), what the critics said.

    `value` is its true return of a window; `too_high` is by how much the model and FQE put it above that.
    """

    name: str
    evidence: Evidence
    truth: float
    error: float
    critics: float | None
    value: float
    too_high: tuple[float, float]

    def said(self, thresholds: Thresholds) -> str:
        """The verdict."""
        return verdict.decide(self.evidence, verdict.gates(self.evidence, thresholds))

    @property
    def covered(self) -> bool:
        """Whether the interval holds what was measured, but for two standard errors of the measurement."""
        return self.within(self.evidence.difference)

    def within(self, interval: Interval) -> bool:
        """Whether the truth is in there, but for two standard errors."""
        return interval.low - 2 * self.error <= self.truth <= interval.high + 2 * self.error

    def vouched_for(self, thresholds: Thresholds) -> bool:
        """Whether the log vouches for enough of its steps."""
        return self.evidence.support >= thresholds.support * self.evidence.baseline_support

    @property
    def truly(self) -> int:
        """1 where it is better beyond two standard errors, -1 where it is worse, else 0."""
        return int(self.truth > 2 * self.error) - int(self.truth < -2 * self.error)


class Log(NamedTuple):
    """A log's pairs, and what the judge found of the log itself."""

    name: str
    judgement: dict[str, Any]
    pairs: list[Pair]

    @property
    def error(self) -> BaselineError:
        """What the estimates of the clones miss of the log's return."""
        return BaselineError(**self.judgement["baseline_error"])

    @property
    def alone(self) -> bool:
        """Whether the model's interval decides without FQE's."""
        return self.judgement["alone"]

    @property
    def half_width(self) -> float:
        """Of the intervals, their median, as a share of what the true differences range over."""
        ranged = np.ptp([0.0, *(pair.truth for pair in self.pairs)])
        widths = [pair.evidence.difference.high - pair.evidence.difference.low for pair in self.pairs]
        return float(np.median(widths) / 2 / ranged)


def judged_logs() -> list[Log]:
    """The recorded logs."""
    return [log_of(name, cell["figures"]) for name, cell in recorded(STUDY).items()]


def log_of(name: str, figures: dict[str, Any]) -> Log:
    """A log of its recorded figures."""
    return Log(name, figures, _pairs(figures["pairs"]))


def _pairs(listed: dict[str, dict[str, Any]]) -> list[Pair]:
    pairs = []
    for name, own in listed.items():
        evidence = dict(own["evidence"])
        for part in ("difference", "model", "fqe"):
            evidence[part] = Interval(**evidence[part])
        too_high = own["value"] - own["true_value"], own["fqe_value"] - own["true_value"]
        found = Evidence(**evidence), own["truth"], own["truth_error"], own["critics"], own["true_value"], too_high
        pairs.append(Pair(name, *found))
    return pairs


def chosen(others: list[Log]) -> Thresholds:
    """The candidate that does best on these logs."""
    pairs = [pair for log in others for pair in log.pairs]

    def faults(thresholds: Thresholds) -> tuple[int, int]:
        said = [(pair.truly, pair.said(thresholds)) for pair in pairs]
        return (
            sum(truly < 0 and word == BETTER for truly, word in said),
            sum(truly > 0 and word != BETTER for truly, word in said),
        )

    return min(CANDIDATES, key=faults) if pairs else Thresholds()


class Totals(NamedTuple):
    """What is counted over several logs."""

    logs: int
    pairs: int
    covered: int
    vouched_for: int
    vouched_and_covered: int
    worse: int
    false: int
    better: int
    silent: int

    def sentence(self) -> str:
        """All of it."""
        return (
            f"of {self.worse} policies that are worse (beyond two standard errors) {self.false} "
            f"{'was' if self.false == 1 else 'were'} called better; of {self.better} that are better {self.silent} "
            "were not shown to be. The 90 % interval of the difference "
            f"holds the truth, but for two standard errors of the measurement, in {self.vouched_and_covered} of "
            f"{self.vouched_for} pairs where the log vouches for the policy's steps, and in "
            f"{self.covered - self.vouched_and_covered} of {self.pairs - self.vouched_for} others, for which it "
            "promises nothing."
        )


def totals(logs: list[Log], frozen: dict[str, Thresholds]) -> Totals:
    """Count over these logs."""
    every = [(pair, pair.said(frozen[log.name])) for log in logs for pair in log.pairs]
    worse = [word for pair, word in every if pair.truly < 0]
    better = [word for pair, word in every if pair.truly > 0]
    vouched = [pair for log in logs for pair in log.pairs if pair.vouched_for(frozen[log.name])]
    return Totals(
        len(logs),
        len(every),
        sum(pair.covered for pair, _ in every),
        len(vouched),
        sum(pair.covered for pair in vouched),
        len(worse),
        worse.count(BETTER),
        len(better),
        len(better) - better.count(BETTER),
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def filled(paragraphs: str) -> str:
    """Paragraphs in lines of 120 characters."""
    return "\n\n".join(textwrap.fill(part, 120, break_on_hyphens=False) for part in paragraphs.split("\n\n"))


def by_test(logs: list[Log], frozen: dict[str, Thresholds]) -> str:
    """Apart by whether the judge passed its own test, which is known without any truth."""
    passed = [log for log in logs if log.judgement["explained"] > 0]
    failed = [log for log in logs if log.judgement["explained"] <= 0]
    return "\n\n".join(
        filled(
            f"Where the judge's test on the log's own parts explained {what} ({', '.join(log.name for log in group)}): "
            f"{totals(group, frozen).sentence()}"
        )
        for what, group in (("something", passed), ("nothing", failed))
        if group
    )
