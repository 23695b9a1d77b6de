"""One number for scores[run, task]: the aggregates of Agarwal et al. (2021), arXiv 2108.13264.

All take arrays or lists, axes of batches in front, leave missing runs (NaN) out, and raise `UserError` for scores that
`scores.checked` refuses. The unit is that of the scores; here 0 to 100, where rliable has 0 to 1.
"""

import numpy as np
from jaxtyping import Float

from micro_rl.reports.stats.scores import (
    Figures,
    Listed,
    checked,
    pooled,
    present,
    same_tasks,
    takes_batches,
    task_means,
)


@takes_batches
def mean(scores: Float[np.ndarray, "*batch run task"] | Listed) -> Figures:
    """Mean over tasks of the mean over runs: every task weighs the same. One extreme task can decide it."""
    return task_means(checked(scores)).mean(-1)


@takes_batches
def median(scores: Float[np.ndarray, "*batch run task"] | Listed) -> Figures:
    """Median over tasks of the mean over runs. With half of the tasks at zero it may still look well."""
    return np.median(task_means(checked(scores)), axis=-1)


@takes_batches
def iqm(scores: Float[np.ndarray, "*batch run task"] | Listed) -> Figures:
    """Interquartile mean: all n scores of all tasks together, without the lowest and the highest int(n / 4).

    Where runs are missing, a task with more runs weighs more.
    """
    scores = pooled(checked(scores))
    count = present(scores).sum(-1, keepdims=True)
    place, cut = np.arange(scores.shape[-1]), count // 4
    return np.mean(scores, axis=-1, where=(place >= cut) & (place < count - cut))


@takes_batches
def optimality_gap(scores: Float[np.ndarray, "*batch run task"] | Listed, target: float = 100.0) -> Figures:
    """How far scores fall short of `target` on average, those above it counting as equal: lower is better.

    target - mean(min(score, target)); rliable's target is 1.
    """
    return target - mean(np.minimum(checked(scores), target))


@takes_batches
def probability_of_improvement(
    x: Float[np.ndarray, "*batch first task"] | Listed, y: Float[np.ndarray, "*batch second tasks"] | Listed
) -> Figures:
    """How probable it is that a run of x beats a run of y on the same task; mean over tasks, ties count half.

    For each task it is Mann and Whitney's U over the number of pairs. Numbers of runs may differ. It says nothing of
    how much better. Raises `UserError` where the numbers of tasks differ.
    """
    x, y = checked(x), checked(y)
    same_tasks(x, y)
    first, second = x[..., :, None, :], y[..., None, :, :]
    wins = (first > second) + 0.5 * (first == second)
    return np.mean(wins, axis=(-3, -2), where=present(first) & present(second)).mean(-1)
