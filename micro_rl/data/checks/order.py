"""Whether rewards and actions stand in the row of the transition they belong to, or some rows away.

A transition explains its own reward better than its neighbour's. So the reward of the same row and of the rows around
are each fitted to the transition, with a ridge on its quantities, their products and random bends of them; a log is
suspicious when a neighbour's is the one that fits. In the same way an action should explain its own row's step.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int

from micro_rl.core.wording import plural
from micro_rl.data.checks import findings, regression
from micro_rl.data.checks.findings import Finding
from micro_rl.data.dataset import Dataset

ROWS = 8_000
"""At most so many are looked at, drawn with a fixed seed."""
FEWEST = 200
SHIFTS = (-2, -1, 0, 1, 2)
CLEARER = 0.7
"""A shift is reported when it leaves less than this share of the unexplained variance that the log's order leaves..."""
WORTH = 0.25
"""... and explains at least this share of the variance."""
ENOUGH = 0.9
"""Where the log's own order explains so much, what is left is little to compare ..."""
DECISIVE = 0.25
"""... and a shift must leave less than this share of it."""
ALIKE = 1.3
"""Unexplained variances within this factor of the least are alike."""
BLOCKS = 20
"""Pieces of a log that are fitted and tested in turn, so that both hold rows from its start to its end."""


class Order(NamedTuple):
    """Share of the variance explained (R², on rows that were not fitted) for each shift of `SHIFTS`."""

    explained: tuple[float, ...]
    alone: float = -math.inf
    """The same for the best shift from a single observation: the one before the step for rewards of rows above."""
    column: str = ""
    """The observation whose step was looked at."""

    @property
    def best(self) -> int:
        """The shift that explains most; of several that explain almost as much, the smallest."""
        left = 1 - np.array(self.explained)
        near = [shift for shift, unexplained in zip(SHIFTS, left, strict=True) if unexplained <= ALIKE * left.min()]
        return min(near, key=abs)

    @property
    def suspicious(self) -> bool:
        """Whether another order than the log's explains clearly more."""
        best, own = max(self.explained), self.explained[SHIFTS.index(0)]
        if 1 - self.alone <= ALIKE * (1 - best):
            return False  # the reward of an observation, which two rows know
        clearer = DECISIVE if own >= ENOUGH else CLEARER
        return bool(self.best != 0 and best > WORTH and 1 - best < clearer * (1 - own))

    def without(self, shift: int) -> "Order":
        """The same, but that a shift is out of the question."""
        explained = (-math.inf if at == shift else share for at, share in zip(SHIFTS, self.explained, strict=True))
        return self._replace(explained=tuple(explained))


def reward_order(dataset: Dataset) -> Order | None:
    """Measures how well row i's transition explains the reward of row i + shift; None for too few rows."""
    rows = _inner_rows(dataset)
    if len(rows) < FEWEST or np.ptp(dataset.rewards) == 0:
        return None
    parts = (dataset.observations, dataset.actions, dataset.next_observations - dataset.observations)
    inputs = regression.features(np.concatenate([part[rows] for part in parts], axis=1, dtype=np.float64))
    targets = np.stack([dataset.rewards[rows + shift] for shift in SHIFTS], axis=1).astype(np.float64)
    order = Order(tuple(_explained(inputs, targets)))
    if not order.best:
        return order
    single = dataset.observations if order.best < 0 else dataset.next_observations
    target = dataset.rewards[rows + order.best, None].astype(np.float64)
    alone = _explained(regression.features(single[rows].astype(np.float64)), target)
    return order._replace(alone=float(alone[0]))


def action_order(dataset: Dataset) -> Order | None:
    """Measures how well the action of row i + shift explains, beside row i's observation, the step of row i.

    It is measured on the column of which actions explain most, of those that follow their own row's action if there are
    any; one that was set by somebody else is none of them.
    """
    rows = _inner_rows(dataset)
    if len(rows) < FEWEST:
        return None
    before = dataset.observations[rows].astype(np.float64)
    steps = dataset.next_observations[rows].astype(np.float64) - before
    moved = np.setdiff1d(np.flatnonzero(steps.std(0) > 0), dataset.exogenous)
    if not moved.size:
        return None
    steps = steps[:, moved]
    idle = _explained(regression.features(before), steps)
    actions = {shift: dataset.actions[rows + shift].astype(np.float64) for shift in SHIFTS}
    beside = {shift: regression.features(np.concatenate([before, acted], axis=1)) for shift, acted in actions.items()}
    explained = np.stack([_explained(features, steps) for features in beside.values()])
    column = _telling(explained - np.maximum(idle, 0))
    name = str(dataset.columns.observations[moved[column]])
    order = Order(tuple(explained[:, column]), column=name)
    while order.best > 0 and _know_later(dataset, rows, actions[order.best], order.best):
        order = order.without(order.best)
    return order


