"""What is known of one policy: the difference by both estimators, and what both miss of the log's own return."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from micro_rl.reports.trust.record import BaselineError, Evidence, Interval, spanning, stretched
from micro_rl.trust.case import Case
from micro_rl.trust.difference import difference, spread, tail_error, worst_tenth
from micro_rl.trust.estimates import Estimates
from micro_rl.trust.places import common_windows
from micro_rl.trust.self_test import SelfTest

LEAVES = 0.8


class Standard(NamedTuple):
    """What policies are held against, and the self-tests: of the model, and of FQE.

    `error` is what the estimates of a clone miss of the log's return. Of a current policy that is not known; in its
    place `imitation` is what the network that stands for it collects beyond the policy itself, by FQE. `alone`: whether
    the model's interval decides without FQE's (`decides_alone`), which takes a test on parts of whole episodes.
    """

    baseline: Estimates
    error: BaselineError | None
    test: SelfTest
    fqe_test: SelfTest
    imitation: float | None = None
    alone: bool = False


def decides_alone(explained: float, fqe_explained: float) -> bool:
    """Whether the model's interval decides without FQE's, by what either explains of the parts that it did not see.

    It does where it explains something, and leaves at most `LEAVES` of what FQE leaves unexplained.
    """
    return explained > 0 and 1 - explained <= LEAVES * (1 - fqe_explained)


def baseline_error(case: Case, clone: Estimates) -> BaselineError:
    """What the estimates of the clone of what made the log miss of its return."""
    measured = float(case.layout.windows.returns.mean())
    return BaselineError(float(clone.model.total.mean()) - measured, float(clone.fqe.mean()) - measured)


def evidence_of(case: Case, policy: Estimates, standard: Standard, effective: float) -> Evidence:
    """What the gates look at; `effective` is the share of windows that importance weights leave after a step."""
    baseline, error, test, fqe_test, imitation, alone = standard
    slopes = test.slope, fqe_test.slope
    if imitation is not None:  # by either estimator as much, and in no need of a correction
        error, slopes = BaselineError(imitation, imitation), (1.0, 1.0)
    own, base, disjoint = policy.model, baseline.model, common_windows(case).disjoint
    apart = difference(own, base, case.window_rewards, test.slope, test.unexplained, test.width, disjoint)
    model = Interval(apart.mean, apart.low, apart.high)
    by_fqe = _interval(policy.fqe - baseline.fqe, fqe_test, disjoint)
    windows, usual = (np.asarray(collected.total).mean(0) for collected in (own, base))
    members = spread(test.slope * (np.asarray(own.total) - np.asarray(base.total)), disjoint)[0]
    return Evidence(
        difference=deciding(model, by_fqe, error, slopes, alone=alone),
        model=model,
        fqe=by_fqe,
        support=1 - float(own.unknown.sum() / own.lived.sum()),
        baseline_support=1 - float(base.unknown.sum() / base.lived.sum()),
        effective=effective,
        worst_tenth=float(worst_tenth(windows)),
        baseline_worst_tenth=float(worst_tenth(usual)),
        worst_tenth_error=float(np.hypot(np.hypot(members, test.unexplained), tail_error(windows, usual, disjoint))),
        deviation=apart.deviation,
        unknown_cost=apart.cost,
        unknown_gain=apart.gain,
        violations=float(own.violations.sum() / own.lived.sum()) if case.layout.limits else None,
        log_violations=case.log_violations,
        correlation=test.correlation if test.differ else None,
        folds=case.layout.folds.size,
    )


def deciding(
    model: Interval, by_fqe: Interval, error: BaselineError | None, slopes: tuple[float, float], *, alone: bool
) -> Interval:
    """The interval of the difference from what made the log, or from the current policy.

    An estimate of the policy less one of the clone is right where both are wrong by as much; the estimate of the
    policy less what the log measured is right where the clone's alone is wrong, as where the log is a mixture that no
    single policy earns the return of. Nothing tells which, so the interval spans both. So with the network that
    imitates a current policy, and that policy itself.

    Args:
        model: the policy less the clone, by the model.
        by_fqe: the same by FQE.
        error: what the clone's estimates miss of the log's return, or the imitation's of the policy's; None: nothing
            is known of it.
        slopes: what the model's differences are multiplied by, and FQE's.
        alone: whether the model's interval decides, which predicted parts of the log better than FQE did; else the
            interval spans both.
    """
    if error is not None:
        model, by_fqe = stretched(model, slopes[0] * error.model), stretched(by_fqe, slopes[1] * error.fqe)
    return model if alone else spanning(model, by_fqe)


def _interval(apart: Float[np.ndarray, "replica start"], test: SelfTest, disjoint: int) -> Interval:
    apart = test.slope * apart
    half, mean = test.width * float(np.hypot(np.hypot(*spread(apart, disjoint)), test.unexplained)), float(apart.mean())
    return Interval(mean, mean - half, mean + half)
