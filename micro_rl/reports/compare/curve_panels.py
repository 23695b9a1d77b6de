"""Learning curves of many methods: for each log the mean over seeds, and a band from the worst to the best of them."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from micro_rl.core.wording import number
from micro_rl.reports.compare.compared_runs import MEASURED, Run
from micro_rl.reports.compare.comparison import Column, Comparison
from micro_rl.reports.compare.metric_curves import counting
from micro_rl.reports.compare.palette import Style, bend, styles
from micro_rl.reports.run import figures
from micro_rl.reports.run.figures import DASHED, DOTTED, INK, SOLID, THIRD, Size
from micro_rl.reports.run.panels import Panel, Swatch
from micro_rl.reports.run.record import sane

WIDE, NARROW = Size(920, 400, 13), Size(400, 330, 13)


class Curve(NamedTuple):
    """A method's seeds at the places where each of them was evaluated: values[seed, place]."""

    method: str
    along: np.ndarray
    values: np.ndarray
    finished: bool
    longest: float
    """Where its longest run was evaluated last."""


CROWDED = 4
"""More methods than these are also drawn one by one."""


def learning_curves(comparison: Comparison) -> list[tuple[Panel, list[Panel]]]:
    """For each log that a simulator measured all methods together, and one by one where they are many."""
    looks, shown = styles(comparison.methods), []
    for place, log in enumerate(comparison.logs):
        along, drawn = _curves(comparison, log)
        if drawn:
            alone = [_alone(log, drawn, line, looks, f"alone{place}-{index}") for index, line in enumerate(drawn)]
            shown.append((_panel(log, drawn, place, looks, along), alone if len(drawn) > CROWDED else []))
    return shown


def _curves(comparison: Comparison, log: Column) -> tuple[str, list[Curve]]:
    """What they run along, and those that there are."""
    key = next(key for key, unit in MEASURED if unit == log.unit)
    runs = [run for run in comparison.runs if run.column == log.key]
    per_epoch = len({run.record.settings.get("updates_per_epoch") for run in runs}) == 1
    curves = [curve(method, comparison.cell(method, log), key, per_epoch) for method in comparison.methods]
    return "epoch" if per_epoch else "thousand updates", [line for line in curves if line]


def curve(method: str, runs: list[Run], key: str, per_epoch: bool) -> Curve | None:
    """None where no run was evaluated; runs that reported no score count only where none did."""
    counted = counting(runs)
    series = [_series(run, key, per_epoch) for run in counted]
    series = [points for points in series if points]
    if not series:
        return None
    common = sorted(set.intersection(*(set(points) for points in series)))
    values = np.array([[points[place] for place in common] for points in series])
    longest = max(max(points) for points in series)
    return Curve(method, np.array(common), values, counted[0].finished, longest) if common else None


def _series(run: Run, key: str, per_epoch: bool) -> dict[float, float]:
    """Values by epoch, or by thousands of updates."""
    scale = 1.0 if per_epoch else run.record.settings.get("updates_per_epoch", 1000) / 1000
    rows = (row for row in run.record.metrics if key in row)
    return {float(row["epoch"] * scale): float(row[key]) for row in rows if sane(row[key]) and sane(row["epoch"])}


def _panel(log: Column, drawn: list[Curve], place: int, looks: dict[str, Style], along: str) -> Panel:
    remark = ""
    pictures = []
    for kind, size in (("wide", WIDE), ("narrow", NARROW)):

        def draw(axes: Axes, size: Size = size) -> None:
            nonlocal remark
            remark = _draw(axes, size, log, drawn, looks, along)

        name = f"Learning curves on {log.name}"
        pictures.append((kind, figures.drawing(draw, size, f"curves{place}-{kind}", name)))
    swatches = [Swatch(_name(line), *looks[line.method][:2]) for line in drawn]
    return Panel(log.name, _caption(log, drawn, along, remark), swatches + _log_swatches(log), pictures)


