"""What columns are called in a sentence: one by its name, many alike by their numbers, in one phrase."""

from collections.abc import Sequence

import numpy as np

from micro_rl.data.checks.findings import SHOWN
from micro_rl.data.columns import Column

STRETCH = 3
"""So many columns side by side, or more, are written as a stretch: '27 to 51'."""


def named(what: str, columns: Sequence[Column], places: Sequence[int]) -> str:
    """Names columns of one sort.

    Args:
        what: 'observation' or 'action'.
        columns: all columns of that sort.
        places: those that are meant, in order.

    Returns:
        'observation 3 (level [m])', or 'observations 3, 27 to 51 (level [m], ...)'; without names where the log
        gives none.
    """
    titles = [str(columns[place]) for place in places if columns[place].name != f"{what[0]}{place}"]
    shown = ", ".join(titles[:SHOWN]) + ", ..." * (len(titles) > SHOWN)
    return f"{what}{'s' * (len(places) > 1)} {_numbers(places)}" + (f" ({shown})" if titles else "")


def _numbers(places: Sequence[int]) -> str:
    """Numbers in order, stretches of them by their ends."""
    numbers = np.asarray(places)
    pieces = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)
    parts = []
    for piece in pieces:
        parts += [f"{piece[0]} to {piece[-1]}"] if len(piece) >= STRETCH else [str(place) for place in piece]
    return ", ".join(parts)
