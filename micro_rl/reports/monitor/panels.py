"""The figures of a record: the guard's score over time with who acted, and what the windows brought."""

import itertools
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from micro_rl.core.wording import number
from micro_rl.reports.monitor.findings import Windows
from micro_rl.reports.monitor.recorded import Recorded
from micro_rl.reports.monitor.words import Obtained
from micro_rl.reports.run import figures
from micro_rl.reports.run.figures import BLUE, GREEN, GREY, INK, NARROW, PURPLE, ROW, VERMILION, Size
from micro_rl.reports.run.panels import Panel, Swatch

POINTS = 2000
"""Steps that are drawn one by one; of more the greatest of each few."""
BEYOND = 4.0
"""Limits that the score's axis reaches; greater scores are drawn at its end."""
COLOURS = {"policy": BLUE, "operator": PURPLE, "unknown": GREY}


def scores(record: Recorded) -> Panel:
    """The guard's score, and who acted below it."""
    edges = np.linspace(0, len(record), min(POINTS, len(record)) + 1).astype(int)
    known = np.where(np.isfinite(record.score), record.score, -np.inf)
    greatest = np.array([known[start:stop].max() for start, stop in itertools.pairwise(edges)])
    greatest = np.where(np.isfinite(greatest), greatest, np.nan)
    top = BEYOND * (record.last_limit or max(1.0, float(np.quantile(np.maximum(known, 0.0), 0.99))))
    bars, colours = _by_actor(record)

    def draw(axes: Axes, size: Size) -> None:
        axes.plot(edges[:-1], np.minimum(greatest, top), color=INK, linewidth=0.9)
        axes.plot(record.limit, color=VERMILION, linewidth=1.5, linestyle="--")
        at_the_bottom = axes.get_xaxis_transform()
        axes.broken_barh(bars, (0, 0.05), facecolors=colours, linewidth=0, transform=at_the_bottom)
        axes.set_ylim(-0.08 * top, 1.02 * top)
        _finish(axes, size, "score", "step")

    legend = [Swatch("the guard's score", INK, ""), Swatch("its limit", VERMILION, figures.DASHED)]
    legend += [Swatch("policy", BLUE, ""), Swatch("operator", PURPLE, ""), Swatch("fallback", VERMILION, "")]
    legend += [Swatch("unknown", GREY, "")] if "unknown" in record.who else []
    caption = f"The band at the bottom is who acted. Greater scores than {number(top)} are drawn at {number(top)}."
    return _panel("scores", "What the guard saw", caption, draw, legend)


def _by_actor(record: Recorded) -> tuple[list[tuple[int, int]], list[str]]:
    """From which row and for how many each acted, and the colours."""
    changes = [row for row in range(1, len(record)) if record.who[row] != record.who[row - 1]]
    bars = [(begins, stops - begins) for begins, stops in itertools.pairwise([0, *changes, len(record)])]
    return bars, [COLOURS.get(record.who[begins], VERMILION) for begins, _ in bars]


def returns(windows: Windows, test: Obtained | None, margins: np.ndarray) -> Panel | None:
    """The mean of the policy's windows so far, less the log's, the margin that decides, and what was predicted."""
    if test is None:
        return None
    counts, prediction = np.arange(1, len(windows.returns) + 1), test.prediction
    differences = np.cumsum(windows.returns) / counts - test.baseline
    short = None if prediction is None or test.held is None else prediction.low - test.held.half
    edges = (
        []
        if prediction is None or short is None
        else [abs(prediction.low), abs(prediction.high), abs(float(short[-1]))]
    )
    edges.append(float(margins[-1]))

    def draw(axes: Axes, size: Size) -> None:
        reach = 1.2 * max(value for value in (*np.abs(differences).tolist(), *edges) if np.isfinite(value)) or 1.0
        axes.fill_between(counts, np.maximum(-margins, -reach), np.minimum(margins, reach), color=GREY, alpha=0.25)
        axes.axhline(0, color=GREY, linewidth=1)
        if prediction is not None and short is not None:
            axes.axhspan(prediction.low, prediction.high, color=GREEN, alpha=0.15, linewidth=0)
            axes.axhline(prediction.mean, color=GREEN, linewidth=1.5, linestyle="--")
            axes.plot(counts, np.maximum(short, -2 * reach), color=VERMILION, linewidth=1.5, linestyle=":")
        axes.plot(counts, differences, color=BLUE, marker="o", markersize=4, linewidth=1.8)
        axes.set_ylim(-reach, reach)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _finish(axes, size, "a window, less the log's", "windows")

    legend = [Swatch("mean so far", BLUE, ""), Swatch("not decided", GREY, "")]
    caption = "Return of windows in which the policy acted throughout. Outside of the band it is decided, at any time."
    if prediction is not None:
        legend += [Swatch("predicted", GREEN, figures.DASHED), Swatch("short of it", VERMILION, figures.DOTTED)]
        caption += " Below the dotted line it falls short of the prediction's interval, which is shaded."
    return _panel("returns", "Obtained, and predicted", caption, draw, legend)


def _finish(axes: Axes, size: Size, up: str, along: str) -> None:
    figures.bare(axes)
    figures.label(axes, size, up, along)
    figures.place(axes, size)


def _panel(name: str, title: str, caption: str, draw: Callable[[Axes, Size], None], legend: list[Swatch]) -> Panel:
    drawn = [
        (kind, figures.drawing(lambda axes, size=size: draw(axes, size), size, f"{name}-{kind}", title))
        for kind, size in (("wide", ROW), ("narrow", NARROW))
    ]
    return Panel(title, caption, legend, drawn)
