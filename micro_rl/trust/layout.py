"""The log as it will be judged by, before anything is fitted: its windows, its folds, its set-points."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from micro_rl.core.columns import titles
from micro_rl.core.expression import Expression
from micro_rl.core.types import Scaling
from micro_rl.core.wording import with_verb
from micro_rl.data import Dataset, windowed
from micro_rl.data.stretches import Stretches, all_alike
from micro_rl.errors import TooLittle
from micro_rl.trust.folds import Folds
from micro_rl.trust.grouping import folds_of
from micro_rl.trust.judge import Rows, rows_of
from micro_rl.trust.options import Options
from micro_rl.trust.rollouts import Limits
from micro_rl.trust.window_length import choose

STILL = 0.9
"""Share of the rows in which a column that is held does not change."""


class Layout(NamedTuple):
    """The log as it will be judged by, before anything is fitted."""

    dataset: Dataset
    windows: Stretches
    fold: Int[np.ndarray, " window"]
    folds: Folds
    rows: Rows
    scaling: Scaling
    limits: Limits | None
    reason: str
    """Why windows are so long."""
    held: str
    """Which columns are taken for exogenous without having been called so."""


def lay_out(dataset: Dataset, history: int, options: Options) -> Layout:
    """Cut the log into windows and folds.

    Raises:
        UserError: the log is too small, or its rewards are all the same.
    """
    if not len(dataset):
        raise TooLittle(f"{dataset.name}: has no row: log more")
    if all_alike(dataset):
        reward = f"{float(dataset.rewards[0]):g}"
        raise TooLittle(f"{dataset.name}: every reward is {reward}, so no policy is better: log one that differs")
    folds = folds_of(dataset, options.groups)
    dataset, held = with_held_columns(dataset)
    dataset = windowed(dataset, history)
    windows, reason = choose(dataset, options.window, folds)
    windows, fold = folds.of_windows(windows)
    folds, fold = _used(folds if options.made is None else folds._replace(made=options.made), fold)
    rows, scaling = rows_of(dataset, folds)
    return Layout(dataset, windows, fold, folds, rows, scaling, _limits(dataset, options.limits), reason, held)


def with_held_columns(dataset: Dataset) -> tuple[Dataset, str]:
    """Take columns that stand still most of the time and then jump, as set-points do, for exogenous.

    No Gaussian can follow them, and rollouts that try drift away from everything the log knows.

    Returns:
        The log with these columns exogenous, and a sentence that names them; empty where there are none.
    """
    width = dataset.observation_size
    rows = dataset.usable
    still = dataset.next_observations[rows][:, :width] == dataset.observations[rows][:, :width]
    varies = np.ptp(dataset.observations[:, :width], axis=0) > 0
    set_points = np.flatnonzero((still.mean(0) >= STILL) & varies & ~np.isin(np.arange(width), dataset.exogenous))
    if not len(set_points):
        return dataset, ""
    names = titles("observation", set_points.tolist(), dataset.columns.observations)
    sentence = (
        f"{names} stand still in {100 * STILL:.0f} % of the rows or more, as set-points do: rollouts take them from "
        "the log, as if no action moved them"
    )
    return replace(dataset, exogenous=tuple(sorted({*dataset.exogenous, *set_points.tolist()}))), sentence


def _used(folds: Folds, fold: Int[np.ndarray, " window"]) -> tuple[Folds, Int[np.ndarray, " window"]]:
    """Only the folds that hold at least two windows; rows of others belong to the one before."""
    numbers, counts = np.unique(fold, return_counts=True)
    filled = numbers[counts >= 2]
    if len(filled) < 4:
        raise TooLittle(
            f"only {with_verb(len(filled), 'part', 'of the log holds', 'of the log hold')} two windows or more, and 4 "
            "are needed to test a judge: take a shorter --window, other --groups, or log more"
        )
    renumbered = np.clip(np.searchsorted(filled, np.arange(folds.size), side="right") - 1, 0, None)
    few = [name for number, name in enumerate(folds.names) if number not in filled]
    described = (
        f"{folds.made}; too short to stand alone, and counted to the one before: {', '.join(few)}" if few else ""
    )
    names = tuple(folds.names[number] for number in filled)
    return Folds(renumbered[folds.of_row], names, described or folds.made), renumbered[fold]


class _Breaks(NamedTuple):
    """Which raw observations break one of the limits; two of the same text share a compiled program."""

    limits: tuple[Expression, ...]
    names: tuple[str, ...]

    def __call__(self, observation: Any) -> Any:
        values = {name: observation[..., place] for place, name in enumerate(self.names)}
        broken = ~self.limits[0](values)
        for limit in self.limits[1:]:
            broken = broken | ~limit(values)
        return broken


def _limits(dataset: Dataset, limits: tuple[Expression, ...]) -> Limits | None:
    names = tuple(column.name for column in dataset.columns.observations[: dataset.observation_size])
    return _Breaks(limits, names) if limits else None
