"""The ensembles that runs learned from, or are scored by: how good each became on its holdout rows, and who used it."""

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from micro_rl.core.wording import number, plural
from micro_rl.dynamics.quality_report import ModelReport
from micro_rl.reports.compare.compared_runs import Run
from micro_rl.reports.compare.comparison import Comparison, log_names
from micro_rl.reports.compare.palette import styles
from micro_rl.reports.compare.table import Entry, Table
from micro_rl.reports.run import figures
from micro_rl.reports.run.figures import NARROW, ROW, Size
from micro_rl.reports.run.panels import Panel, Swatch
from micro_rl.reports.run.record import Series, kept_errors, sane, series

MOST = 12
"""Fits that a figure can hold."""


def ensembles(comparison: Comparison) -> list[list[Run]]:
    """Runs by the ensemble they learned from; a run whose file tells no SHA-256 stands alone."""
    groups: dict[str, list[Run]] = {}
    for run in comparison.runs:
        if run.ensemble or run.record.fit:
            groups.setdefault(run.ensemble.get("sha256") or str(run.path), []).append(run)
    return list(groups.values())


def table(comparison: Comparison) -> Table | str:
    """A row for each ensemble, or why there is none."""
    groups = ensembles(comparison)
    if not groups:
        return "No run has an ensemble: the methods learn no model, or no fit is finished."
    caption = (
        "Mean squared error of one step on rows held out of the fit, in the units of the fit: comparable on one log "
        "with one scaling of the targets only. Steps ahead: the elites’ error in standard deviations of the log, see "
        "below. Ensembles with the same SHA-256 are one. A run “to be scored” learned nothing in it."
    )
    columns = ["ensemble", "fit epochs", "members", "error of the best", "of the worst elite"]
    columns += ["steps ahead", "in 90 % intervals", "used by"]
    return Table("Models", caption, columns, [_row(runs, comparison) for runs in groups])


def _row(runs: list[Run], comparison: Comparison) -> list[Entry]:
    errors = _errors(runs)
    elites = runs[0].record.count_elites(len(errors))
    sha = str(runs[0].ensemble.get("sha256", ""))[:8]
    log = log_names(comparison.runs)[runs[0].log.key]
    names = [run.name + " (to be scored)" * run.record.scored_by_model for run in runs]
    used = ", ".join(names[:4]) + (f" and {len(runs) - 4} more" if len(runs) > 4 else "")
    return [
        Entry(log, sha),
        Entry(str(_epochs(runs) or "–")),
        Entry(str(len(errors) or "–")),
        Entry(number(errors[0]) if errors else "–"),
        Entry(number(errors[:elites][-1]) if errors else "–"),
        *_measured(runs[0].record.report),
        Entry(plural(len(runs), "run"), used),
    ]


def _measured(report: ModelReport | None) -> tuple[Entry, Entry]:
    """The last step's error with the first's, and what the intervals hold."""
    ahead, calibration = report and report.horizon, report and report.calibration
    last = f"after {plural(len(ahead.error), 'step')}; after one {number(ahead.error[0])}" if ahead else ""
    share = f"{100 * calibration.inside:.0f} %" if calibration and calibration.observation else "–"
    return Entry(number(ahead.error[-1]) if ahead else "–", last), Entry(share)


def _errors(runs: list[Run]) -> list[float]:
    """Each member's error at the epoch that it kept, ascending."""
    if errors := runs[0].ensemble.get("holdout"):
        return errors
    return sorted(error for run in runs[:1] for error in kept_errors(run.record.fit).values() if sane(error))


def _epochs(runs: list[Run]) -> int:
    recorded = max((len(run.record.fit) for run in runs), default=0)
    return int(runs[0].ensemble.get("epochs") or recorded)


def fits(comparison: Comparison) -> list[Panel]:
    """For each log the error over epochs of the fits that were recorded."""
    return [
        panel
        for place, (key, name) in enumerate(log_names(comparison.runs).items())
        if (panel := _panel(comparison, key, name, place))
    ]


def _panel(comparison: Comparison, key: str, log: str, place: int) -> Panel | None:
    runs = [group[0] for group in ensembles(comparison) if group[0].log.key == key and group[0].record.fit]
    lines = [(run.name, _best(run)) for run in runs[:MOST]]
    lines = [(name, data) for name, data in lines if data]
    if not lines:
        return None
    looks = styles([name for name, _ in lines])
    pictures = []
    for kind, size in (("wide", ROW), ("narrow", NARROW)):

        def draw(axes: Axes, size: Size = size) -> None:
            for name, data in lines:
                axes.plot(data.epochs, data.values, linewidth=1.6, **looks[name].line)
            scale(axes, [value for _, data in lines for value in data.values])
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            figures.bare(axes)
            figures.label(axes, size, "best member’s holdout error", "epoch of the fit")
            figures.place(axes, size)

        pictures.append((kind, figures.drawing(draw, size, f"fit{place}-{kind}", f"Fits on {log}")))
    left = f" {len(runs) - MOST} more are in the table only." if len(runs) > MOST else ""
    caption = f"Error of the best member on its holdout rows, epoch by epoch of the fits in these run folders.{left}"
    return Panel(log, caption, [Swatch(name, *looks[name][:2]) for name, _ in lines], pictures)


def _best(run: Run) -> Series:
    errors = series(run.record.fit, "holdout/best")
    points = [(epoch, value) for epoch, value in zip(*errors, strict=True) if sane(value) and value > 0]
    return Series([epoch for epoch, _ in points], [value for _, value in points])


def scale(axes: Axes, values: list[float]) -> None:
    """Logarithmic where positive values differ much."""
    if min(values) > 0 and max(values) > 4 * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
