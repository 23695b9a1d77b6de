"""A judgement made by hand."""

from micro_rl.reports.trust.record import (
    BaselineError,
    Evidence,
    FoldTest,
    Interval,
    Judgement,
    PolicyJudgement,
)
from micro_rl.trust import trial, verdict
from micro_rl.trust.verdict import Thresholds


def evidence(low: float, high: float, **changes) -> Evidence:
    """All that is asked for, and a difference between these ends."""
    own = Interval((low + high) / 2, low, high)
    whole = Evidence(
        difference=own,
        model=own,
        fqe=own,
        support=0.95,
        baseline_support=0.97,
        effective=0.2,
        worst_tenth=-3.0,
        baseline_worst_tenth=-4.0,
        worst_tenth_error=0.0,
        deviation=0.1,
        unknown_cost=0.0,
        unknown_gain=0.0,
        violations=None,
        log_violations=0.0,
        correlation=0.9,
        folds=10,
    )
    return whole._replace(**changes)


def judged(name: str, found: Evidence) -> PolicyJudgement:
    """What the gates make of it."""
    gates = verdict.gates(found, Thresholds())
    decided = verdict.decide(found, gates)
    planned = trial.plan(found.gain, -10.0, 2.0) if verdict.worth_a_trial(found, gates) else None
    return PolicyJudgement(
        name,
        decided,
        verdict.sentence(decided, found, gates),
        gates,
        found,
        -8.0,
        -10.0,
        -8.1,
        None,
        90.0,
        1.2,
        planned,
    )


def judgement(*policies: PolicyJudgement) -> Judgement:
    """Of a log with ten parts."""
    folds = tuple(FoldTest(f"block {n}", -10.0 - n, -10.1 - n, 0.3, 30) for n in range(10))
    return Judgement(
        log="pump",
        sha256="0" * 64,
        window=50,
        window_reason="as asked for",
        windows=300,
        measured=-10.0,
        measured_deviation=0.2,
        baseline_error=BaselineError(-0.5, 1.5),
        imitation_error=None,
        window_rewards=(-2.0, 0.0),
        folds=folds,
        folds_made="blocks of rows in the log's order",
        level=0.9,
        slope=1.0,
        unexplained=0.0,
        width=1.64,
        explained=0.95,
        fqe_explained=0.6,
        fqe_slope=1.0,
        fqe_unexplained=0.0,
        alone=True,
        correlation=0.98,
        coverage=0.989,
        known_windows=0.94,
        baseline="clones of what made the log, part by part, with their noise",
        limits=("level <= 3.2",),
        log_violations=0.001,
        policies=policies,
        ranking=verdict.ranking(policies, 0.95),
        notes=("a column stands still",),
        seconds=200.0,
        version="0",
    )
