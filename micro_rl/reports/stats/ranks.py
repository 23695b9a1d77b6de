"""How several methods rank on the same tasks, as Agarwal et al. (2021), arXiv 2108.13264, compare them."""

import numpy as np
from jaxtyping import Float

from micro_rl.reports.stats.aggregates import probability_of_improvement
from micro_rl.reports.stats.scores import Figures, Listed, checked, present, same_tasks, takes_batches


@takes_batches
def average_rank(*methods: Float[np.ndarray, "..."] | Listed) -> Figures:
    """Expected rank of each method among all when each draws a run of the task; mean over tasks: [..., method].

    Each array is [..., run, task]; 1 is best. Exact: one more than the sum of the probabilities that another one is
    better, ties counting half. Raises `UserError` where numbers of tasks differ.
    """
    losses = [
        sum(probability_of_improvement(other, own) for place, other in enumerate(methods) if place != number)
        for number, own in enumerate(methods)
    ]
    return 1 + np.stack(losses, axis=-1)


def rank_distribution(
    *methods: Float[np.ndarray, "_ _"] | Listed, draws: int = 10_000, seed: int = 0
) -> Float[np.ndarray, "method rank"]:
    """How probable each rank is for each method, mean over tasks; column 0 is the first place, rows sum to 1.

    Each array is [run, task]. Estimated from `draws` times one run of each method and task; ties are broken at random.
    Raises `UserError` where numbers of tasks differ.
    """
    scores = [checked(each) for each in methods]
    same_tasks(*scores)
    random = np.random.default_rng(seed)
    drawn = np.stack([_runs(each, draws, random) for each in scores])
    order = np.lexsort((random.random(drawn.shape), -drawn), axis=0)
    ranks = np.argsort(order, axis=0)
    return np.stack([(ranks == rank).mean((1, 2)) for rank in range(len(scores))], axis=1)


def _runs(
    scores: Float[np.ndarray, "run task"], draws: int, random: np.random.Generator
) -> Float[np.ndarray, "draw task"]:
    """Of each task a run, drawn among those that are there."""
    columns = [random.choice(task[present(task)], draws) for task in scores.T]
    return np.stack(columns, axis=1)
