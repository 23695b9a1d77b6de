"""Intervals that hold for all policies at once, and so for the one that is chosen because it looks best.

Of many policies the one with the highest estimate is likely to be one whose error was kind: the winner's curse. An
interval that misses one policy in ten misses the chosen one more often. The half widths are therefore multiplied by
what the largest of all errors, in deviations of its own policy, has over the error of a single one (max-t intervals;
Hothorn, Bretz and Westfall, Biometrical Journal 2008). Errors that policies share, since the same members judge them
from the same starts, count once.
"""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Float64

from micro_rl.trust.evidence import Standard
from micro_rl.trust.rollouts import Collected
from micro_rl.trust.self_test import LEVEL

DRAWS = 20_000


def widening_of(
    collected: Sequence[Collected],
    values: Sequence[Float[np.ndarray, "replica start"]],
    standard: Standard,
    disjoint: int,
) -> float:
    """What intervals are widened by to hold for all policies that were looked at, by the estimators that decide.

    Args:
        collected: of every policy that could have been chosen, by the model.
        values: of every policy that FQE was asked about.
        standard: the baseline and the self-test.
        disjoint: of the windows that they were looked at in, how many do not overlap.
    """
    by_model = np.stack([np.asarray(own.total) for own in collected]) - np.asarray(standard.baseline.model.total)
    of_model = widening(covariance(standard.test.slope * by_model, standard.test.unexplained, disjoint))
    if standard.alone:
        return of_model
    by_fqe = standard.fqe_test.slope * (np.stack(values) - standard.baseline.fqe)
    return max(of_model, widening(covariance(by_fqe, standard.fqe_test.unexplained, disjoint)))


def covariance(
    apart: Float[np.ndarray, "policy replica start"], unexplained: float, disjoint: int
) -> Float64[np.ndarray, "p p"]:
    """Of the policies' mean differences: over replicas, over starts, and what nobody explains, of each its own.

    Args:
        apart: policy less baseline, of the same replicas from the same starts; its diagonal is what
            `difference.spread` makes of each policy alone.
        unexplained: deviation that the self-test found beyond these.
        disjoint: of the windows that begin there, how many do not overlap.
    """
    _, replicas, starts = apart.shape
    whole = np.eye(len(apart)) * unexplained**2
    if replicas > 1:
        whole = whole + (1 + 1 / replicas) * np.atleast_2d(np.cov(apart.mean(2)))
    if starts > 1:
        whole = whole + np.atleast_2d(np.cov(apart.mean(1))) / max(1, disjoint)
    return whole


def widening(errors: Float64[np.ndarray, "p p"], level: float = LEVEL) -> float:
    """What the half width of one policy's interval is multiplied by for all intervals to hold together.

    Args:
        errors: covariance of the policies' errors.
        level: of the intervals.

    Returns:
        1 for a single policy, and for several whose errors are the same; at most what independent ones ask for.
    """
    moving = np.diag(errors) > 0  # a clone of the baseline itself has no error
    if moving.sum() < 2:
        return 1.0
    errors = errors[np.ix_(moving, moving)]
    deviations = np.sqrt(np.diag(errors))
    values, vectors = np.linalg.eigh(errors / np.outer(deviations, deviations))
    root = vectors * np.sqrt(np.maximum(values, 0))
    draws = np.random.default_rng(0).standard_normal((DRAWS, len(values))) @ root.T
    largest = np.quantile(np.abs(draws).max(1), level)
    return max(1.0, float(largest) / NormalDist().inv_cdf((1 + level) / 2))
