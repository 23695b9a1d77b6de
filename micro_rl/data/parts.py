"""The log in two: what policies learn from, and what they are judged by, which none of them saw."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from micro_rl.core.wording import plural
from micro_rl.data.dataset import Dataset
from micro_rl.data.read_options import Part
from micro_rl.data.taking import storable, take
from micro_rl.errors import UserError

EVERY = 3
"""One part in so many is the judge's."""
EPISODES = 12
"""From so many episodes on whole ones are dealt out; a log of fewer is cut into blocks of rows."""
BLOCKS = 30
JUDGES = "this is the part that is kept for the judge ({})"


class Parts(NamedTuple):
    """Both parts, and a sentence on how they were made."""

    training: Dataset
    judging: Dataset
    made: str


def alone(dataset: Dataset, name: Part) -> Dataset:
    """Takes one part of a log for all of it: under the log's name, with its simulator, and with a note.

    Raises:
        UserError: the log is so small that the part is empty.
    """
    parts = part(dataset)
    taken, note = (parts.training, parts.made) if name == "training" else (parts.judging, JUDGES.format(parts.made))
    if not taken.usable.any():
        raise UserError(
            f"part: {dataset.name} has {plural(len(dataset), 'row')}, and its part for {name} would have none to use; "
            "log more, or leave --part out"
        )
    return replace(taken, name=dataset.name, task=dataset.task, notes=(*dataset.notes, note))


def part(dataset: Dataset) -> Parts:
    """Deals the log out: two parts for learning, one for judging, of every three neighbours one, drawn at random.

    Every third one would be the same shift's, where three take turns. A log that has grown by whole episodes deals the
    old ones out as before.

    Args:
        dataset: single observations.
    """
    of_row, unit = _units(dataset)
    judging = judging_rows(dataset)
    counted = plural(len(np.unique(of_row[judging])), unit, "blocks of rows" if unit != "episode" else "")
    return Parts(
        storable(take(dataset, ~judging, f"training-{dataset.name}")),
        take(dataset, judging, f"judging-{dataset.name}"),
        f"policies learn from {100 * np.mean(~judging):.0f} % of the rows; kept for the judge: {counted}, one of every "
        "three",
    )


def judging_rows(dataset: Dataset) -> Bool[np.ndarray, " row"]:
    """Which rows are the judge's."""
    of_row, _ = _units(dataset)
    drawn = np.random.default_rng(0).integers(EVERY, size=of_row[-1] // EVERY + 1)
    return of_row % EVERY == drawn[of_row // EVERY]


def _units(dataset: Dataset) -> tuple[Int[np.ndarray, " row"], str]:
    """The episode or block of each row, which stay together, and what they are called."""
    if len(dataset.stops) >= EPISODES:
        return np.repeat(np.arange(len(dataset.stops)), dataset.lengths), "episode"
    return np.arange(len(dataset)) * min(BLOCKS, len(dataset)) // len(dataset), "block of rows"
