"""Intervals by the stratified bootstrap: runs drawn anew, with replacement, within each task."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from micro_rl.errors import UserError
from micro_rl.reports.stats.scores import Figures, Listed, array, checked, is_batched, present, same_tasks

BLOCK = 250
"""Resamples made at once."""


class Interval(NamedTuple):
    """A statistic and the ends of its interval: numbers, or arrays where the statistic gives an array."""

    point: Figures
    low: Figures
    high: Figures


def interval(
    statistic: Callable[..., Figures],
    *scores: Float[np.ndarray, "_ _"] | Listed,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    paired: bool = False,
    resample_tasks: bool = False,
    whole_rows: bool = False,
    ends: str = "percentile",
) -> Interval:
    """Bootstrap interval of `statistic(*scores)`: runs drawn anew within each task.

    With few runs it covers too little: docs/guides/statistics.md has how little. The defaults are rliable's (Agarwal et
    al., 2021, arXiv 2108.13264; Efron, 1979) but for the resamples, of which it draws 50,000.

    Args:
        statistic: of arrays [run, task]; where `takes_batches` marks it, of [..., run, task].
        scores: arrays or lists [run, task], or [episode, cell]; NaN where a run is missing.
        confidence: share of data sets whose interval should hold the truth, in (0, 1).
        resamples: number drawn.
        seed: of the draws; the same seed gives the same interval.
        paired: draw the same runs in all arrays, which must then agree in shape (a pair with a missing half is left
            out), not in each independently.
        resample_tasks: draw tasks too, as if they were a sample of many.
        whole_rows: draw the same runs in all tasks, where a row has something in common, as the episodes of cells that
            all begin alike; a row in which a run is missing is left out.
        ends: percentile, basic, bc or bca, see `interval_ends.ends`; for bca the statistic must take NaN for a run that
            is left out.

    Returns:
        Point and ends. Both ends are NaN where a task has a single run: nothing is known of how its runs vary.

    Raises:
        UserError: scores that `scores.checked` refuses, different numbers of tasks, options that cannot be.
    """
    _refuse_impossible(confidence, resamples, resample_tasks or whole_rows, ends)
    scores = _whole(scores, paired) if whole_rows else scores
    arrays = matched(*scores) if paired else [checked(each) for each in scores]
    same_tasks(*arrays)
    point = statistic(*arrays)
    if min(present(each).sum(0).min() for each in arrays) < 2:
        unknown = np.full(np.shape(point), np.nan)[()]
        return Interval(point, unknown, unknown)
    from micro_rl.reports.stats import interval_ends  # SciPy is slow to import

    draws = _Draws(resamples, seed, paired, resample_tasks, whole_rows)
    drawn = np.concatenate(list(_drawn(statistic, arrays, draws)))
    skew = interval_ends.acceleration(statistic, arrays, paired) if ends == "bca" else 0.0
    return Interval(point, *interval_ends.ends(drawn, point, confidence, ends, skew))


def _whole(scores: tuple[np.ndarray | Listed, ...], paired: bool) -> tuple[np.ndarray, ...]:
    """The rows without a missing run; of pairs those that are whole in every array."""
    arrays = matched(*scores) if paired else [array(each) for each in scores]
    whole = tuple(each[~np.isnan(each).any(1)] for each in arrays)
    if not all(map(len, whole)):
        raise UserError("whole_rows: in every run a task is missing; leave whole_rows out")
    return whole


def matched(*scores: np.ndarray | Listed) -> list[np.ndarray]:
    """The arrays, each run left out of all where it is missing in one; raises `UserError` where shapes differ."""
    arrays = [array(each) for each in scores]
    if len({each.shape for each in arrays}) > 1:
        shapes = " and ".join(str(each.shape) for each in arrays)
        raise UserError(f"scores {shapes}: pairs need as many runs and tasks in each (NaN where a run is missing)")
    missing = np.isnan(arrays).any(0)
    return [checked(np.where(missing, np.nan, each)) for each in arrays]


class _Draws(NamedTuple):
    """What is drawn: see `interval`."""

    resamples: int
    seed: int
    paired: bool
    resample_tasks: bool
    whole_rows: bool


def _drawn(statistic: Callable[..., Figures], arrays: list[np.ndarray], draws: _Draws) -> Iterator[np.ndarray]:
    """The statistic of one block of resamples after the other."""
    random = np.random.default_rng(draws.seed)
    packed = [np.take_along_axis(each, np.argsort(~present(each), axis=0, kind="stable"), 0) for each in arrays]
    tasks = arrays[0].shape[1]
    for start in range(0, draws.resamples, BLOCK):
        count = min(BLOCK, draws.resamples - start)
        columns = np.tile(np.arange(tasks), (count, 1))
        columns = random.integers(0, tasks, (count, tasks)) if draws.resample_tasks else columns
        blocks, places = [], None
        for each in packed:
            if places is None or not draws.paired:
                places = _places(each, columns, random, draws.whole_rows)
            blocks.append(each[places, columns[:, None]])
        if is_batched(statistic):
            yield statistic(*blocks)
        else:
            yield np.array([statistic(*(block[number] for block in blocks)) for number in range(count)])


def _places(packed: np.ndarray, columns: np.ndarray, random: np.random.Generator, whole_rows: bool) -> np.ndarray:
    """Which run stands where in each resample: as many of a task's own runs as it has, then the missing ones."""
    runs, place = present(packed).sum(0)[columns][:, None], np.arange(len(packed))[:, None]
    each = (len(packed), 1 if whole_rows else packed.shape[1])
    drawn = (random.random((len(columns), *each)) * runs).astype(int)
    return np.where(place < runs, drawn, place)


def _refuse_impossible(confidence: float, resamples: int, together: bool, ends: str) -> None:
    if not 0 < confidence < 1 or resamples < 1:
        raise UserError(f"confidence {confidence}, {resamples} resamples: between 0 and 1, and one or more, needed")
    if ends not in ("percentile", "basic", "bc", "bca"):
        raise UserError(f"ends '{ends}': choose percentile, basic, bc or bca")
    if ends == "bca" and together:
        raise UserError("ends 'bca' know no resampled tasks and no whole rows: choose percentile, basic or bc")
