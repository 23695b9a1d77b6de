"""The estimators tried on the user's own log: folds that they did not see, as predicted and as measured.

The residuals give the correction of a difference and its conformal width: with n folds the guarantee is n / (n + 1).
"""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import root_scalar

from micro_rl.dynamics.support import quantile

LEVEL = 0.9
"""Of the interval, where the number of folds allows it."""
GAIN = 0.8
"""A slope is used where it brings the squared error of folds that it was not fitted to below this share."""


class SelfTest(NamedTuple):
    """What was predicted for each fold and what it returned, raw units a window, with the deviation of each.

    A difference is multiplied by `slope`. It is 1 unless predictions, corrected by it, explain something: one that was
    fitted to parts which do not differ only tells that noise predicts nothing. Its half width is `width` times its own
    deviation, no less than a normal distribution asks for. `noise` is the deviation that the estimator gives each fold;
    `unexplained` is what the folds' residuals vary by beyond it: what all members get wrong together (Paule and Mandel,
    Journal of Research of the National Bureau of Standards 1982). It is part of every `deviation`.
    `level` is what so many folds can promise. `explained` is the share of the folds' variance that the predictions,
    corrected, explain; at most 0 where the folds do not differ, for nothing is tested by telling noise apart.
    """

    predicted: Float[np.ndarray, " fold"]
    measured: Float[np.ndarray, " fold"]
    noise: Float[np.ndarray, " fold"]
    deviation: Float[np.ndarray, " fold"]
    slope: float
    unexplained: float
    width: float
    level: float
    explained: float
    correlation: float

    @property
    def differ(self) -> bool:
        """Whether the folds' measured returns vary by more than their own noise."""
        return bool(self.measured.std(ddof=1) > 2 * np.median(self.noise))


def self_test(
    predicted: Float[np.ndarray, " fold"], measured: Float[np.ndarray, " fold"], noise: Float[np.ndarray, " fold"]
) -> SelfTest:
    """Compare predictions of folds with their measured returns.

    Args:
        predicted: mean return of a window of the fold's clone, by members that did not see the fold.
        measured: mean return of the fold's own windows.
        noise: standard deviation that the estimator gives the difference of both.
    """
    plain = _left_out(predicted, measured, 1.0)
    slopes = np.array([_slope(np.delete(predicted, fold), np.delete(measured, fold)) for fold in range(len(predicted))])
    sloped = _left_out(predicted, measured, slopes)
    spread = ((measured - measured.mean()) ** 2).sum()
    better = (sloped**2).sum() < min(GAIN * (plain**2).sum(), spread)
    left = sloped if better else plain
    slope = _slope(predicted, measured) if better else 1.0
    level = min(LEVEL, len(left) / (len(left) + 1))
    unexplained = _beyond(left, noise)
    deviation = np.hypot(noise, unexplained)
    width = max(quantile(np.abs(left) / deviation, level), NormalDist().inv_cdf((1 + LEVEL) / 2))
    explained = 1 - (left**2).sum() / spread if spread > 0 else 0.0
    tested = SelfTest(
        predicted,
        measured,
        noise,
        deviation,
        slope,
        unexplained,
        width,
        level,
        float(explained),
        correlation(predicted, measured),
    )
    return tested if tested.differ else tested._replace(explained=min(0.0, tested.explained))


def correlation(first: Float[np.ndarray, " fold"], second: Float[np.ndarray, " fold"]) -> float:
    """Pearson's correlation; 0 where one side does not vary."""
    if min(first.std(), second.std()) < 1e-12:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _beyond(left: np.ndarray, noise: np.ndarray) -> float:
    """The deviation beyond their noise with which residuals, each over its own, are as large as they should be."""

    def excess(beyond: float) -> float:
        return float((left**2 / (noise**2 + beyond**2)).mean()) - 1

    most = 2 * float(np.sqrt((left**2).mean()))
    return 0.0 if excess(0.0) <= 0 else float(root_scalar(excess, bracket=(0.0, most)).root)


def _slope(predicted: np.ndarray, measured: np.ndarray) -> float:
    """Least squares through the means, between 0 and 1: a correction shrinks, it never enlarges."""
    centred = predicted - predicted.mean()
    square = centred @ centred
    return float(np.clip(centred @ (measured - measured.mean()) / square, 0.0, 1.0)) if square > 0 else 1.0


def _left_out(predicted: np.ndarray, measured: np.ndarray, slope: float | np.ndarray) -> np.ndarray:
    """Residual of each fold after an offset that the other folds tell."""
    left = measured - slope * predicted
    if isinstance(slope, np.ndarray):  # each fold's slope comes with the offset of the folds that gave it
        others = [np.delete(measured, fold) - slope[fold] * np.delete(predicted, fold) for fold in range(len(left))]
        return left - np.array([other.mean() for other in others])
    return left - (left.sum() - left) / (len(left) - 1)
