"""The log in two: what candidates learn from, and what they are judged by, which none of them saw."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from micro_rl.core.wording import plural
from micro_rl.data import Dataset
from micro_rl.data.taking import storable, take

EVERY = 3
"""One part in so many is the judge's."""
EPISODES = 12
"""From so many episodes on whole ones are dealt out; a log of fewer is cut into blocks of rows."""
BLOCKS = 30


class Parts(NamedTuple):
    """Both parts, and a sentence on how they were made."""

    training: Dataset
    judging: Dataset
    made: str


def part(dataset: Dataset) -> Parts:
    """Deals the log out: two parts for learning, one for judging, of every three neighbours one, drawn at random.

    Every third one would be the same shift's, where three take turns.

    Args:
        dataset: single observations.
    """
    if len(dataset.stops) >= EPISODES:
        of_row = np.repeat(np.arange(len(dataset.stops)), dataset.lengths)
        unit, count = "episode", len(dataset.stops)
    else:
        count = min(BLOCKS, len(dataset))
        of_row = np.arange(len(dataset)) * count // len(dataset)
        unit = "block of rows"
    drawn = np.random.default_rng(0).integers(EVERY, size=-(-count // EVERY))
    judging: Bool[np.ndarray, " row"] = of_row % EVERY == drawn[of_row // EVERY]
    kept = plural(len(np.unique(of_row[judging])), unit, "blocks of rows" if unit != "episode" else "")
    return Parts(
        storable(take(dataset, ~judging, f"training-{dataset.name}")),
        take(dataset, judging, f"judging-{dataset.name}"),
        f"candidates learn from {100 * np.mean(~judging):.0f} % of the rows; {kept}, one of every three, are kept for "
        "the judge",
    )
