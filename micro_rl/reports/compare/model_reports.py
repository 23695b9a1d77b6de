"""What was measured of the ensembles that are compared: error by the steps ahead, and what their intervals hold."""

from collections.abc import Callable
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from micro_rl.dynamics.quality_report import ModelReport
from micro_rl.reports.compare.compared_runs import Run
from micro_rl.reports.compare.comparison import Comparison, log_names
from micro_rl.reports.compare.ensemble_tables import MOST, ensembles, scale
from micro_rl.reports.compare.palette import Style, styles
from micro_rl.reports.run import figures
from micro_rl.reports.run.figures import DOTTED, GREY, INK, NARROW, ROW, Size, pattern
from micro_rl.reports.run.model_panels import AHEAD, CALIBRATED, FLATTERS, over, shares
from micro_rl.reports.run.panels import Panel, Swatch
from micro_rl.reports.run.record import Series


class Curve(NamedTuple):
    """A line, and how it looks."""

    data: Series
    look: Style


def panels(comparison: Comparison) -> list[Panel]:
    """Two figures for each log whose ensembles have reports, an ensemble a line."""
    names = log_names(comparison.runs)
    return [panel for place, log in enumerate(names.items()) for panel in _of_log(comparison, *log, place)]


def unrecorded(comparison: Comparison) -> str:
    """A sentence where an ensemble has no report, "" where all have one."""
    without = [group[0].name for group in ensembles(comparison) if group[0].record.report is None]
    if not without:
        return ""
    named = ", ".join(without[:4]) + (f" and {len(without) - 4} more" if len(without) > 4 else "")
    return f"No error by steps ahead and no calibration for the ensemble of {named}: the fit kept no such report."


def _of_log(comparison: Comparison, key: str, log: str, place: int) -> list[Panel]:
    runs = [group[0] for group in ensembles(comparison) if group[0].log.key == key]
    reports = [(run, run.record.report) for run in runs if run.record.report is not None][:MOST]
    looks = styles([run.name for run, _ in reports])
    panels_of_log = _ahead(reports, looks, log, place), _calibrated(reports, looks, log, place)
    return [panel for panel in panels_of_log if panel is not None]


def _ahead(reports: list[tuple[Run, ModelReport]], looks: dict[str, Style], log: str, place: int) -> Panel | None:
    known = [(run.name, report.horizon) for run, report in reports if report.horizon]
    if not known:
        return None
    longest = max((horizon for _, horizon in known), key=lambda horizon: len(horizon.unchanged))
    trivial = Curve(over(longest.unchanged), Style(GREY, DOTTED, ""))
    curves = {name: Curve(over(horizon.error), looks[name]) for name, horizon in known}
    caption = (
        "Each elite follows the log’s actions by its own mean predictions: root mean square error over all columns, in "
        f"standard deviations of the log’s observations. {FLATTERS}"
    )
    names = "standard deviations of the log", "steps ahead"
    return _panel(f"{log}: {AHEAD.lower()}", caption, curves | {"if nothing changed": trivial}, names, f"a{place}")


def _calibrated(reports: list[tuple[Run, ModelReport]], looks: dict[str, Style], log: str, place: int) -> Panel | None:
    known = [
        (run.name, calibration)
        for run, report in reports
        if (calibration := report.calibration) and calibration.observation
    ]
    if not known:
        return None
    promised = Curve(shares(known[0][1], known[0][1].expected), Style(INK, DOTTED, ""))
    curves = {name: Curve(shares(calibration, calibration.observation), looks[name]) for name, calibration in known}
    caption = (
        "How many per cent of the true next observations lay within the central intervals of the elites’ Gaussians, on "
        "rows held out of the fit. Below the dotted line a model is too sure of itself, above it too little."
    )
    names = "per cent inside", "per cent promised"
    return _panel(f"{log}: {CALIBRATED.lower()}", caption, curves | {"as promised": promised}, names, f"c{place}")


def _panel(title: str, caption: str, curves: dict[str, Curve], names: tuple[str, str], name: str) -> Panel:
    sizes = (("wide", ROW), ("narrow", NARROW))
    drawings = [
        (kind, figures.drawing(_draws(curves, names, size), size, f"report-{name}-{kind}", title))
        for kind, size in sizes
    ]
    legend = [Swatch(label, curve.look.colour, curve.look.dash) for label, curve in curves.items()]
    return Panel(title, caption, legend, drawings)


def _draws(curves: dict[str, Curve], names: tuple[str, str], size: Size) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        for data, look in curves.values():
            axes.plot(*data, color=look.colour, linestyle=pattern(look.dash), linewidth=1.6, marker=look.marker or None)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        scale(axes, [value for data, _ in curves.values() for value in data.values])
        figures.bare(axes)
        figures.label(axes, size, *names)
        figures.place(axes, size)

    return draw
