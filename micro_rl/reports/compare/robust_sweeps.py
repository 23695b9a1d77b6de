"""Robustness results of many runs side by side: the same group of the same protocol, method by method."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from micro_rl.core.tasks import normalised
from micro_rl.core.wording import plural
from micro_rl.reports.compare.compared_runs import Run
from micro_rl.reports.compare.comparison import Column, Comparison
from micro_rl.reports.compare.robust_results import UNDISTURBED, Axis, Cell, Group, Robust, World
from micro_rl.reports.compare.score_tables import over_seeds
from micro_rl.reports.stats import cvar, interval, mean
from micro_rl.reports.stats.risk import area_of, worst_cell

RESAMPLES = 2000
"""Of a single run's episodes."""


class Swept(NamedTuple):
    """A run's group in the log's unit: `results` are the episodes of each finished cell, `nominal` undisturbed ones."""

    run: Run
    protocol: Robust
    group: Group
    nominal: np.ndarray | None
    results: dict[tuple[float, ...], np.ndarray]

    def at(self, point: tuple[float, ...]) -> float:
        """Mean of a cell, NaN where it is missing."""
        return float(self.results[point].mean()) if point in self.results else np.nan


class Sweep(NamedTuple):
    """A group of a protocol on a log, by method; axes and world are the same for all, and so is the log's unit here.

    `apart` tells its world from those of other results by that protocol, to stand behind the protocol's name.
    """

    log: Column
    protocol: str
    name: str
    axes: tuple[Axis, ...]
    world: World
    methods: dict[str, list[Swept]]
    apart: str = ""

    @property
    def inert(self) -> dict[tuple[float, ...], str]:
        """Places where a part of the disturbance is declared to have no effect, and why."""
        cells = (cell for runs in self.methods.values() for run in runs for cell in run.group.cells.values())
        return {cell.coordinates: cell.inert for cell in cells if cell.inert}


def sweeps(comparison: Comparison) -> list[Sweep]:
    """By log, protocol and group; equal names with other axes, worlds or units are kept apart."""
    by_key: dict[tuple[Any, ...], Sweep] = {}
    for method in comparison.methods:
        for log in comparison.logs:
            for run in comparison.cell(method, log):
                for protocol in run.robust:
                    measured = _measured(log, protocol)
                    for group in protocol.groups:
                        about = (measured, protocol.protocol, group.name, group.axes, protocol.world)
                        sweep = by_key.setdefault((log.key, *about), Sweep(*about, {}))
                        sweep.methods.setdefault(method, []).append(_swept(run, protocol, group, measured.unit))
    return [sweep._replace(apart=_apart(sweep, by_key.values())) for sweep in by_key.values()]


def _measured(log: Column, protocol: Robust) -> Column:
    """The log in the unit of results by the protocol, without its own returns where those have another one."""
    scored = log.unit == "score" and normalised(0.0, protocol.task) is not None
    return log if scored or log.unit == "return" else log._replace(unit="return", mean=None, best=None)


def _apart(sweep: Sweep, sweeps: Iterable[Sweep]) -> str:
    """What tells the sweep's world from others in which its log's runs were tried by that protocol."""
    key, world = (sweep.log.key, sweep.protocol), sweep.world
    worlds = [other.world for other in sweeps if (other.log.key, other.protocol) == key]
    words = ""
    if len({other.env for other in worlds}) > 1:
        words += f" in {world.env[:100]}" if world.env else " in an unnamed simulator"
    if len({other.answers for other in worlds}) > 1:
        words += f", answers {world.answers[:8]}" if world.answers else ", answers not recorded"
    if len({other.horizon for other in worlds}) > 1:
        words += f" up to {plural(world.horizon, 'step')}" if world.horizon else " without a time limit"
    if len({other.changes for other in worlds}) > 1:
        words += f", contents {world.changes[:8]}" if world.changes else ", contents not recorded"
    return words


def _swept(run: Run, protocol: Robust, group: Group, unit: str) -> Swept:
    return Swept(run, protocol, group, _nominal(protocol, group, unit), _results(protocol, group.cells, unit))


def _results(protocol: Robust, cells: dict[tuple[float, ...], Cell], unit: str) -> dict[tuple[float, ...], np.ndarray]:
    return {point: _in_unit(cell, protocol, unit) for point, cell in cells.items()}


def _in_unit(cell: Cell, protocol: Robust, unit: str) -> np.ndarray:
    scores = [normalised(value, protocol.task) if unit == "score" else value for value in cell.returns]
    return np.array(scores, np.float64)


def _nominal(protocol: Robust, group: Group, unit: str) -> np.ndarray | None:
    """Of the protocol's undisturbed group, else of the group's own undisturbed cell."""
    own = tuple(axis.nominal for axis in group.axes if axis.nominal is not None)
    plain = next((other.cells.get(()) for other in protocol.groups if other.name == UNDISTURBED), None)
    cell = plain or (group.cells.get(own) if len(own) == len(group.axes) > 0 else None)
    return _in_unit(cell, protocol, unit) if cell else None


class Estimate(NamedTuple):
    """A figure of a method: mean over its runs that have it, and its 95 % interval.

    The interval is over runs, or of a single run over its episodes, each in all cells; NaN where there is neither.
    """

    mean: float
    low: float
    high: float
    runs: int


class Figure(NamedTuple):
    """What is taken of a run's episodes[episode, cell], NaN where a cell has fewer; None where it has none to take."""

    episodes: Callable[[Swept], np.ndarray | None]
    statistic: Callable[[Swept], Callable[[np.ndarray], Any]]


def summary(sweep: Sweep, method: str) -> dict[str, Estimate | None]:
    """Nominal, mean, worst cell, CVaR of a tenth, and area under the curve of a method; None where it has none.

    They are taken as `micro-rl robust` takes them of a single run.
    """
    return {name: _over(sweep.methods[method], figure) for name, figure in FIGURES.items()}


def _over(runs: list[Swept], figure: Figure) -> Estimate | None:
    having = [(run, episodes) for run in runs if (episodes := figure.episodes(run)) is not None]
    if not having:
        return None
    if len(having) == 1:
        run, episodes = having[0]
        estimate = interval(figure.statistic(run), episodes, resamples=RESAMPLES, whole_rows=True)
    else:
        estimate = over_seeds([float(figure.statistic(run)(episodes)) for run, episodes in having])
    return Estimate(float(estimate.point), float(estimate.low), float(estimate.high), len(having))


def _block(results: Sequence[np.ndarray]) -> np.ndarray | None:
    """Side by side as [episode, cell], None where there are none."""
    if not results:
        return None
    block = np.full((max(map(len, results)), len(results)), np.nan)
    for cell, returns in enumerate(results):
        block[: len(returns), cell] = returns
    return block


def _cells(run: Swept) -> np.ndarray | None:
    return _block([run.results[point] for point in sorted(run.results)])


def _whole_curve(run: Swept) -> np.ndarray | None:
    """Of one axis with two places at least and no cell missing."""
    whole = len(run.group.axes) == 1 and len(run.results) == run.group.size > 1
    return _cells(run) if whole else None


def _area(run: Swept) -> Callable[[np.ndarray], Any]:
    return area_of(np.array([point[0] for point in sorted(run.results)]))


FIGURES = {
    "nominal": Figure(lambda run: None if run.nominal is None else run.nominal[:, None], lambda run: mean),
    "mean": Figure(_cells, lambda run: mean),
    "worst cell": Figure(_cells, lambda run: worst_cell),
    "CVaR 10 %": Figure(_cells, lambda run: partial(cvar, share=0.1)),
    "area under the curve": Figure(_whole_curve, _area),
}
