"""Columns that hold codes instead of quantities: numbers of modes, switches, one column for each of several choices."""

import numpy as np
from jaxtyping import Float32

from micro_rl.core.columns import Columns, titles
from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding
from micro_rl.data.dataset import Dataset

MOST = {"observation": 12, "action": 32}
"""More different whole numbers are a count or a rounded quantity."""
LEAST = {"observation": 3, "action": 2}
"""Fewer are an observed switch, which a network takes as it is."""
CLOSE = 2
"""Codes fill their range: at most so many whole numbers for each that occurs."""
ROWS = 20_000
"""Rows, evenly spread, that are looked at first."""
TIMES = 4
"""A log has so many rows for each value, or it tells nothing."""


def odd(dataset: Dataset) -> list[Finding]:
    """Warns of codes and of one-hot columns among observations and actions; of columns alike, one finding each."""
    size = dataset.observation_size
    return [
        *_in("observation", dataset.observations[:, :size], dataset.columns),
        *_in("action", dataset.actions, dataset.columns),
    ]


def _in(what: str, values: Float32[np.ndarray, "row column"], columns: Columns) -> list[Finding]:
    named = columns.observations if what == "observation" else columns.actions
    few = {place: _few_values(column) for place, column in enumerate(values.T)}
    levels = {place: distinct for place, distinct in few.items() if distinct is not None}
    problems = []
    hot = _one_hot(values, {place: distinct for place, distinct in levels.items() if len(distinct) == 2})
    if hot:
        text = (
            f"{titles(what, hot, named)} are one-hot: exactly one of them is set in every row, a choice and no "
            f"quantities. {_meaning(what)}"
        )
        problems.append(findings.warning("one-hot", text, columns=hot))
    places = [place for place, distinct in levels.items() if place not in hot and _codes(what, distinct)]
    if places:
        many, kinds = len(places) > 1, sorted({len(levels[place]) for place in places})
        counts = f"{kinds[0]}" if len(kinds) == 1 else f"{kinds[0]} to {kinds[-1]}"
        low, high = (pick(float(pick(levels[place])) for place in places) for pick in (min, max))
        text = (
            f"{titles(what, places, named)} {'take' if many else 'takes'} only {counts} whole numbers, from {low:g} "
            f"to {high:g}: codes, not quantities? {_meaning(what)}"
        )
        problems.append(findings.warning("codes", text, columns=places))
    return problems


def _meaning(what: str) -> str:
    """What comes of learning from it all the same."""
    if what == "action":
        return "A policy is learned that gives any number between them: choices are not supported"
    return "The model takes and predicts any number between them: a column for each code, or none, says it better"


def _few_values(column: Float32[np.ndarray, " row"]) -> Float32[np.ndarray, " value"] | None:
    """The different values of a column of two values or of few whole numbers; None for any other."""
    most = max(MOST.values())
    first = np.unique(column[:: max(1, len(column) // ROWS)])
    if not 1 <= len(first) <= most or (len(first) > 2 and (first != np.round(first)).any()):
        return None
    values = np.unique(column)
    return values if 2 <= len(values) <= most and TIMES * len(values) <= len(column) else None


def _codes(what: str, values: Float32[np.ndarray, " value"]) -> bool:
    """Whether few different values are the numbers of something."""
    whole = bool((values == np.round(values)).all())
    filled = float(np.ptp(values)) + 1 <= CLOSE * len(values)
    return whole and filled and LEAST[what] <= len(values) <= MOST[what]


def _one_hot(values: np.ndarray, pairs: dict[int, np.ndarray]) -> list[int]:
    """Stretches of columns of two values, three or more side by side, of which exactly one is set in every row."""
    hot: list[int] = []
    some = values[:: max(1, len(values) // ROWS)]
    for stretch in _stretches(sorted(pairs)):
        # What is set in a one-hot stretch is as many cells as there are rows: few stretches are ever looked at.
        counts = [int((values[:, place] == pairs[place][1]).sum()) for place in stretch]
        before, start = np.cumsum([0, *counts]), 0
        while start < len(stretch):
            stop = int(np.searchsorted(before, before[start] + len(values), "right")) - 1
            places = stretch[start:stop] if before[stop] - before[start] == len(values) else []
            if len(places) >= 3 and all(_exactly_one(rows, places, pairs) for rows in (some, values)):
                hot, start = hot + places, stop
            else:
                start += 1
    return hot


def _exactly_one(rows: np.ndarray, places: list[int], pairs: dict[int, np.ndarray]) -> bool:
    """Whether in every row one of these columns is set, and no other."""
    count = np.zeros(len(rows), np.int32)
    for place in places:
        count += rows[:, place] == pairs[place][1]
    return bool((count == 1).all())


def _stretches(places: list[int]) -> list[list[int]]:
    """Places side by side, together."""
    if not places:
        return []
    pieces = np.split(np.array(places), np.flatnonzero(np.diff(places) != 1) + 1)
    return [piece.tolist() for piece in pieces]
