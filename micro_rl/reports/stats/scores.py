"""The one array that every statistic takes: scores[run, task], NaN where a run is missing.

In front there may be axes of batches, such as the resamples of a bootstrap.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Float64

from micro_rl.errors import UserError

Listed = Sequence[Any]
"""Numbers, or lists of them, in place of an array."""
Figures = Any
"""A number, or an array of them where the scores have axes of batches in front."""
Function = TypeVar("Function", bound=Callable[..., Figures])


def takes_batches(statistic: Function) -> Function:
    """Marks a statistic of [..., run, task], which the bootstrap may give many resamples at once."""
    statistic.__dict__["takes_batches"] = True
    return statistic


def is_batched(statistic: Callable[..., Figures]) -> bool:
    """Whether it is marked; `functools.partial` of a marked one counts."""
    return getattr(getattr(statistic, "func", statistic), "takes_batches", False)


def array(values: np.ndarray | Listed, name: str = "scores") -> Float64[np.ndarray, "..."]:
    """In double precision; `UserError` for lists of different lengths, and what are no numbers."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name}: no array of numbers ({error}); a missing one is NaN") from error


def checked(scores: np.ndarray | Listed) -> Float64[np.ndarray, "*batch run task"]:
    """In double precision; raises `UserError` where there are no runs, or scores that are infinite."""
    scores = array(scores)
    if scores.ndim < 2 or not scores.size:
        raise UserError(
            f"scores {scores.shape}: [run, task] with at least one of each needed (one task: scores[:, None])"
        )
    if np.isinf(scores).any():
        raise UserError("scores: infinite values; a run that diverged has the score it ended with, a missing one NaN")
    empty = np.argwhere(~present(scores).any(-2))
    if len(empty):
        raise UserError(f"scores: no run of task {empty[0, -1]} (counted from 0); leave the task out for every method")
    return scores


def present(scores: Float[np.ndarray, "*shape"]) -> Bool[np.ndarray, "*shape"]:
    """Which are there."""
    return ~np.isnan(scores)


def task_means(scores: Float[np.ndarray, "*batch run task"]) -> Float[np.ndarray, "*batch task"]:
    """Mean over the runs that are there, of each task."""
    return np.mean(scores, axis=-2, where=present(scores))


def pooled(scores: Float[np.ndarray, "*batch run task"]) -> Float[np.ndarray, "*batch score"]:
    """All scores of all tasks in ascending order, the missing ones last."""
    return np.sort(scores.reshape(*scores.shape[:-2], -1), axis=-1)


def same_tasks(*arrays: np.ndarray) -> None:
    """Raises `UserError` where the arrays differ in their number of tasks."""
    counts = [array.shape[-1] for array in arrays]
    if len(set(counts)) > 1:
        raise UserError(f"scores of {' and '.join(map(str, counts))} tasks: the same tasks in the same order needed")
