"""The ends of a bootstrap interval, from what the statistic was on the resamples: four ways, as rliable offers them.

Efron (1987), "Better bootstrap confidence intervals"; Davison & Hinkley (1997), "Bootstrap methods and their
application", chapter 5.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr, ndtri

from micro_rl.reports.stats.scores import Figures, present


def ends(
    drawn: Float[np.ndarray, "resample *figure"],
    point: Figures,
    confidence: float,
    how: str,
    acceleration: Figures = 0.0,
) -> tuple[Figures, Figures]:
    """Low and high.

    `percentile`: quantiles of the resamples. `basic`: those mirrored at the point. `bc`: quantiles moved by the normal
    quantile of the share of resamples below the point, ties counting half. `bca`: also by the acceleration.
    """
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    if how in ("bc", "bca"):
        return _corrected(drawn, point, tails, acceleration)
    low, high = np.quantile(drawn, tails, axis=0)
    return (2 * point - high, 2 * point - low) if how == "basic" else (low, high)


def acceleration(statistic: Callable[..., Figures], arrays: list[np.ndarray], paired: bool) -> Figures:
    """How the statistic's spread changes with its value: skewness of what each run adds to it, for several samples.

    sum(l^3 / n^3) / sum(l^2 / n^2)^1.5 / 6, where l is (n - 1) times the fall of the statistic below its task's mean
    when one of the task's n runs is left out, that is, NaN. 0 where no run matters.
    """
    squares, cubes = 0.0, 0.0
    for number in range(1 if paired else len(arrays)):
        for task in range(arrays[number].shape[1]):
            runs = np.flatnonzero(present(arrays[number][:, task]))
            left = np.array([statistic(*_without(arrays, run, task, number, paired)) for run in runs.tolist()])
            added = (len(runs) - 1) * (left.mean(0) - left) / len(runs)
            squares, cubes = squares + (added**2).sum(0), cubes + (added**3).sum(0)
    return cubes / np.where(squares > 0, squares, 1.0) ** 1.5 / 6


def _without(arrays: list[np.ndarray], run: int, task: int, number: int, paired: bool) -> list[np.ndarray]:
    """The arrays, one run left out: of all where they are paired, else of array `number`."""
    copies = [each.copy() for each in arrays]
    for place, each in enumerate(copies):
        if paired or place == number:
            each[run, task] = np.nan
    return copies


def _corrected(
    drawn: Float[np.ndarray, "resample *figure"], point: Figures, tails: tuple[float, float], acceleration: Figures
) -> tuple[Figures, Figures]:
    below = ((drawn < point).mean(0) + (drawn <= point).mean(0)) / 2
    half = 0.5 / len(drawn)
    bias = ndtri(np.clip(below, half, 1 - half))
    low, high = (_quantiles(drawn, _level(bias, ndtri(tail), acceleration)) for tail in tails)
    return low, high


def _level(bias: Figures, normal: Figures, acceleration: Figures) -> Figures:
    return ndtr(bias + (bias + normal) / (1 - acceleration * (bias + normal)))


def _quantiles(drawn: Float[np.ndarray, "resample *figure"], levels: Figures) -> Figures:
    """Each figure at a level of its own."""
    flat = drawn.reshape(len(drawn), -1).T
    quantiles = [np.quantile(figure, level) for figure, level in zip(flat, np.ravel(levels), strict=True)]
    return np.reshape(quantiles, drawn.shape[1:])[()]
