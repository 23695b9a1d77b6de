"""Robustness results of many runs side by side: the same group of the same protocol, method by method."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from micro_rl.compare.comparison import Column, Comparison
from micro_rl.compare.robust import Axis, Cell, Group, Robust
from micro_rl.compare.runs import Run
from micro_rl.stats import area_under_curve, cvar, interval, mean
from micro_rl.tasks import normalised


class Swept(NamedTuple):
    """A run's group; `results` are the episodes of each finished cell in the log's unit."""

    run: Run
    protocol: Robust
    group: Group
    nominal: float | None
    results: dict[tuple[float, ...], np.ndarray]

    def at(self, place: tuple[float, ...]) -> float:
        """Mean of a cell, NaN where it is missing."""
        return float(self.results[place].mean()) if place in self.results else np.nan


class Sweep(NamedTuple):
    """A group of a protocol on a log, by method; the axes are the same for all."""

    log: Column
    protocol: str
    name: str
    axes: tuple[Axis, ...]
    methods: dict[str, list[Swept]]

    @property
    def inert(self) -> dict[tuple[float, ...], str]:
        """Places where a part of the disturbance is declared to have no effect, and why."""
        cells = (cell for runs in self.methods.values() for run in runs for cell in run.group.cells.values())
        return {cell.coordinates: cell.inert for cell in cells if cell.inert}


def sweeps(found: Comparison) -> list[Sweep]:
    """By log, protocol and group; equal names with other axes are kept apart."""
    made: dict[tuple[str, str, str, tuple[Axis, ...]], Sweep] = {}
    for method in found.methods:
        for log in found.logs:
            for run in found.cell(method, log):
                for protocol in run.robust:
                    for group in protocol.groups:
                        key = (log.key, protocol.protocol, group.name, group.axes)
                        sweep = made.setdefault(key, Sweep(log, protocol.protocol, group.name, group.axes, {}))
                        sweep.methods.setdefault(method, []).append(_swept(run, protocol, group, log))
    return list(made.values())


def _swept(run: Run, protocol: Robust, group: Group, log: Column) -> Swept:
    return Swept(run, protocol, group, _nominal(run, protocol, group, log), _results(run, group.cells, log))


def _results(run: Run, cells: dict[tuple[float, ...], Cell], log: Column) -> dict[tuple[float, ...], np.ndarray]:
    return {place: np.array([_in_unit(one, run, log) for one in cell.returns]) for place, cell in cells.items()}


def _in_unit(value: float, run: Run, log: Column) -> float:
    score = normalised(value, run.task) if log.unit == "score" else None
    return value if score is None else score


def _nominal(run: Run, protocol: Robust, group: Group, log: Column) -> float | None:
    """Of the protocol's undisturbed group, else of the group's own undisturbed cell."""
    own = tuple(axis.nominal for axis in group.axes if axis.nominal is not None)
    plain = next((one.cells[()] for one in protocol.groups if not one.axes and one.cells), None)
    cell = plain or (group.cells.get(own) if len(own) == len(group.axes) else None)
    return float(np.mean([_in_unit(one, run, log) for one in cell.returns])) if cell else None


class Told(NamedTuple):
    """A figure of a method: mean over its runs that have it, and the interval over them (NaN below two)."""

    mean: float
    low: float
    high: float
    runs: int


def summary(sweep: Sweep, method: str) -> dict[str, Told | None]:
    """Nominal, mean, worst cell, CVaR of a tenth, and area under the curve of a method; None where it has none.

    They are taken as `micro-rl robust` takes them of a single run.
    """
    runs = sweep.methods[method]
    return {name: _over(runs, figure) for name, figure in FIGURES.items()}


def _over(runs: list[Swept], figure: Callable[[Swept], float | None]) -> Told | None:
    values = [value for run in runs if (value := figure(run)) is not None]
    if not values:
        return None
    told: Any = interval(mean, np.array(values)[:, None])
    return Told(float(told.point), float(told.low), float(told.high), len(values))


def _mean(run: Swept) -> float | None:
    return float(np.mean([returns.mean() for returns in run.results.values()])) if run.results else None


def _worst(run: Swept) -> float | None:
    return min((float(returns.mean()) for returns in run.results.values()), default=None)


def _cvar(run: Swept) -> float | None:
    return float(cvar(np.concatenate(list(run.results.values())), share=0.1)) if run.results else None


def _area(run: Swept) -> float | None:
    """Of a curve whose cells are all there; two places at least."""
    if len(run.group.axes) != 1 or len(run.results) != run.group.size or run.group.size < 2:
        return None
    along = sorted(run.results)
    return float(area_under_curve(np.array([place[0] for place in along]), np.array([run.at(at) for at in along])))


FIGURES: dict[str, Callable[[Swept], float | None]] = {
    "nominal": lambda run: run.nominal,
    "mean": _mean,
    "worst cell": _worst,
    "CVaR 10 %": _cvar,
    "area under the curve": _area,
}
