"""Performance profiles of Agarwal et al. (2021), arXiv 2108.13264: how many scores lie above each threshold.

One curve above another everywhere is better at every quantile; where they cross, it depends on what is wanted.
"""

import numpy as np
from jaxtyping import Float

from micro_rl.stats.scores import Figures, checked, present, takes_batches, task_means


@takes_batches
def performance_profile(
    scores: Float[np.ndarray, "*batch run task"], thresholds: Float[np.ndarray, " threshold"]
) -> Figures:
    """Share of runs that score more than each threshold, mean over tasks: [..., threshold], never rising.

    Its median is that of all runs together. For an interval at each threshold:
    `interval(partial(performance_profile, thresholds=thresholds), scores)`.
    """
    scores = checked(scores)[..., None, :, :]
    above = scores > thresholds[:, None, None]
    return np.mean(above, axis=-2, where=present(scores)).mean(-1)


@takes_batches
def average_score_profile(
    scores: Float[np.ndarray, "*batch run task"], thresholds: Float[np.ndarray, " threshold"]
) -> Figures:
    """Share of tasks whose mean over runs is more than each threshold: [..., threshold].

    Its bootstrap is biased, since a mean of resampled runs varies more than one of new runs does.
    """
    return (task_means(checked(scores))[..., None, :] > thresholds[:, None]).mean(-1)
