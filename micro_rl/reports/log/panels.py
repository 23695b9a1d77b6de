"""The figures of a log: returns, lengths, where it went, what each channel did over time, what rows are worth."""

import itertools
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from micro_rl.core.wording import number, plural
from micro_rl.data import Dataset
from micro_rl.reports.log import Insight
from micro_rl.reports.log.sample import few_rows
from micro_rl.reports.run import figures
from micro_rl.reports.run.figures import BLUE, INK, NARROW, ROW, THIRD, VERMILION, Size
from micro_rl.reports.run.panels import Panel, Swatch

BLOCKS = 60
"""Pieces of the log whose spread is drawn over time."""
CHANNELS = 24
"""At most so many are drawn; the table has all."""
POINTS = 50_000
"""Rows that a projection shows."""
FIFTHS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#d8b500")
"""Dark to bright, for kinds of colour vision and for print."""


Draws = Callable[[Axes, Size], None]
"""Puts a figure on the axes; the size tells how many marks there is room for."""


def returns(dataset: Dataset, insight: Insight) -> Panel:
    """How many episodes went how well."""
    few = insight.summary

    def draw(axes: Axes, size: Size) -> None:
        axes.hist(dataset.returns, bins=min(40, max(5, few.episodes // 3)), color=BLUE, alpha=0.75)
        axes.axvline(few.return_mean, color=INK, linewidth=1.5, linestyle="--")
        _finish(axes, size, "episodes", "return", counts=True)

    caption = f"Sum of the rewards of each of {plural(few.episodes, 'episode')}. The dashed line is the mean, "
    caption += number(few.return_mean)
    if insight.score_mean is not None and insight.score_best is not None:
        caption += f"; as scores, the mean is {number(insight.score_mean)} and the best {number(insight.score_best)}"
    return _panel("returns", "Returns", f"{caption}.", draw)


def lengths(dataset: Dataset) -> Panel | None:
    """How long episodes are, where they differ."""
    if dataset.lengths.min() == dataset.lengths.max():
        return None
    ended = dataset.terminals[dataset.stops - 1]

    def draw(axes: Axes, size: Size) -> None:
        parts = [dataset.lengths[ended], dataset.lengths[~ended]]
        axes.hist(parts, bins=40, stacked=True, color=[VERMILION, BLUE], alpha=0.75)
        _finish(axes, size, "episodes", "steps", counts=True)

    legend = [Swatch("ended by a terminal", VERMILION, ""), Swatch("cut by a timeout", BLUE, "")]
    return _panel("lengths", "Lengths", "Steps of each episode.", draw, legend)


def projection(dataset: Dataset) -> Panel | None:
    """Where the log went: the two directions in which its observations vary most, coloured by reward."""
    rows = few_rows(dataset, POINTS)
    observations = dataset.observations[rows].astype(np.float64)
    spread = observations.std(0)
    if (spread > 0).sum() < 2:
        return None
    scaled = ((observations - observations.mean(0)) / np.where(spread > 0, spread, 1))[:, spread > 0]
    values, directions = np.linalg.eigh(scaled.T @ scaled)
    flat = scaled @ directions[:, [-1, -2]]
    rewards = dataset.rewards[rows].astype(np.float64)
    limits = np.unique(np.quantile(rewards, [0.2, 0.4, 0.6, 0.8]))
    colours = [FIFTHS[place] for place in np.linspace(0, len(FIFTHS) - 1, len(limits) + 1).astype(int)]
    inside = np.quantile(flat, [0.002, 0.998], axis=0)

    def draw(axes: Axes, size: Size) -> None:
        (left, bottom), (right, top) = inside
        shown = ((flat >= inside[0]) & (flat <= inside[1])).all(1)
        norm = BoundaryNorm([-np.inf, *limits, np.inf], len(colours))
        across = 30 if size.width > 500 else 22
        cells = axes.hexbin(
            *flat[shown].T,
            C=rewards[shown],
            gridsize=(across, int(across * 0.5)),
            cmap=ListedColormap(colours),
            norm=norm,
            mincnt=1,
            edgecolors="none",
            extent=(left, right, bottom, top),
        )
        cells.set_clip_on(False)  # else each cell is wrapped once more in the file
        _finish(axes, size, "second direction", "first direction")

    share = 100 * values[[-1, -2]] / values.sum()
    caption = (
        f"The two principal directions of the standardised observations hold {share[0]:.0f} and {share[1]:.0f} % of "
        "their variance. Each cell has the colour of its mean reward; where there is none, none of the rows shown was."
    )
    return _panel("projection", "Where it went", caption, draw, _classes(limits, colours))


def _classes(limits: np.ndarray, colours: list[str]) -> list[Swatch]:
    """What the colours say."""
    if not len(limits):
        return []
    words = [f"reward below {number(limits[0])}"]
    words += [f"{number(low)} to {number(high)}" for low, high in itertools.pairwise(limits)]
    return [
        Swatch(text, colour, "")
        for text, colour in zip([*words, f"{number(limits[-1])} and above"], colours, strict=True)
    ]


def learning(insight: Insight) -> Panel | None:
    """One-step error of two simple regressions over rows."""
    if len(insight.curve) < 2:
        return None
    rows = [point.rows for point in insight.curve]

    def draw(axes: Axes, size: Size) -> None:
        axes.plot(rows, [point.ridge for point in insight.curve], color=BLUE, marker="o", markersize=4.5, linewidth=2)
        near = [point.neighbours for point in insight.curve]
        axes.plot(rows, near, color=VERMILION, marker="o", markersize=4.5, linewidth=2, linestyle="--")
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_ylim(0, 1.1 * min(1.0, max(max(near), insight.curve[0].ridge)))
        _finish(axes, size, "unexplained share of one step", "rows learned from", ticks=False)

    legend = [Swatch("ridge regression", BLUE, ""), Swatch("nearest neighbours", VERMILION, figures.DASHED)]
    caption = "Error of one-step predictions on episodes held out. Where a line still falls, more rows would help it."
    return _panel("learning", "What rows are worth", caption, draw, legend)


def channels(dataset: Dataset) -> list[Panel]:
    """Each channel's range over the log, in order of its rows."""
    columns = [(str(column), dataset.observations, place) for place, column in enumerate(dataset.columns.observations)]
    columns += [(str(column), dataset.actions, place) for place, column in enumerate(dataset.columns.actions)]
    return [_channel(*column, number=index) for index, column in enumerate(columns[:CHANNELS])]


def _channel(name: str, values: np.ndarray, place: int, number: int) -> Panel:
    starts, (low, middle, high) = range_over_time(values[:, place], BLOCKS)

    def draw(axes: Axes, size: Size) -> None:
        axes.fill_between(starts, low, high, color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(starts, middle, color=BLUE, linewidth=1.5)
        axes.xaxis.set_major_locator(MaxNLocator(3))
        _finish(axes, size, "", "row")

    drawn = figures.drawing(lambda axes: draw(axes, THIRD), THIRD, f"channel{number}", f"{name} over time")
    return Panel(name, "", [], [("only", drawn)])


def range_over_time(values: np.ndarray, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """First rows of equal blocks of a column, and its percentiles 5, 50 and 95 in each."""
    edges = np.linspace(0, len(values), min(blocks, len(values)) + 1).astype(int)
    bands = [np.quantile(values[start:stop], [0.05, 0.5, 0.95]) for start, stop in itertools.pairwise(edges)]
    return edges[:-1], np.array(bands).T


def _finish(axes: Axes, size: Size, up: str, along: str, ticks: bool = True, counts: bool = False) -> None:
    if ticks:
        axes.yaxis.set_major_locator(
            MaxNLocator(4 if size.height < 200 else 6, integer=counts, steps=[1, 2, 2.5, 5, 10])
        )
    figures.bare(axes)
    figures.label(axes, size, up, along)
    figures.place(axes, size)


def _panel(name: str, title: str, caption: str, draw: Draws, legend: list[Swatch] | None = None) -> Panel:
    drawn = []
    for kind, size in (("wide", ROW), ("narrow", NARROW)):
        drawn.append((kind, figures.drawing(lambda axes, size=size: draw(axes, size), size, f"{name}-{kind}", title)))
    return Panel(title, caption, legend or [], drawn)
