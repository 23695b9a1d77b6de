"""Intervals by the stratified bootstrap: runs drawn anew, with replacement, within each task."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from micro_rl.errors import UserError
from micro_rl.stats.scores import Figures, checked, is_batched, present, same_tasks

BLOCK = 250
"""Resamples made at once."""


class Interval(NamedTuple):
    """A statistic and the ends of its interval: numbers, or arrays where the statistic gives an array."""

    point: Figures
    low: Figures
    high: Figures


def interval(
    statistic: Callable[..., Figures],
    *scores: Float[np.ndarray, "_ _"],
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    paired: bool = False,
) -> Interval:
    """Bootstrap interval of `statistic(*scores)`; each array is [run, task], or [episode, cell].

    Runs are drawn within each task, independently in each array; with `paired`, the same runs in all of them, which
    must then agree in shape (a pair with a missing half is left out). The same seed gives the same interval. It is the
    percentile interval, as in rliable (Agarwal et al., 2021, arXiv 2108.13264; Efron, 1979), and covers too little with
    few runs: docs/statistics.md has how little. Where a task has a single run nothing is known of how runs vary, so
    both ends are NaN. Raises `UserError` for scores that `scores.checked` refuses, or a confidence not in (0, 1).
    """
    if not 0 < confidence < 1 or resamples < 1:
        raise UserError(f"confidence {confidence}, {resamples} resamples: between 0 and 1, and one or more, needed")
    arrays = matched(*scores) if paired else [checked(each) for each in scores]
    point = statistic(*arrays)
    if min(present(each).sum(0).min() for each in arrays) < 2:
        unknown = np.full(np.shape(point), np.nan)[()]
        return Interval(point, unknown, unknown)
    drawn = np.concatenate(list(_drawn(statistic, arrays, resamples, seed, paired)))
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return Interval(point, low, high)


def _drawn(
    statistic: Callable[..., Figures], arrays: list[np.ndarray], resamples: int, seed: int, paired: bool
) -> Iterator[np.ndarray]:
    """The statistic of one block of resamples after the other."""
    random = np.random.default_rng(seed)
    packed = [np.take_along_axis(each, np.argsort(~present(each), axis=0, kind="stable"), 0) for each in arrays]
    for start in range(0, resamples, BLOCK):
        count = min(BLOCK, resamples - start)
        places = _places(packed[0], count, random)
        blocks = []
        for index, each in enumerate(packed):
            if index and not paired:
                places = _places(each, count, random)
            blocks.append(np.take_along_axis(each[None], places, 1))
        if is_batched(statistic):
            yield statistic(*blocks)
        else:
            yield np.array([statistic(*(block[number] for block in blocks)) for number in range(count)])


def _places(
    packed: Float[np.ndarray, "run task"], count: int, random: np.random.Generator
) -> Int[np.ndarray, "count run task"]:
    """Which run stands where in each resample: as many of a task's own runs as it has, then the missing ones."""
    runs, place = present(packed).sum(0), np.arange(len(packed))[:, None]
    drawn = random.integers(0, runs, (count, *packed.shape))
    return np.where(place < runs, drawn, place)


def matched(*scores: np.ndarray) -> list[np.ndarray]:
    """The arrays, each run left out of all where it is missing in one."""
    same_tasks(*scores)
    if len({len(each) for each in scores}) > 1:
        raise UserError(f"scores of {' and '.join(str(len(each)) for each in scores)} runs: pairs need as many in each")
    missing = np.isnan(scores).any(0)
    return [checked(np.where(missing, np.nan, each)) for each in scores]
