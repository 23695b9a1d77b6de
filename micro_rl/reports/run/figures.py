"""Line charts as inline SVG: text stays text, ids are unique in the page, nothing is loaded from anywhere.

Drawn on matplotlib's figure object itself; pyplot and its global state are never touched.
"""

import re
from collections.abc import Callable, Sequence
from html import escape
from io import StringIO
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from micro_rl.reports.run.record import Series

# Okabe and Ito's palette tells apart for every kind of colour vision; dashes tell apart in black and white.
BLUE, VERMILION, GREEN, PURPLE, GREY, INK = "#0072B2", "#D55E00", "#009E73", "#AA4499", "#9aa0a6", "#333333"
SOLID, DASHED, DOTTED = "", "6 3", "1.5 2.5"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "text.color": "#555555",
    "axes.edgecolor": "#bbbbbb",
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "axes.unicode_minus": True,
    "axes.titley": 1.0,  # where it lies anyway; matplotlib measures every label first to be sure
}
_MARKED_UP_TO = 25  # points: fewer are shown one by one


class Size(NamedTuple):
    """In CSS pixels at natural size."""

    width: float
    height: float
    text: float


FULL, ROW, NARROW, THIRD = Size(920, 340, 13), Size(600, 260, 13), Size(400, 290, 13), Size(300, 175, 11.5)


class Line(NamedTuple):
    """A curve over epochs; `spread` is drawn as a band of that half width."""

    label: str
    data: Series
    colour: str
    dash: str = SOLID
    spread: Sequence[float] | None = None
    weight: float = 2.0


class Level(NamedTuple):
    """A horizontal line: something to compare a curve with; `span` limits it to these epochs."""

    label: str
    value: float
    colour: str
    dash: str
    span: tuple[float, float] | None = None


class Chart(NamedTuple):
    """What to draw.

    `score`: returns that count as 0 and as 100, for a second axis. `gap`: shade between the first two lines,
    which then have the same epochs. `along` names what the curves run over, where that is not epochs.
    """

    unit: str
    lines: list[Line]
    levels: Sequence[Level] = ()
    score: tuple[float, float] | None = None
    gap: bool = False
    logarithmic: bool = False
    along: str = "epoch"


def svg(chart: Chart, size: Size, name: str, description: str) -> str:
    """The chart as an SVG element; `name` makes its ids unique in the page."""
    return drawing(lambda axes: _draw(axes, chart, size), size, name, description)


def drawing(draw: Callable[[Axes], None], size: Size, name: str, description: str) -> str:
    """Whatever `draw` puts on the axes, as an SVG element in the page's style."""
    with rc_context({**_STYLE, "svg.hashsalt": name, "font.size": size.text}):
        figure = Figure(figsize=(size.width / 72, size.height / 72))
        axes = figure.add_subplot()
        draw(axes)
        _keep_ticks_in_view(axes)
        text = StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", metadata=nothing, transparent=True)
    return _inline(text.getvalue(), name, description)


