"""How well simple regressions predict the next step, the more rows they have: whether more rows would help."""

from typing import NamedTuple

import numpy as np

from micro_rl.data.checks import regression
from micro_rl.reports.log.neighbours import nearest
from micro_rl.reports.log.sample import Sample, few

TEST_ROWS = 1_000
FEWEST = 250
NEAR = 5


class Point(NamedTuple):
    """Unexplained share of the variance of one step, on episodes that were held out, after learning from `rows`."""

    rows: int
    ridge: float
    neighbours: float


class Outlook(NamedTuple):
    """Where the curves lead: what the last doublings of the rows took off each error, as a share.

    `times_to_halve` is how many times the rows would halve the neighbours' error if it went on so; None if it rises.
    """

    ridge_gain: float
    neighbours_gain: float
    times_to_halve: float | None


def curve(sample: Sample) -> list[Point]:
    """Errors at doubling numbers of rows, all the known ones last; nothing where there is too little."""
    known, test = np.flatnonzero(sample.fold != 0), few(sample, TEST_ROWS, sample.fold == 0)
    if len(known) < FEWEST or len(test) < 20 or not sample.steps.shape[1]:
        return []
    inputs = np.concatenate([sample.observations, sample.actions], axis=1)
    features = regression.features(inputs)
    known = np.random.default_rng(3).permutation(known)
    sizes = [FEWEST * 2**power for power in range(20) if FEWEST * 2**power < 0.75 * len(known)] + [len(known)]
    points = []
    for size in sizes:
        learned_from, truth = known[:size], sample.steps[test]
        ridge = regression.predicted(features[learned_from], sample.steps[learned_from], features[test])
        _, places = nearest(inputs[test], inputs[learned_from], NEAR)
        near = sample.steps[learned_from][places].mean(1)
        points.append(Point(size, *(float(_left(truth, prediction)) for prediction in (ridge, near))))
    return points


def outlook(points: list[Point]) -> Outlook | None:
    """From the last two doublings of the curves; None where there are none."""
    if len(points) < 3:
        return None
    first, last = points[-3], points[-1]
    ridge = _slope(first.rows, last.rows, first.ridge, last.ridge)
    near = _slope(first.rows, last.rows, first.neighbours, last.neighbours)
    return Outlook(1 - 2**ridge, 1 - 2**near, 2 ** (-1 / near) if near < -0.01 else None)


def _slope(few: int, many: int, before: float, after: float) -> float:
    """The power of the number of rows with which an error changes."""
    return float(np.log(after / before) / np.log(many / few)) if min(before, after) > 0 else 0.0


def _left(truth: np.ndarray, prediction: np.ndarray) -> np.floating:
    """Share of the variance that is left, all columns weighing the same."""
    return np.square(truth - prediction).mean() / np.maximum(truth.var(0).mean(), 1e-300)
