"""What a judgement found, in plain values: what the page shows, the terminal prints and JSON holds. Raw units."""

from typing import Any, NamedTuple

BETTER, NOT_SHOWN, WORSE = "better", "not shown", "worse"


def spanning(first: "Interval", second: "Interval") -> "Interval":
    """The interval that holds both, around the mean of their means."""
    return Interval((first.mean + second.mean) / 2, min(first.low, second.low), max(first.high, second.high))


def stretched(interval: "Interval", error: float) -> "Interval":
    """The interval that holds this one and itself shifted by the error, around the same mean."""
    return interval._replace(low=interval.low + min(0.0, error), high=interval.high + max(0.0, error))


class Gate(NamedTuple):
    """Something that must hold before a policy is called better; `passed` is None where it could not be asked."""

    name: str
    passed: bool | None
    figure: str
    wanted: str
    remedy: str


class Interval(NamedTuple):
    """A difference per window, policy less behaviour, with its interval."""

    mean: float
    low: float
    high: float


class Evidence(NamedTuple):
    """What is known of one policy and what it is compared with, raw units a window.

    `model` and `fqe` are the difference by each estimator; `difference`, which decides, is the model's interval where
    that predicts parts of the log better (`Judgement.alone`), else it spans both, each stretched by what its estimator
    misses of the log's own return, or what an imitation misses of a current policy's.
    `unknown_cost` and `unknown_gain` are what the interval was widened by, down and up, for steps that the log cannot
    vouch for, beyond those of the baseline. `worst_tenth_error` is the standard error of the difference of the two
    worst tenths: over starts, over members, and of what nobody explains. `violations` is None without limits,
    `correlation` (of predicted and measured parts of the log) where the parts do not differ.
    """

    difference: Interval
    model: Interval
    fqe: Interval
    support: float
    baseline_support: float
    effective: float
    worst_tenth: float
    baseline_worst_tenth: float
    worst_tenth_error: float
    deviation: float
    unknown_cost: float
    unknown_gain: float
    violations: float | None
    log_violations: float
    correlation: float | None
    folds: int

    @property
    def gain(self) -> float:
        """What a trial is planned to show: half of what is expected, or what is sure where that is more."""
        return max(self.difference.low, self.difference.mean / 2)


class Trial(NamedTuple):
    """How to try a policy under watch: windows, the test that decides at any time, and when to stop.

    `deviation` is a window's, the greater the more windows of the log are like the ones before (`trial.effective`).
    `baseline_deviation` is that of the baseline as a mean of the log's windows, 0 where an estimate is the baseline.
    """

    most_windows: int
    alpha: float
    baseline: float
    deviation: float
    decide: tuple[tuple[int, float], ...]
    """After so many windows the mean must lie so far above the baseline; or, below it, the trial is stopped."""
    baseline_deviation: float = 0.0

    def shows(self, gain: float) -> bool:
        """Whether so many windows are enough to show a gain."""
        return self.decide[-1][1] <= gain


class PolicyJudgement(NamedTuple):
    """One policy: the verdict, what decided it, and the figures of every estimator, a window's return each.

    `trial` is None where something other than an interval that holds 0 speaks against the policy, or where it cannot be
    planned. `sha256` is the digest of its file (`Policy.sha256`), empty where the judgement was made without.
    """

    name: str
    verdict: str
    sentence: str
    gates: tuple[Gate, ...]
    evidence: Evidence
    value: float
    baseline: float
    fqe_value: float
    importance: float | None
    effective_first: float
    effective_last: float
    trial: Trial | None
    sha256: str = ""

    @property
    def difference(self) -> Interval:
        """The one that decides."""
        return self.evidence.difference


class FoldTest(NamedTuple):
    """A part of the log that the judge did not see: its return as predicted and as measured."""

    name: str
    predicted: float
    measured: float
    deviation: float
    windows: int


class BaselineError(NamedTuple):
    """A window's return of the clones of what made the log, as estimated, less what the log measured."""

    model: float
    fqe: float


class Judgement(NamedTuple):
    """All of it. `baseline_error` is None against a current policy, whose return was not measured.

    `imitation_error` is then what the network that stands for it collects in a window beyond the policy itself, by FQE.
    """

    log: str
    sha256: str
    window: int
    window_reason: str
    windows: int
    measured: float
    measured_deviation: float
    baseline_error: BaselineError | None
    imitation_error: float | None
    window_rewards: tuple[float, float]
    """The mean reward a step of the log's worst window and of its best, as which unknown steps count."""
    folds: tuple[FoldTest, ...]
    folds_made: str
    level: float
    slope: float
    unexplained: float
    width: float
    explained: float
    fqe_explained: float
    fqe_slope: float
    fqe_unexplained: float
    alone: bool
    """Whether the model's interval decides without FQE's."""
    correlation: float
    coverage: float
    known_windows: float
    baseline: str
    limits: tuple[str, ...]
    log_violations: float
    policies: tuple[PolicyJudgement, ...]
    ranking: tuple[str, ...]
    """The policies' names, the one to look at first in front."""
    notes: tuple[str, ...]
    seconds: float
    version: str
    widening: float = 1.0
    """What half widths were multiplied by so that all intervals hold at once; 1 where each is for itself."""

    @property
    def opponent(self) -> str:
        """What policies are compared with."""
        return "your current policy" if self.baseline_error is None else "what made the log"

    @property
    def ranked(self) -> list[PolicyJudgement]:
        """The policies in the order of the ranking."""
        return sorted(self.policies, key=lambda policy: self.ranking.index(policy.name))


def plain(value: Any) -> Any:
    """A judgement as JSON holds it: tuples with names become objects, others lists, NumPy's numbers Python's."""
    if hasattr(value, "_asdict"):
        return {key: plain(part) for key, part in value._asdict().items()}
    if hasattr(value, "item"):
        return value.item()
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value
