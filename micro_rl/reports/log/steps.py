"""How much of a step can be foretold, from how many observations, and with how long a step: what to ask of a model.

A regression that bends (the newest observation and action, their products and random bends) with the older ones beside
it is fitted to half of the rows and asked about the other half. What it leaves is noise, or more than it can learn: an
upper bound. Exogenous observations are among what it knows, not among what it foretells.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from micro_rl.data.checks import regression
from micro_rl.reports.log.windows_of_rows import Series, halves, inside, longer_steps, past, some

HISTORIES = (1, 2, 3, 4, 6, 8)
LENGTHS = (1, 2, 3, 5, 10, 20, 60)
"""Rows to a step that are tried."""
ROWS = 5_000
FEWEST = 400
WORTH = 0.05
LEAST = 0.01
"""Of the unexplained share, and of the variance: a longer history or step that takes off less is not proposed."""
NEARLY = 0.1
"""By this part of the least unexplained share, or by `LEAST`, a shorter history or step may be worse than the best."""
NOISY, CLEAR = 0.5, 0.25
"""From the first unexplained share of one step on, longer steps are looked for; the first with the second is taken."""
LATE = 4
"""Steps of delay from which on longer steps are proposed, so that a window need not hold so many."""


class Foretold(NamedTuple):
    """The unexplained share of the variance of one step, all columns weighing the same, and of the worst column."""

    setting: int
    left: float
    worst: float
    column: str


class Proposal(NamedTuple):
    """What to train with: rows to a step, observations in a window, and the figures behind both.

    `by_length` asks for every length of a step, `by_history` for every history at the proposed length.
    """

    rows_per_step: int
    history: int
    by_length: list[Foretold]
    by_history: list[Foretold]


def propose(log: Series, delay: int | None) -> Proposal | None:
    """Chooses step and history by what they leave unexplained; None where there are too few rows.

    Args:
        log: the columns that move.
        delay: the steps that the slowest action takes to be seen anywhere, where any was.
    """
    if not log.observed or not log.acted or (own := _with_steps(log, 1)) is None:
        return None
    longer = LENGTHS[1:] if own.left >= NOISY or (delay or 0) > LATE else ()
    known = [own, *(step for rows in longer if (step := _with_steps(log, rows)) is not None)]
    rows = _length(known, delay)
    log = longer_steps(log, rows)
    longest = max(HISTORIES) if len(inside(log, max(HISTORIES), 1)) >= FEWEST else 2
    histories = [_foretold(log, steps, steps, longest) for steps in HISTORIES if steps <= longest]
    tried = [one for one in histories if one is not None]
    if not tried:
        return None
    reaches_back = 1 if not delay else -(-delay // rows) + 1
    return Proposal(rows, max(_shortest(tried), reaches_back), known, tried)


def _with_steps(log: Series, rows: int) -> Foretold | None:
    """What is left of a step of so many rows; it is foretold from about as much of the past as eight rows."""
    history = max(2, 8 // rows)
    return _foretold(longer_steps(log, rows), rows, history, history)


def _length(known: Sequence[Foretold], delay: int | None) -> int:
    """The shortest step that is nearly as good as the best, where the log's own is too noisy or too short."""
    late = 0 if delay is None else delay
    least = -(-late // LATE) if late > LATE else 1
    possible = [one for one in known if one.setting >= least] or [known[-1]]
    if known[0].left < NOISY:
        return possible[0].setting
    clear = [one.setting for one in possible if one.left <= CLEAR]
    return clear[0] if clear else _shortest(possible)


def _shortest(tried: Sequence[Foretold]) -> int:
    """The first that is nearly as good as the best; the first of all where none is worth it."""
    first, best = tried[0].left, min(one.left for one in tried)
    if first - best < max(WORTH * first, LEAST):
        return tried[0].setting
    return next(one.setting for one in tried if one.left - best <= max(NEARLY * best, LEAST))


def _foretold(log: Series, setting: int, history: int, longest: int) -> Foretold | None:
    """What is left of one step with so long a window, in rows that have the longest; None where those are too few."""
    asked = np.flatnonzero(~log.exogenous)
    rows = some(inside(log, longest - 1, 1), ROWS)
    if len(rows) < FEWEST or not len(asked):
        return None
    half = halves(rows, len(log.begins))
    targets = (log.observations[rows + 1] - log.observations[rows])[:, asked]
    if min(half.sum(), (~half).sum()) < FEWEST // 2:
        return None
    inputs = _inputs(log, rows, history)
    left = np.zeros(len(asked))
    for chosen in (half, ~half):
        foretold = regression.predicted(inputs[chosen], targets[chosen], inputs[~chosen])
        left += np.square(targets[~chosen] - foretold).mean(0) / np.maximum(targets[~chosen].var(0), 1e-12) / 2
    left = np.minimum(left, 1)  # so much the mean leaves
    worst = int(left.argmax())
    return Foretold(setting, float(left.mean()), float(left[worst]), log.observed[asked[worst]])


def _inputs(log: Series, rows: np.ndarray, history: int) -> Float64[np.ndarray, "row feature"]:
    newest = np.concatenate([log.observations[rows], log.actions[rows]], axis=1)
    older = [past(log.observations, rows, 1, history - 1), past(log.actions, rows, 1, history - 1)]
    return np.concatenate([regression.features(newest), *older], axis=1)
