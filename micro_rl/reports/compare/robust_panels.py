"""What runs withstand as figures: heat maps where two things are varied, curves where one is."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from micro_rl.core.wording import number
from micro_rl.reports.compare.curve_panels import usual
from micro_rl.reports.compare.palette import Style, bend, drawable
from micro_rl.reports.compare.robust_results import Axis
from micro_rl.reports.compare.robust_sweeps import Sweep, Swept
from micro_rl.reports.compare.robust_table import everywhere, inert
from micro_rl.reports.run import figures
from micro_rl.reports.run.figures import NARROW, ROW, SOLID, Size
from micro_rl.reports.run.panels import Panel, Swatch
from micro_rl.reports.stats import interval, mean

MOST = 15
"""Values of an axis that a heat map can show; larger grids are in the table only."""
SMALL = 7
"""More values than these, and the figures are small and whole."""
MAP = Size(360, 320, 12)
DEEPEST = -20.0
"""The lowest score with a colour of its own."""


class Grids(NamedTuple):
    """A two-axis group: a map for each method on one scale of colours, and what the colours mean."""

    title: str
    caption: str
    legend: list[Swatch]
    maps: list[Panel]


def grids(sweep: Sweep, place: int) -> Grids | None:
    """None where it has not two axes, no cell is finished, or a map would be too fine to read."""
    if len(sweep.axes) != 2 or max(len(axis.values) for axis in sweep.axes) > MOST:
        return None
    values = {method: _grid(sweep, runs) for method, runs in sweep.methods.items()}
    known = np.concatenate([grid[~np.isnan(grid)] for grid in values.values()])
    if not len(known):
        return None
    low, high = _scale(known, sweep)
    maps = []
    for index, (method, grid) in enumerate(values.items()):

        def draw(axes: Axes, grid: np.ndarray = grid) -> None:
            _map(axes, sweep, grid, low, high)

        count = len(sweep.methods[method])
        title = f"{method}, {count} seeds" if count > 1 else method
        picture = figures.drawing(draw, MAP, f"map{place}-{index}", f"{sweep.name}: {method}")
        maps.append(Panel(title, "", [], [("only", picture)]))
    return Grids(sweep.name + sweep.apart, _caption(sweep, known, low), _legend(low, high), maps)


def _grid(sweep: Sweep, runs: list[Swept]) -> np.ndarray:
    """Mean over the runs that have a cell: [second axis, first axis], NaN where none has."""
    first, second = sweep.axes
    grid = np.full((len(second.values), len(first.values)), np.nan)
    for row, up in enumerate(second.values):
        for column, along in enumerate(first.values):
            means = [run.at((along, up)) for run in runs if (along, up) in run.results]
            if means:
                grid[row, column] = np.mean(means)
    return grid


def _scale(known: np.ndarray, sweep: Sweep) -> tuple[float, float]:
    """Ends of the colours, the same for all methods."""
    low, high = float(known.min()), float(known.max())
    if sweep.log.unit == "score":
        low = max(low, min(DEEPEST, high - 20))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _map(axes: Axes, sweep: Sweep, grid: np.ndarray, low: float, high: float) -> None:
    first, second = sweep.axes
    hatched = {} if everywhere(sweep) else sweep.inert
    small = len(first.values) > SMALL
    for row, up in enumerate(second.values):
        for column, along in enumerate(first.values):
            value = float(grid[row, column])
            share = (value - low) / (high - low)
            _cell(axes, (column, row), value, share, (along, up) in hatched, small)
    axes.set_xlim(-0.5, len(first.values) - 0.5)
    axes.set_ylim(-0.5, len(second.values) - 0.5)
    _mark_nominal(axes, first, second)
    figures.bare(axes)
    axes.grid(visible=False)
    axes.set_xticks(range(len(first.values)), [f"{value:.{2 if small else 3}g}" for value in first.values])
    axes.set_yticks(range(len(second.values)), [f"{value:.3g}" for value in second.values])
    axes.tick_params(labelsize=9.5 if small else 12)
    figures.label(axes, MAP, drawable(second.name), drawable(first.name))
    axes.set_position((0.13, 0.13, 0.85, 0.78))


def _cell(axes: Axes, at: tuple[int, int], value: float, share: float, hatched: bool, small: bool) -> None:
    missing = np.isnan(value)
    face = "#ffffff" if missing else to_hex(colormaps["cividis"](min(max(share, 0.0), 1.0)))
    style: dict[str, Any] = {"facecolor": face, "edgecolor": "#777777" if hatched else "#ffffff"}
    if hatched:
        style["hatch"] = "////"
    axes.add_patch(Rectangle((at[0] - 0.5, at[1] - 0.5), 1, 1, linewidth=1, **style))
    colour = "#555555" if missing else "#ffffff" if share < 0.5 else "#111111"
    box = {"facecolor": face, "edgecolor": "none", "pad": 1.0} if hatched and not missing else None
    text = (
        "–"
        if missing
        else f"{round(value):,}".replace("-", "−")
        if small or abs(value) >= 100
        else number(round(value, 1))
    )
    axes.text(*at, text, bbox=box, color=colour, ha="center", va="center", fontsize=9 if small else 11, zorder=3)


def _mark_nominal(axes: Axes, first: Axis, second: Axis) -> None:
    """A frame around the undisturbed cell, or a ring where it lies between cells."""
    across, up = _place(first), _place(second)
    if across is None or up is None:
        return
    corner = (across - 0.46, up - 0.46)
    for colour, width in (("#ffffff", 4.5), ("#D55E00", 2.5)):
        if framed(first, second):
            axes.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, edgecolor=colour, linewidth=width, zorder=4))
        else:
            ring: dict[str, Any] = {"markersize": 9, "markerfacecolor": "none", "linestyle": "none", "zorder": 4}
            axes.plot([across], [up], marker="o", markeredgecolor=colour, markeredgewidth=width, **ring)


def _place(axis: Axis) -> float | None:
    """Where along the cells nothing is disturbed."""
    return None if axis.nominal is None else float(np.interp(axis.nominal, axis.values, range(len(axis.values))))


def framed(first: Axis, second: Axis) -> bool:
    """Whether the undisturbed simulator is one of the cells."""
    return first.nominal in first.values and second.nominal in second.values


def _legend(low: float, high: float) -> list[Swatch]:
    """Five colours and what they stand for."""
    shares = np.linspace(0, 1, 5)
    return [
        Swatch(number(round(low + share * (high - low), 1)), to_hex(colormaps["cividis"](share)), SOLID)
        for share in shares
    ]


def _caption(sweep: Sweep, known: np.ndarray, low: float) -> str:
    unit = "normalised score" if sweep.log.unit == "score" else "return"
    parts = [f"Mean {unit} of each cell’s episodes, on one scale of colours; brighter is better."]
    if framed(*sweep.axes):
        parts.append("The framed cell is the undisturbed simulator.")
    elif all(axis.nominal is not None for axis in sweep.axes):
        parts.append("The ring is the undisturbed simulator, which lies between cells.")
    if known.min() < low:
        parts.append(f"Cells below {number(low)} have the darkest colour.")
    return " ".join([*parts, inert(sweep)]).strip()


def curves(sweep: Sweep, place: int, looks: dict[str, Style]) -> Panel | None:
    """Methods over one axis; None where it has not one axis, or no cell is finished."""
    if len(sweep.axes) != 1 or not any(run.results for runs in sweep.methods.values() for run in runs):
        return None
    pictures, remark = [], ""
    for kind, size in (("wide", ROW), ("narrow", NARROW)):

        def draw(axes: Axes, size: Size = size) -> None:
            nonlocal remark
            remark = _curves(axes, size, sweep, looks)

        pictures.append((kind, figures.drawing(draw, size, f"sweep{place}-{kind}", sweep.name)))
    legend = [Swatch(method, looks[method].colour, looks[method].dash) for method in sweep.methods]
    band = "The band goes from the worst to the best seed, or over the 95 % interval of the episodes of a single one."
    return Panel(sweep.name + sweep.apart, " ".join(filter(None, [band, remark, inert(sweep)])), legend, pictures)


def _curves(axes: Axes, size: Size, sweep: Sweep, looks: dict[str, Style]) -> str:
    heights: list[float] = []
    for method, runs in reversed(sweep.methods.items()):
        along = sorted({at for run in runs for at in run.results})
        if not along:
            continue
        middle = [float(np.nanmean([run.at(at) for run in runs])) for at in along]
        ends = [_band(runs, at) for at in along]
        where, look = [at[0] for at in along], looks[method]
        axes.plot(where, middle, linewidth=1.8, marker=look.marker, markersize=4.5, zorder=3, **look.line)
        low, high = zip(*ends, strict=True)
        axes.fill_between(where, low, high, color=look.colour, alpha=0.15, linewidth=0)
        heights += middle
    remark = bend(axes, heights, usual(sweep.log))
    axes.xaxis.set_major_locator(MaxNLocator(5 if size.width < 600 else 8, steps=[1, 2, 2.5, 5, 10]))
    figures.bare(axes)
    unit = "normalised score" if sweep.log.unit == "score" else "return of an episode"
    figures.label(axes, size, unit, drawable(sweep.axes[0].name))
    figures.place(axes, size)
    return remark


def _band(runs: list[Swept], at: tuple[float, ...]) -> tuple[float, float]:
    """From the worst to the best seed; of a single one the interval of its episodes."""
    returns = [run.results[at] for run in runs if at in run.results]
    if len(returns) > 1:
        means = [float(returns.mean()) for returns in returns]
        return min(means), max(means)
    estimate = interval(mean, returns[0][:, None], resamples=2000)
    value = float(returns[0].mean())
    return (float(estimate.low), float(estimate.high)) if np.isfinite(estimate.low) else (value, value)
