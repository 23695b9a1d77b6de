"""Performance profiles of Agarwal et al. (2021), arXiv 2108.13264: how many scores lie above each threshold.

One curve above another everywhere is better at every quantile; where they cross, it depends on what is wanted.
"""

import numpy as np
from jaxtyping import Float

from micro_rl.reports.stats.scores import Figures, Listed, array, checked, present, takes_batches, task_means


@takes_batches
def performance_profile(
    scores: Float[np.ndarray, "*batch run task"] | Listed, thresholds: Float[np.ndarray, " threshold"] | Listed
) -> Figures:
    """Share of runs that score more than each threshold, mean over tasks: [..., threshold], never rising.

    Where it falls below a half is the median of all scores. For an interval at each threshold:
    `interval(partial(performance_profile, thresholds=thresholds), scores)`.
    """
    scores = checked(scores)[..., None, :, :]
    above = scores > array(thresholds, "thresholds")[:, None, None]
    return np.mean(above, axis=-2, where=present(scores)).mean(-1)


@takes_batches
def average_score_profile(
    scores: Float[np.ndarray, "*batch run task"] | Listed, thresholds: Float[np.ndarray, " threshold"] | Listed
) -> Figures:
    """Share of tasks whose mean over runs is more than each threshold: [..., threshold].

    Biased with few runs: a task's expected score lies above a threshold or not, but its mean over few runs scatters
    across, so the profile falls more slowly than the one of many runs.
    """
    means = task_means(checked(scores))[..., None, :]
    return (means > array(thresholds, "thresholds")[:, None]).mean(-1)
