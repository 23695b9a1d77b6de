"""How many steps pass from an action to what it moves, told from the log even where a controller chose the action.

Under a controller an action follows from what was observed, so that the two are alike at every lag. What is looked at
is therefore the part of an action that its past does not tell: what is left after a regression on the observations and
actions before it (a set-point that was moved, a hand at the valve, noise). It cannot depend on anything later, and what
it goes along with later it caused. With it later observations are compared, of each what the same past and the
observations between do not tell: local projections, a partial correlation at each horizon. An effect counts where both
halves of the log show it with the same sign.

A set-point, exogenous and nearly always at rest, is no part of that past: nothing but the controller answers it, so its
moves are the best experiment that there is.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from micro_rl.reports.log.windows_of_rows import Series, halves, inside, past, some

LONGEST = 20
"""Steps that a delay may take."""
REMEMBERED = 4
"""Observations of which an action's past is made."""
ROWS = 20_000
FEWEST = 300
AT_REST = 0.9
"""Share of the rows in which a set-point stays what it was."""
SURE = 3.5
"""Standard errors by which an effect must differ from 0, in each half of the rows."""
WEAK = 0.005
"""R² of the observation's news below which an effect is passed over."""
SHARE = 0.1
"""Of the largest effect: a smaller one before it is leakage, not the beginning."""
DECIDED = 1e-3
"""Share of an action's variance below which what its past does not tell is rounding."""
REACHED = 0.63


class Delay(NamedTuple):
    """Steps from an action to the first observation that shows it beyond the next one, and to 63 % of the response.

    0 is the quickest there can be: the next observation shows it. `explained` is the part of the observation's
    variance, the past taken out, that the action explains at its best horizon.
    """

    action: str
    observation: str
    steps: int
    reached: int
    explained: float


class Delays(NamedTuple):
    """What was seen; `decided` are actions that follow from the past, whose effect nothing in the log can tell.

    `moved` are exogenous observations that an action seems to move: they are not exogenous then.
    """

    effects: list[Delay]
    decided: list[str]
    moved: list[str]
    free: list[float]
    """Of each action in the log's order, the share of its variance that its past does not tell."""
    rows: int
    longest: int

    @property
    def slowest(self) -> int | None:
        """The steps that the slowest action takes until any observation shows it; None where none was seen."""
        first: dict[str, int] = {}
        for pair in self.effects:
            first[pair.action] = min(pair.steps, first.get(pair.action, pair.steps))
        return max(first.values(), default=None)


def delays(log: Series) -> Delays | None:
    """Measures every action's delay to every observation; None where there are too few rows."""
    starts = np.flatnonzero(log.begins)
    usual = int(np.median(np.diff(np.append(starts, len(log.begins)))))
    longest = min(LONGEST, (usual - REMEMBERED) // 3)
    if longest < 1 or not log.acted or not log.observed:
        return None
    rows = some(inside(log, max(longest, REMEMBERED), longest + 1), ROWS)
    if len(rows) < FEWEST + 4 * (REMEMBERED * len(log.observed) + longest * len(log.acted)):
        return None
    remembered = past(log.observations[:, ~_set_points(log)], rows, 0, REMEMBERED - 1)
    known = np.concatenate([np.ones((len(rows), 1)), remembered, past(log.actions, rows, 1, longest)], axis=1)
    later = np.concatenate([log.observations[rows + 1 + steps] for steps in range(longest + 1)], axis=1)
    action = log.actions[rows]
    both = _residual(np.concatenate([action, later], axis=1), known)
    own, later = both[:, : action.shape[1]], both[:, action.shape[1] :]
    free = (own.var(0) / action.var(0)).tolist()
    half = halves(rows, len(log.begins))
    news = _news(later, longest + 1, len(log.observed))
    pairs = []
    for place, name in enumerate(log.acted):
        if free[place] < DECIDED:
            continue
        others = np.delete(own, place, axis=1)
        alone = _residual(own[:, place : place + 1], others)[:, 0]
        shape = (longest + 1, len(log.observed))
        parts = [part.reshape(shape) for part in (*_responses(alone, news, half), alone @ later)]
        answers = [(column, _first(*(part[:, column] for part in parts))) for column in range(len(log.observed))]
        pairs += [Delay(name, log.observed[column], *answer) for column, answer in answers if answer]
    outside = {log.observed[column] for column in np.flatnonzero(log.exogenous)}
    weather = outside - {log.observed[column] for column in np.flatnonzero(_set_points(log))}
    moved = sorted({pair.observation for pair in pairs if pair.observation in weather})
    pairs = [pair for pair in pairs if pair.observation not in outside]
    decided = [name for place, name in enumerate(log.acted) if free[place] < DECIDED]
    return Delays(pairs, decided, moved, free, len(rows), longest)


def _set_points(log: Series) -> Bool[np.ndarray, " obs"]:
    """Exogenous observations that nearly always stay what they were."""
    rests = (np.diff(log.observations, axis=0) == 0).mean(0) >= AT_REST
    return log.exogenous & rests


def _news(later: np.ndarray, horizons: int, columns: int) -> Float64[np.ndarray, "row later"]:
    """Of each later observation what the same column's, between it and the action, do not tell."""
    news = np.empty_like(later)
    for column in range(columns):
        own = later[:, column::columns]
        q, r = np.linalg.qr(own)
        news[:, column::columns] = q * np.diagonal(r)
    assert later.shape[1] == horizons * columns
    return news


def _residual(values: np.ndarray, known: np.ndarray) -> Float64[np.ndarray, "row column"]:
    """What a regression on the known columns leaves."""
    if not known.shape[1]:
        return values
    gram = known.T @ known
    gram[np.diag_indices_from(gram)] += 1e-9 * len(known)
    return values - known @ np.linalg.solve(gram, known.T @ values)


def _responses(own: np.ndarray, later: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each later column: the change for a unit of the action, whether both halves are sure of it, and R²."""
    slopes, scores = [], []
    for chosen in (half, ~half):
        cause, effects = own[chosen, None], later[chosen]
        power = max(float((cause**2).sum()), 1e-300)
        slope = (cause * effects).sum(0) / power
        error = np.sqrt(np.maximum(((cause * (effects - cause * slope)) ** 2).sum(0), 1e-300)) / power
        slopes.append(slope)
        scores.append(slope / error)
    sure = (np.minimum(np.abs(scores[0]), np.abs(scores[1])) > SURE) & (slopes[0] * slopes[1] > 0)
    effect = (slopes[0] + slopes[1]) / 2
    return effect, sure, effect**2 * own.var() / np.maximum(later.var(0), 1e-300)


def _first(
    effect: np.ndarray, sure: np.ndarray, explained: np.ndarray, response: np.ndarray
) -> tuple[int, int, float] | None:
    """The first horizon at which the response has begun, the one at which most of it is there, and the best R²."""
    sure = sure & (explained >= WEAK)
    if not sure.any():
        return None
    begun = int(np.flatnonzero(sure & (np.abs(effect) >= SHARE * np.abs(effect[sure]).max()))[0])
    most = int(np.flatnonzero(np.abs(response) >= REACHED * np.abs(response).max())[0])
    return begun, max(most, begun), float(explained[sure].max())
