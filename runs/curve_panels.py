"""Learning curves as a picture: a panel a log, a colour an entry, a line a run; the log's own score dotted."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from runs.study_pages import save

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
LINES = ("-", "--", ":", "-.")
LOWEST = -100.0
"""What lies below this score is not drawn."""


class Panel(NamedTuple):
    """One log: the curves {epoch: score} of each entry's runs, and the log's own score where it has one."""

    title: str
    curves: dict[str, list[dict[int, float]]]
    own: float | None = None
    unit: str = "normalised score"


def draw(panels: Sequence[Panel], names: Sequence[str], path: Path) -> None:
    """The panels one below the other; an entry looks the same in all, by its place among the names."""
    figure = Figure(figsize=(8.5, 3.4 * len(panels)), layout="constrained")
    styles = {name: (COLOURS[place % len(COLOURS)], LINES[place // len(COLOURS)]) for place, name in enumerate(names)}
    for axes, panel in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
        for name, curves in panel.curves.items():
            colour, line = styles[name]
            for place, curve in enumerate(curves):
                label = None if place else name
                points = zip(*sorted(curve.items()), strict=True)
                axes.plot(*points, color=colour, linestyle=line, linewidth=1.2, label=label)
        _finish(axes, panel)
    save(figure, path)


def _finish(axes: Axes, panel: Panel) -> None:
    """Names, limits and the log's own score."""
    if panel.own is not None:
        axes.axhline(panel.own, color="#666666", linestyle=":", label="the log")
    axes.set(xlabel="epoch", ylabel=panel.unit, title=panel.title)
    lowest, highest = axes.dataLim.intervaly
    lowest = lowest if panel.unit == "return" else max(lowest, LOWEST)
    margin = 0.05 * (highest - lowest)
    axes.set_ylim(lowest - margin, highest + margin)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