def _alone(log: Column, drawn: list[Curve], shown: Curve, looks: dict[str, Style], name: str) -> Panel:
    """One method in its colour before all others in grey."""
    grey = {line.method: Style("#c9ccd1", SOLID, "o") for line in drawn}

    def draw(axes: Axes) -> None:
        for line in drawn:
            if line is not shown:
                axes.plot(line.along, line.values.mean(0), linewidth=0.8, zorder=1, **grey[line.method].line)
        _draw(axes, THIRD, log, [shown], looks, "", _values(drawn))

    return Panel(_name(shown), "", [], [("only", figures.drawing(draw, THIRD, name, f"{shown.method} on {log.name}"))])


def _name(drawn: Curve) -> str:
    seeds = "" if len(drawn.values) == 1 else f", {len(drawn.values)} seeds"
    return f"{drawn.method}{seeds}{'' if drawn.finished else ', not finished'}"


def _draw(
    axes: Axes,
    size: Size,
    log: Column,
    drawn: list[Curve],
    looks: dict[str, Style],
    along: str,
    spread: list[float] | None = None,
) -> str:
    """Puts the curves on the axes, scaled for `spread` (their own values); what is to be said of the scale."""
    for line in reversed(drawn):  # the first on top
        _draw_curve(axes, line, looks[line.method], marked=len(line.along) <= 25 and len(drawn) <= CROWDED)
    levels = [(value, dash) for value, dash in ((log.mean, DASHED), (log.best, DOTTED)) if value is not None]
    for value, dash in levels:
        axes.axhline(value, color=INK, linewidth=1.2, linestyle=figures.pattern(dash), zorder=2)
    axes.xaxis.set_major_locator(MaxNLocator(4 if size.width < 600 else 10, integer=True, steps=[1, 2, 5, 10]))
    remark = bend(axes, _values(drawn) if spread is None else spread, usual(log))
    if spread is not None:
        axes.set_ylim(*_ends([*spread, *(value for value, _ in levels)]))
    figures.bare(axes)
    axes.margins(x=0.02)
    unit = "normalised score" if log.unit == "score" else "return of an episode"
    figures.label(axes, size, unit if along else "", along)
    figures.place(axes, size)
    return remark


def _draw_curve(axes: Axes, curve: Curve, look: Style, marked: bool) -> None:
    few: dict[str, Any] = {"marker": look.marker, "markersize": 4.5} if marked else {}
    axes.plot(curve.along, curve.values.mean(0), linewidth=1.8, zorder=3, **look.line, **few)
    if len(curve.values) > 1:
        band: dict[str, Any] = {"color": look.colour, "alpha": 0.15, "linewidth": 0}
        axes.fill_between(curve.along, curve.values.min(0), curve.values.max(0), **band)


def _values(drawn: list[Curve]) -> list[float]:
    return [float(value) for curve in drawn for value in curve.values.ravel()]


def _ends(values: list[float]) -> tuple[float, float]:
    """With a little room, the same for every panel of the values."""
    room = 0.05 * (max(values) - min(values)) or 1.0
    return min(values) - room, max(values) + room


def usual(log: Column) -> float:
    """How far from 0 results on a log are expected: 100 for scores, the log's own returns else; 0 if unknown."""
    if log.unit == "score":
        return 100.0
    return max((abs(value) for value in (log.mean, log.best) if value is not None), default=0.0)


def _log_swatches(log: Column) -> list[Swatch]:
    named = (("log’s mean", log.mean, DASHED), ("log’s best episode", log.best, DOTTED))
    return [Swatch(f"{name} {number(value)}", INK, dash) for name, value, dash in named if value is not None]


def _caption(log: Column, drawn: list[Curve], along: str, remark: str) -> str:
    many = any(len(curve.values) > 1 for curve in drawn)
    what = "Normalised score" if log.unit == "score" else "Return"
    parts = [f"{what} of each evaluation"]
    parts[0] += "; the mean over seeds, and a band from the worst to the best seed." if many else ", one seed each."
    if any(not curve.finished for curve in drawn):
        parts.append("Those that are not finished are shown as far as they are.")
    if ends := [_end(curve) for curve in drawn if curve.along[-1] < curve.longest]:
        parts.append(f"A mean ends where one of its seeds does ({along}): {'; '.join(ends)}.")
    return " ".join([*parts, remark]).strip()


def _end(curve: Curve) -> str:
    return f"{curve.method} at {curve.along[-1]:,.10g}, though others go on to {curve.longest:,.10g}"
