"""Learning curves of many methods: for each log the mean over seeds, and a band from the worst to the best of them."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from micro_rl.reports.compare.comparison import Column, Comparison
from micro_rl.reports.compare.palette import Style, bend, styles
from micro_rl.reports.compare.runs import MEASURED, Run, sane
from micro_rl.reports.run import figures
from micro_rl.reports.run.figures import DASHED, DOTTED, INK, SOLID, THIRD, Size
from micro_rl.reports.run.panels import Panel, Swatch
from micro_rl.reports.run.story import number

WIDE, NARROW = Size(920, 400, 13), Size(400, 330, 13)


class Curve(NamedTuple):
    """A method's seeds at the places where each of them was evaluated: values[seed, place]."""

    method: str
    along: np.ndarray
    values: np.ndarray
    finished: bool


CROWDED = 4
"""More methods than these are also drawn one by one."""


def learning_curves(found: Comparison) -> list[tuple[Panel, list[Panel]]]:
    """For each log that a simulator measured all methods together, and one by one where they are many."""
    looks, shown = styles(found.methods), []
    for place, log in enumerate(found.logs):
        along, drawn = _curves(found, log)
        if drawn:
            alone = [_alone(log, drawn, one, looks, f"alone{place}-{index}") for index, one in enumerate(drawn)]
            shown.append((_panel(log, drawn, place, looks, along), alone if len(drawn) > CROWDED else []))
    return shown


def _curves(found: Comparison, log: Column) -> tuple[str, list[Curve]]:
    """What they run along, and those that there are."""
    key = next(key for key, unit in MEASURED if unit == log.unit)
    runs = [run for run in found.runs if run.log.key == log.key]
    per_epoch = len({run.record.settings.get("updates_per_epoch") for run in runs}) == 1
    curves = [curve(method, found.cell(method, log), key, per_epoch) for method in found.methods]
    return "epoch" if per_epoch else "thousand updates", [one for one in curves if one]


def curve(method: str, runs: list[Run], key: str, per_epoch: bool) -> Curve | None:
    """None where no run was evaluated; runs that reported no score count only where none did."""
    counted = [run for run in runs if run.finished] or runs
    series = [_series(run, key, per_epoch) for run in counted]
    series = [one for one in series if one]
    if not series:
        return None
    common = sorted(set.intersection(*(set(one) for one in series)))
    values = np.array([[one[place] for place in common] for one in series])
    return Curve(method, np.array(common), values, counted[0].finished) if common else None


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
    swatches = [Swatch(_name(one), *looks[one.method][:2]) for one in drawn]
    return Panel(log.name, _caption(log, drawn, remark), swatches + _log_swatches(log), pictures)


def _alone(log: Column, drawn: list[Curve], shown: Curve, looks: dict[str, Style], name: str) -> Panel:
    """One method in its colour before all others in grey."""
    grey = {one.method: Style("#c9ccd1", SOLID, "o") for one in drawn}

    def draw(axes: Axes) -> None:
        for one in drawn:
            if one is not shown:
                axes.plot(one.along, one.values.mean(0), linewidth=0.8, zorder=1, **grey[one.method].line)
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
    for one in reversed(drawn):  # the first on top
        _draw_curve(axes, one, looks[one.method], marked=len(one.along) <= 25 and len(drawn) <= CROWDED)
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


def _draw_curve(axes: Axes, one: Curve, look: Style, marked: bool) -> None:
    few: dict[str, Any] = {"marker": look.marker, "markersize": 4.5} if marked else {}
    axes.plot(one.along, one.values.mean(0), linewidth=1.8, zorder=3, **look.line, **few)
    if len(one.values) > 1:
        band: dict[str, Any] = {"color": look.colour, "alpha": 0.15, "linewidth": 0}
        axes.fill_between(one.along, one.values.min(0), one.values.max(0), **band)


def _values(drawn: list[Curve]) -> list[float]:
    return [float(value) for one in drawn for value in one.values.ravel()]


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


def _caption(log: Column, drawn: list[Curve], remark: str) -> str:
    many = any(len(one.values) > 1 for one in drawn)
    what = "Normalised score" if log.unit == "score" else "Return"
    parts = [f"{what} of each evaluation"]
    parts[0] += "; the mean over seeds, and a band from the worst to the best seed." if many else ", one seed each."
    if any(not one.finished for one in drawn):
        parts.append("Those that are not finished are shown as far as they are.")
    return " ".join([*parts, remark]).strip()