def _telling(gains: Float64[np.ndarray, "shift column"]) -> int:
    """The column of which actions explain most beyond what is explained without them."""
    own = gains[SHIFTS.index(0)]
    follows = (own == gains.max(0)) & (own > WORTH)
    return int(np.argmax(np.where(follows, own, -np.inf) if follows.any() else gains.max(0)))


def _know_later(
    dataset: Dataset, rows: Int[np.ndarray, " row"], actions: Float64[np.ndarray, "row action"], shift: int
) -> bool:
    """Whether the actions of so many rows below answer an observation that came after the step."""
    return any(_answer(dataset, rows, actions, below) for below in range(1, shift + 1))


def _answer(
    dataset: Dataset, rows: Int[np.ndarray, " row"], actions: Float64[np.ndarray, "row action"], below: int
) -> bool:
    """Whether actions answer the observation so many rows below, and so know of the steps that led there.

    A feedback controller's do. That observation explains an action better than row i's, and nearly whole, or what row
    i's adds is next to nothing.
    """
    after, before = (dataset.observations[at].astype(np.float64) for at in (rows + below, rows))
    inputs = (after, before, np.concatenate([after, before], axis=1))
    by_after, by_before, by_both = (1 - _explained(regression.features(known), actions) for known in inputs)
    whole = (by_after <= 1 - ENOUGH) & (by_after < CLEARER * by_before)
    return bool(np.all(whole | (by_both >= CLEARER * by_after)))


def shifted(dataset: Dataset) -> list[Finding]:
    """Warns of rewards, and of actions, that fit the transitions of other rows better than their own."""
    problems = []
    rewards, actions = reward_order(dataset), action_order(dataset)
    if rewards and rewards.suspicious:
        text = (
            f"rewards do not follow the transitions: row i's transition explains {_share(max(rewards.explained))} of "
            f"the variance of the reward in row i{rewards.best:+d}, {_share(rewards.explained[2])} of its own: "
            "put each reward into the row of the step that earned it"
        )
        problems.append(findings.warning("reward-order", text))
    if actions and actions.suspicious:
        late = f", or the system acts {plural(-actions.best, 'row')} late" if actions.best < 0 else ""
        text = (
            f"actions do not follow the transitions: with the action of row i{actions.best:+d}, "
            f"{_share(max(actions.explained))} of the variance of the step of {actions.column} in row i is explained, "
            f"with its own {_share(actions.explained[2])}: each action stands in the row of another step{late}; "
            "put each into the row of the observation that it answered"
        )
        problems.append(findings.warning("action-order", text))
    return problems


def _share(explained: float) -> str:
    return f"{100 * max(0.0, explained):.0f} %"


def _inner_rows(dataset: Dataset) -> Int[np.ndarray, " row"]:
    """Rows whose neighbours at every shift are steps of the same episode, a sample of them where there are many."""
    reach = max(SHIFTS)
    episode = np.repeat(np.arange(len(dataset.stops)), dataset.lengths)
    rows = np.arange(reach, len(dataset) - reach)
    rows = rows[(episode[rows - reach] == episode[rows + reach]) & dataset.usable[rows]]
    if len(rows) <= ROWS:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, ROWS, replace=False))


def _explained(
    features: Float64[np.ndarray, "row feature"], targets: Float64[np.ndarray, "row target"]
) -> Float64[np.ndarray, " target"]:
    """R² of each target, half of the blocks of rows predicted from the others: rows side by side are too much alike."""
    block = np.arange(len(features)) * BLOCKS // len(features)
    left = np.empty_like(targets)
    for part in (0, 1):
        known, test = block % 2 == part, block % 2 != part
        left[test] = targets[test] - regression.predicted(features[known], targets[known], features[test])
    variance = targets.var(0)
    return 1 - np.square(left).mean(0) / np.where(variance > 0, variance, np.inf)
