"""Episodes that a fit keeps out altogether: what is measured on them is what a stranger's episodes would give.

Which they are depends on the log alone, not on the seed: fits of one log can be compared, and share its rows.
"""

import numpy as np
from jaxtyping import Bool, Int

from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.wording import plural
from micro_rl.data import Dataset
from micro_rl.errors import UserError

FEWEST = 2
"""Held-out episodes: half of them calibrate, the others are measured on."""


def held_out_episodes(dataset: Dataset, share: float) -> Int[np.ndarray, " episode"]:
    """The numbers of the episodes that a fit keeps out, in an order of chance.

    Args:
        dataset: the log.
        share: of its episodes; 0 keeps none out, anything else at least two.

    Raises:
        UserError: the log has too few episodes.
    """
    count = len(dataset.stops)
    if share == 0:
        return np.zeros(0, np.int64)
    if count <= FEWEST:
        raise UserError(
            f"holdout_episodes: {dataset.name} has {plural(count, 'episode')}, and {FEWEST} must be held out beside "
            "those that are fitted: leave it at 0, or log more"
        )
    size = min(max(FEWEST, round(share * count)), count - 1)
    return np.random.default_rng(0).permutation(count)[:size]


def fitted_rows(dataset: Dataset, settings: ModelSettings) -> Bool[np.ndarray, " learnable"]:
    """Of the rows that can be learned from those that a fit sees, its held-out rows among them."""
    episodes = held_out_episodes(dataset, settings.holdout_episodes)
    episode = np.repeat(np.arange(len(dataset.stops)), dataset.lengths)
    return ~np.isin(episode, episodes)[dataset.learnable(settings.keep_timeouts)]
