"""Judge policies by a log: windows, folds, the judge and its calibration, the self-test, then every policy."""

import time
from collections.abc import Mapping

from micro_rl._version import __version__
from micro_rl.data import Dataset
from micro_rl.data.stretches import alike
from micro_rl.policy import Policy
from micro_rl.reports.trust.record import (
    Evidence,
    FoldTest,
    Judgement,
    PolicyJudgement,
    Trial,
)
from micro_rl.trust import trial, verdict
from micro_rl.trust.actors import Judged, judged
from micro_rl.trust.case import Case
from micro_rl.trust.estimates import Estimates, weigh
from micro_rl.trust.evidence import Standard, evidence_of
from micro_rl.trust.layout import lay_out
from micro_rl.trust.options import Options, Progress
from micro_rl.trust.self_test import SelfTest
from micro_rl.trust.verdict import Thresholds
from micro_rl.trust.yardstick import Yardstick, measure

FEWEST_EFFECTIVE = 30
"""Windows that importance weights must leave at a window's end for an estimate by them."""


def judge_policies(
    dataset: Dataset,
    policies: Mapping[str, Policy],
    options: Options | None = None,
    progress: Progress = lambda *_: None,
) -> Judgement:
    """Say of every policy whether it is better than what made the log, and how sure that is.

    Args:
        dataset: the log, single observations.
        policies: by name; their histories may differ.
        options: window, groups, limits, seed.
        progress: sees how far it is.

    Returns:
        The judgement, raw units.

    Raises:
        UserError: too few windows or groups, a policy with other columns, a constant reward, in one line.
    """
    began, options = time.monotonic(), options or Options()
    layout = lay_out(dataset, max(policy.history for policy in policies.values()), options)
    actors = {name: judged(policy, layout.scaling, layout.dataset.history, name) for name, policy in policies.items()}
    yardstick, estimates = measure(layout, actors, options, progress)
    progress("done", 1.0)
    digests = {name: policy.sha256 for name, policy in policies.items()}
    return conclude(yardstick, actors, estimates, options, time.monotonic() - began, digests)


def conclude(
    yardstick: Yardstick,
    actors: Mapping[str, Judged],
    estimates: Mapping[str, Estimates],
    options: Options,
    seconds: float,
    digests: Mapping[str, str],
    *,
    widening: float = 1.0,
) -> Judgement:
    """Make the judgement of what was estimated.

    Args:
        yardstick: what they were measured by.
        actors: the policies, by name.
        estimates: of each.
        options: as the yardstick was made by.
        seconds: that it took.
        digests: of the policies' files, by name.
        widening: half widths are multiplied by it (`best_of`).
    """
    case, standard = yardstick.case, yardstick.standard
    test, fqe_test = (own._replace(width=widening * own.width) for own in (standard.test, standard.fqe_test))
    standard = standard._replace(test=test, fqe_test=fqe_test)
    judgements = [
        _judgement(case, name, actor, estimates[name], standard, options.thresholds)._replace(sha256=digests[name])
        for name, actor in actors.items()
    ]
    whole = _whole(case, options, yardstick.baseline.name, standard, judgements, seconds)
    return whole._replace(widening=widening)


def _judgement(
    case: Case,
    name: str,
    actor: Judged,
    policy: Estimates,
    standard: Standard,
    thresholds: Thresholds,
) -> PolicyJudgement:
    weighted, windows = weigh(case, actor)
    evidence = evidence_of(case, policy, standard, weighted.first / windows)
    gates = verdict.gates(evidence, thresholds)
    decided = verdict.decide(evidence, gates)
    return PolicyJudgement(
        name=name,
        verdict=decided,
        sentence=verdict.sentence(decided, evidence, gates),
        gates=gates,
        evidence=evidence,
        value=float(policy.model.total.mean()),
        baseline=float(standard.baseline.model.total.mean()),
        fqe_value=float(policy.fqe.mean()),
        importance=weighted.value if weighted.last >= FEWEST_EFFECTIVE else None,
        effective_first=weighted.first,
        effective_last=weighted.last,
        trial=_trial(case, standard, evidence) if verdict.worth_a_trial(evidence, gates) else None,
    )


def _trial(case: Case, standard: Standard, evidence: Evidence) -> Trial | None:
    """The trial that shows the gain it is planned for; None where all windows of the log bring the same.

    What a current policy collects was not measured: its estimate, as if true, takes the place of what the log did.
    """
    windows = case.layout.windows
    deviation = trial.effective(windows.deviation, alike(case.layout.dataset, windows))
    if not deviation:
        return None
    if standard.error is None:
        return trial.plan(evidence.gain, float(standard.baseline.model.total.mean()), deviation)
    of_mean = deviation / windows.disjoint**0.5
    return trial.plan(evidence.gain, float(windows.returns.mean()), deviation, baseline_deviation=of_mean)


def _whole(
    case: Case,
    options: Options,
    baseline: str,
    standard: Standard,
    policies: list[PolicyJudgement],
    seconds: float,
) -> Judgement:
    estimates, error, test, fqe_test, imitation, alone = standard
    return Judgement(
        log=case.layout.dataset.name,
        sha256=case.layout.dataset.sha256,
        window=case.layout.windows.length,
        window_reason=case.layout.reason,
        windows=case.layout.windows.disjoint,
        measured=float(case.layout.windows.returns.mean()),
        measured_deviation=case.layout.windows.mean_deviation,
        baseline_error=error,
        imitation_error=imitation,
        window_rewards=case.window_rewards,
        folds=_parts(case, test),
        folds_made=case.layout.folds.made,
        level=test.level,
        slope=test.slope,
        unexplained=test.unexplained,
        width=test.width,
        explained=test.explained,
        fqe_explained=fqe_test.explained,
        fqe_slope=fqe_test.slope,
        fqe_unexplained=fqe_test.unexplained,
        alone=alone,
        correlation=test.correlation,
        coverage=case.coverage,
        known_windows=float((estimates.model.unknown == 0).mean()),
        baseline=baseline,
        limits=tuple(limit.text for limit in options.limits),
        log_violations=case.log_violations,
        policies=tuple(policies),
        ranking=verdict.ranking(policies, test.explained),
        notes=(*case.layout.dataset.notes, *filter(None, [case.layout.held, case.by_formula])),
        seconds=seconds,
        version=__version__,
    )


def _parts(case: Case, test: SelfTest) -> tuple[FoldTest, ...]:
    """The parts of the log, as predicted and as measured."""
    counts = [int((case.layout.fold == number).sum()) for number in range(case.layout.folds.size)]
    figures = zip(test.predicted.tolist(), test.measured.tolist(), test.deviation.tolist(), strict=True)
    return tuple(
        FoldTest(name, *row, windows)
        for name, row, windows in zip(case.layout.folds.names, figures, counts, strict=True)
    )