def _keep_ticks_in_view(axes: Axes) -> None:
    """Locators give a tick beyond each end, too, which matplotlib makes at some cost and does not draw."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        rounding = 1e-9 * (high - low)
        places = axis.get_majorticklocs()
        axis.set_major_locator(FixedLocator([at for at in places if low - rounding <= at <= high + rounding]))


def _draw(axes: Axes, chart: Chart, size: Size) -> None:
    for line in reversed(chart.lines):  # the first on top
        _draw_line(axes, line)
    if chart.gap:
        first, second = chart.lines[0].data, chart.lines[1].data
        axes.fill_between(first.epochs, first.values, second.values, color=VERMILION, alpha=0.10, linewidth=0)
    for level in chart.levels:
        _draw_level(axes, level)
    _scales(axes, chart, size)
    _unit_labels(axes, chart, size)
    place(axes, size, scored=chart.score is not None)


def _draw_level(axes: Axes, level: Level) -> None:
    style: dict[str, Any] = {"color": level.colour, "linestyle": pattern(level.dash)}
    if level.span:
        axes.hlines(level.value, *level.span, linewidth=2.5, zorder=4, **style)
    else:
        axes.axhline(level.value, linewidth=1.5, zorder=2, **style)


def _draw_line(axes: Axes, line: Line) -> None:
    epochs, values = line.data
    marker: dict[str, Any] = {"marker": "o", "markersize": 4.5} if len(epochs) <= _MARKED_UP_TO else {}
    axes.plot(
        epochs, values, color=line.colour, linestyle=pattern(line.dash), linewidth=line.weight, zorder=3, **marker
    )
    if line.spread is not None:
        low = [value - half for value, half in zip(values, line.spread, strict=True)]
        high = [value + half for value, half in zip(values, line.spread, strict=True)]
        axes.fill_between(epochs, low, high, color=line.colour, alpha=0.15, linewidth=0)


def pattern(dash: str) -> Any:
    """An SVG dash array, in widths of the line, as matplotlib takes it."""
    return (0, tuple(float(part) for part in dash.split())) if dash else "solid"


def _scales(axes: Axes, chart: Chart, size: Size) -> None:
    ticks = 4 if size.height < 200 else 6
    axes.xaxis.set_major_locator(MaxNLocator(ticks if size.width < 600 else 10, integer=True, steps=[1, 2, 5, 10]))
    positive = [value for line in chart.lines for value in line.data.values]
    if chart.logarithmic and min(positive) > 0 and max(positive) > 4 * min(positive):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))
    bare(axes)
    axes.margins(x=0.02)
    epochs = {epoch for line in chart.lines for epoch in line.data.epochs}
    if len(epochs) == 1:
        axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)


def bare(axes: Axes) -> None:
    """The page's look: no frame, faint lines to read values by, numbers as in the text."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(tick))
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.tick_params(length=0, left=False, pad=6)
    axes.tick_params(axis="x", length=4, color="#bbbbbb", pad=4)
    axes.grid(axis="y", color="#e6e6e6", linewidth=1)
    axes.set_axisbelow(True)


def tick(value: float, _: int | None) -> str:
    """Numbers as the text around the figure writes them."""
    return (f"{value:,.10g}" if abs(value) < 1e7 else f"{value:.3g}").replace("-", "−")


def label(axes: Axes, size: Size, up: str, along: str) -> None:
    """Axis names lie flat: a turned head reads badly, on a phone above all."""
    axes.set_title(up, loc="left", pad=8, **_small(size))
    axes.set_xlabel(along, loc="right", **_small(size))


def _small(size: Size) -> dict[str, Any]:
    return {"fontsize": size.text * 0.92, "color": "#555555"}


def _unit_labels(axes: Axes, chart: Chart, size: Size) -> None:
    label(axes, size, chart.unit, chart.along)
    if chart.score is None:
        return
    low, high = chart.score

    def to_score(value: Any) -> Any:
        return 100 * (value - low) / (high - low)

    def to_return(score: Any) -> Any:
        return low + score * (high - low) / 100

    right = axes.secondary_yaxis("right", functions=(to_score, to_return))
    right.spines["right"].set_visible(False)
    right.tick_params(length=0, right=False, pad=6)
    right.yaxis.set_major_formatter(FuncFormatter(tick))
    axes.set_title("normalised score", loc="right", pad=8, **_small(size))


def place(axes: Axes, size: Size, scored: bool = False) -> None:
    """Margins by the length of the labels: measuring them costs more than drawing, and browsers use other fonts.

    `scored` leaves room for a second axis.
    """
    low, high = axes.get_ylim()
    labels = [tick(value, None) for value in axes.get_yticks() if low <= value <= high]
    left = 8 + 0.62 * size.text * max(map(len, labels), default=0)
    right = 8 + 0.62 * size.text * (6 if scored else 0)
    bottom, top = 3.2 * size.text, 2.2 * size.text
    width, height = size.width - left - right, size.height - bottom - top
    axes.set_position((left / size.width, bottom / size.height, width / size.width, height / size.height))


def _inline(text: str, name: str, description: str) -> str:
    """Only the element, without a fixed size or metadata, its ids prefixed."""
    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    box = body.split('viewBox="', 1)[1].split('"', 1)[0]
    head = f'<svg viewBox="{box}" role="img" aria-label="{escape(description)}">'
    body = head + body[body.index(">") + 1 :]
    body = re.sub(r'\bid="', f'id="{name}-', body)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", body).strip()
