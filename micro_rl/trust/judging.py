"""Judge policies by a log: windows, folds, the judge and its calibration, the self-test, then every policy."""

import time
from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from micro_rl._version import __version__
from micro_rl.data import Dataset
from micro_rl.policy import Policy
from micro_rl.reports.trust.record import (
    BETTER,
    FoldTest,
    Interval,
    Judgement,
    PolicyJudgement,
    Trial,
)
from micro_rl.trust import trial, verdict
from micro_rl.trust.actors import Judged, judged
from micro_rl.trust.case import Case, prepare
from micro_rl.trust.current import Current, actions_of, imitate
from micro_rl.trust.estimates import Estimates, collect, common_starts, evaluate_by_fqe, pick, test_on_folds, weigh
from micro_rl.trust.evidence import Standard, baseline_error, evidence_of
from micro_rl.trust.layout import lay_out
from micro_rl.trust.options import Options, Progress
from micro_rl.trust.verdict import Thresholds

FEWEST_EFFECTIVE = 30
"""Windows that importance weights must leave at a window's end for an estimate by them."""


class Baseline(NamedTuple):
    """What policies are compared with, what it is called, and the current policy that it imitates, if it does."""

    actor: Judged
    name: str
    current: Current | None = None


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
    actors = [judged(policy, layout.scaling, layout.dataset.history, name) for name, policy in policies.items()]
    current = None if options.current is None else actions_of(options.current, layout.dataset, layout.rows)
    case = prepare(layout, options, progress)
    baseline = _baseline(case, current)
    starts = common_starts(case)
    every = [baseline.actor, *actors]
    collected = []
    for number, actor in enumerate(every):
        progress("rollouts of every policy", 0.6 + 0.15 * number / len(every))
        collected.append(collect(case, actor, starts))
    test = test_on_folds(case, progress)
    progress("fitted Q evaluation", 0.8)
    values = evaluate_by_fqe(case, every, starts, baseline.current)
    imitation = None if current is None else float((values[0] - values.pop()).mean())
    estimates = [Estimates(*pair) for pair in zip(collected, values, strict=True)]
    error = baseline_error(case, estimates[0]) if current is None else None
    standard = Standard(estimates[0], error, test, imitation)
    judgements = [
        _judgement(case, name, actor, own, standard, options.thresholds)
        for name, actor, own in zip(policies, actors, estimates[1:], strict=True)
    ]
    progress("done", 1.0)
    return _whole(case, options, baseline.name, standard, judgements, time.monotonic() - began)


def _baseline(case: Case, current: Float[np.ndarray, "row act"] | None) -> Baseline:
    if current is None:
        return Baseline(pick(case.clones, 0), "a clone of what made the log, with its noise")
    key = jax.random.fold_in(case.key, 2)
    imitated = imitate(current, case.layout.rows, case.judge.scaling, key, case.effort.clone_updates)
    return Baseline(
        imitated.net,
        "your current policy, by a network that imitates it; it misses its actions by "
        f"{100 * imitated.error:.0f} % of their spread",
        imitated,
    )


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
        trial=_trial(case, evidence.difference) if decided == BETTER else None,
    )


def _trial(case: Case, apart: Interval) -> Trial:
    """The trial that shows half of what is expected, or what is sure where that is more."""
    returns = case.layout.windows.returns
    return trial.plan(max(apart.low, apart.mean / 2), float(returns.mean()), float(returns.std(ddof=1)))


def _whole(
    case: Case,
    options: Options,
    baseline: str,
    standard: Standard,
    policies: list[PolicyJudgement],
    seconds: float,
) -> Judgement:
    estimates, error, test, imitation = standard
    counts = [int((case.layout.fold == number).sum()) for number in range(case.layout.folds.size)]
    figures = zip(test.predicted.tolist(), test.measured.tolist(), test.deviation.tolist(), strict=True)
    parts = zip(case.layout.folds.names, figures, counts, strict=True)
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
        reward_range=case.raw_rewards,
        folds=tuple(FoldTest(name, *row, windows) for name, row, windows in parts),
        folds_made=case.layout.folds.made,
        level=test.level,
        slope=test.slope,
        unexplained=test.unexplained,
        width=test.width,
        explained=test.explained,
        correlation=test.correlation,
        coverage=case.coverage,
        known_windows=float((estimates.model.unknown == 0).mean()),
        baseline=baseline,
        limits=tuple(limit.text for limit in options.limits),
        log_violations=case.log_violations,
        policies=tuple(policies),
        ranking=verdict.ranking(policies, test.explained),
        notes=(*case.layout.dataset.notes, *filter(None, [case.layout.held])),
        seconds=seconds,
        version=__version__,
    )
