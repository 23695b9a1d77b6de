"""What is odd in single columns: a sensor that stood still, a value at its limit, values from another world."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int

from micro_rl.core.columns import Column, titles
from micro_rl.data.checks import codes, findings
from micro_rl.data.checks.findings import Finding
from micro_rl.data.dataset import Dataset
from micro_rl.data.stretches import all_alike

STUCK_ROWS = 12
"""So many equal values in a row are a standstill ..."""
LIVELY = 0.5
"""... in a column that otherwise changes at more than this share of its steps."""
OFTEN = 0.2
"""Share of the episodes, if there are several, that hold a standstill where standing still is usual."""
AT_LIMIT = 0.01
"""Share of the rows at its greatest or least value from which an observation counts as saturated ..."""
AT_BOUND = 0.5
"""... and at one of its bounds, an action."""
CONTINUOUS = 50
"""A column with fewer different values is a switch or a counter, which may stand still and has limits."""
FAR = 20
"""An outlier is further from the median than so many times the span of the middle 98 %."""
FAR_REWARD, HANDFUL = 1e3, 5
"""So far from the others, in so many rows, a reward is told."""
REWARD_TAIL, FEWEST_REWARDS = 1e-3, 10
"""This share of the rewards at either end is not held to be usual; fewer rewards tell nothing of what is."""
APART = 1e6
ROUNDINGS = 4
"""A column that varies by fewer roundings of its size does not vary."""
QUANTILE_ROWS = 100_000


class _Trait(NamedTuple):
    """One column that is odd in some way, with the rows where it is so and the values that tell."""

    place: int
    rows: Int[np.ndarray, " row"]
    values: tuple[float, ...] = ()


def odd(dataset: Dataset) -> list[Finding]:
    """Finds what is odd in single columns of observations and actions; of columns alike, one finding."""
    problems = findings.constant("action", dataset.actions, dataset.columns.actions)
    ends = dataset.terminals | dataset.timeouts
    for what, values, columns in (
        ("observation", dataset.observations, dataset.columns.observations),
        ("action", dataset.actions, dataset.columns.actions),
    ):
        traits: dict[str, list[_Trait]] = {}
        for place in range(len(columns)):
            for kind, trait in _odd_column(what, place, np.ascontiguousarray(values[:, place]), ends):
                traits.setdefault(kind, []).append(trait)
        problems += [_finding(kind, what, columns, alike, len(dataset)) for kind, alike in traits.items()]
    problems += _at_bounds(dataset)
    if len(dataset) > 1 and not np.ptp(dataset.rewards):
        left = "there is nothing to learn from them" if all_alike(dataset) else "all there is to learn is when to end"
        problems.append(findings.warning("reward-constant", f"rewards never change: {left}"))
    return problems + _far_rewards(dataset) + codes.odd(dataset) + _apart(dataset)


def _odd_column(
    what: str, place: int, values: Float32[np.ndarray, " row"], ends: Bool[np.ndarray, " row"]
) -> Iterator[tuple[str, _Trait]]:
    """The kinds of oddity in one column."""
    if len(values) < STUCK_ROWS or len(np.unique(values[: CONTINUOUS * 1000])) < CONTINUOUS:
        return
    if len(rows := stuck_rows(values, ends)):
        yield "stuck", _Trait(place, rows)
    if what == "observation" and len(rows := _limit_rows(values, ends)):
        yield "saturated", _Trait(place, rows, tuple(np.unique(values[rows]).tolist()))
    if len(rows := _far_rows(values)):
        yield "outlier", _Trait(place, rows, (float(values[rows[0]]),))


def _finding(kind: str, what: str, columns: Sequence[Column], traits: list[_Trait], total: int) -> Finding:
    """One sentence about all columns that are odd in that way."""
    many, places = len(traits) > 1, [trait.place for trait in traits]
    rows = np.unique(np.concatenate([trait.rows for trait in traits]))
    name = titles(what, places, columns)
    if kind == "stuck":
        text = f"{'stand' if many else 'stands'} still in {findings.listed(rows)} although {'they' if many else 'it'} "
        text += f"usually {'change' if many else 'changes'} from step to step: a stuck sensor?"
    elif kind == "saturated":
        text = f"{'are at their limits' if many else 'is at its limit'} ({_limits(traits)}) in "
        text += f"{_shares([len(trait.rows) / total for trait in traits], 1)} of the rows: clipped or saturated, and "
        text += "what lies beyond is not in the log"
    else:
        text = f"{'are' if many else 'is'} far from all {'their' if many else 'its'} other values in "
        text += f"{findings.listed(rows)}, as {traits[0].values[0]:.6g} in row {traits[0].rows[0]}: a code for a "
        text += "missing value, or a unit that changed?"
    return findings.warning(kind, f"{name} {text}", rows, places)


def _limits(traits: list[_Trait]) -> str:
    """The limits of several columns, each value once."""
    limits = list(dict.fromkeys(f"{limit:.6g}" for trait in traits for limit in trait.values))
    shown = limits[: findings.SHOWN]
    return " or ".join(shown) + " or ..." * (len(limits) > len(shown))


def _shares(shares: Sequence[float], digits: int) -> str:
    """'5.7 %', or from the least to the greatest."""
    low, high = (f"{100 * pick(shares):.{digits}f}" for pick in (min, max))
    return f"{low} %" if low == high else f"{low} to {high} %"


def stuck_rows(values: Float32[np.ndarray, " row"], ends: Bool[np.ndarray, " row"]) -> Int[np.ndarray, " stuck"]:
    """Finds the rows in standstills of a lively column, but for those at a place of rest.

    A place of rest is where an episode begins, or a value at which the column stands still more than once, or its
    greatest or least value: a stuck sensor keeps whatever it measured last, and nothing brings it there again. What
    stands still in many episodes is no sensor's fault but a thing that can be left alone, as a door is.
    """
    same = (values[1:] == values[:-1]) & ~ends[:-1]
    if same.mean() > LIVELY:
        return np.empty(0, np.int64)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.view(np.int8), [0]])))
    starts, stops = edges[::2], edges[1::2] + 1
    long = stops - starts >= STUCK_ROWS
    starts, stops = starts[long], stops[long]
    at = values[starts]
    _, place, times = np.unique(at, return_inverse=True, return_counts=True)
    begins = np.concatenate([[True], ends[:-1]])[starts]
    rest = (times[place] > 1) | begins | (at == values.min()) | (at == values.max())
    starts, stops = starts[~rest], stops[~rest]
    number = np.cumsum(np.concatenate([[0], ends[:-1]]))
    if number[-1] and len(np.unique(number[starts])) > OFTEN * (number[-1] + 1):
        return np.empty(0, np.int64)
    pieces = [np.arange(start, stop) for start, stop in zip(starts, stops, strict=True)]
    return np.concatenate(pieces) if pieces else np.empty(0, np.int64)


def _limit_rows(values: Float32[np.ndarray, " row"], ends: Bool[np.ndarray, " row"]) -> Int[np.ndarray, " limit"]:
    """Rows at the least or the greatest value, where these hold a visible share.

    An episode that begins there counts from where it has left: what nobody has touched yet is not saturated.
    """
    few = max(STUCK_ROWS, AT_LIMIT * len(values))
    at = np.zeros(len(values), bool)
    for limit in (values.min(), values.max()):
        here = values == limit
        if here.sum() >= few:
            here &= ~_untouched(here, ends)
            at |= here & (here.sum() >= few)
    return np.flatnonzero(at)


def _untouched(here: Bool[np.ndarray, " row"], ends: Bool[np.ndarray, " row"]) -> Bool[np.ndarray, " row"]:
    """Rows that are there, as all rows of their episode before."""
    row = np.arange(len(here))
    begin = np.maximum.accumulate(np.where(np.concatenate([[True], ends[:-1]]), row, 0))
    elsewhere = np.maximum.accumulate(np.where(here, -1, row))
    return elsewhere < begin


def _far_rows(values: Float32[np.ndarray, " row"]) -> Int[np.ndarray, " far"]:
    """Rows far outside the span of the middle of the column."""
    sample = values
    if len(values) > QUANTILE_ROWS:
        sample = values[np.random.default_rng(0).integers(len(values), size=QUANTILE_ROWS)]
    low, middle, high = np.quantile(sample, [0.01, 0.5, 0.99])
    return np.flatnonzero(np.abs(values - middle) > FAR * (high - low)) if high > low else np.empty(0, np.int64)


def _at_bounds(dataset: Dataset) -> list[Finding]:
    """Actions that are at one of their bounds most of the time."""
    slack = 1e-3 * (dataset.action_high - dataset.action_low) / 2
    at = (dataset.actions <= dataset.action_low + slack) | (dataset.actions >= dataset.action_high - slack)
    often = at.mean(0)
    places = np.flatnonzero(often > AT_BOUND).tolist()
    if not places:
        return []
    many = len(places) > 1
    text = (
        f"{titles('action', places, dataset.columns.actions)} {'are' if many else 'is'} at one of "
        f"{'their' if many else 'its'} bounds in {_shares([float(often[place]) for place in places], 0)} of the rows: "
        "the log tells little about the actions between"
    )
    return [findings.warning("action-saturated", text, np.flatnonzero(at[:, places].any(1)), places)]


def _far_rewards(dataset: Dataset) -> list[Finding]:
    """A handful of rewards a thousandfold from all others, elsewhere than where an episode ends.

    The others are what lies between two quantiles, which leave out a row at either end at the least: of a small log
    the single far reward would else be one of them.
    """
    rewards, ends = dataset.rewards, dataset.terminals | dataset.timeouts
    if len(rewards) < FEWEST_REWARDS:
        return []
    tail = max(REWARD_TAIL, 1 / (len(rewards) - 1))
    low, high = np.quantile(rewards, [tail, 1 - tail])
    far = np.flatnonzero((np.abs(rewards - (low + high) / 2) > FAR_REWARD * (high - low)) & ~ends)
    if not len(far) or high <= low or len(far) > HANDFUL:
        return []
    text = (
        f"the reward is a thousandfold from all others in {findings.listed(far)}, as {rewards[far[0]]:.6g} in row "
        f"{far[0]}: a mark, or a unit that changed? All rewards are scaled by it"
    )
    return [findings.warning("outlier", text, far)]


def _apart(dataset: Dataset) -> list[Finding]:
    """Observation columns whose spreads differ a millionfold."""
    spread = dataset.observations.std(0, dtype=np.float64)
    rounding = ROUNDINGS * np.finfo(np.float32).eps * np.abs(dataset.observations).max(0)
    moving = np.flatnonzero(spread > rounding)
    if not len(moving) or spread[moving].max() < APART * spread[moving].min():
        return []
    small, large = (int(moving[pick(spread[moving])]) for pick in (np.argmin, np.argmax))
    text = (
        f"observation columns differ in scale: {large} varies by {spread[large]:.3g}, {small} by {spread[small]:.3g}: "
        "fine while training standardises them (the default)"
    )
    return [findings.warning("scales", text, columns=[small, large])]
