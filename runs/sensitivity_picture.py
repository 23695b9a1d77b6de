"""The figure of what scores hang on: a map of beta and the model's share for each log, and learning curves."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from runs.sensitivity import BETAS, MODEL_FREE, SHARES, place
from runs.sensitivity_cells import DEFAULTS, Place, Read

COLOURS = dict(zip(BETAS, ("#000000", "#0072b2", "#009e73", "#e69f00", "#d55e00"), strict=True))
GREY = "#8a8a8a"
LINE = "#d55e00"
"""Around the flat region."""
DASHES = (0, (2, 2))
MAP = colormaps["Blues"]
Cell = tuple[int, int]
"""Row (beta) and column (share) of a map as it is drawn."""


class Grid:
    """Where places are drawn: columns are the shares that were run, with none of the model's first; rows are betas."""

    def __init__(self, log: Read):
        there = log.map()
        self.shares = [share for share in (0.0, *SHARES) if any(at[1] == share for at in there)]
        self.betas = [beta for beta in BETAS if any(at[0] == beta and at[1] > 0 for at in there)]

    def cells(self, at: Place) -> list[Cell]:
        """Those of a place: a whole column where no row is the model's, for there beta decides nothing."""
        column = self.shares.index(at[1])
        rows = range(len(self.betas)) if at[1] == 0 else [self.betas.index(at[0])]
        return [(row, column) for row in rows]


def draw(read: list[Read]) -> Figure:
    """Maps above, curves below, a column for each log."""
    figure = Figure(figsize=(11.5, 7.2), layout="constrained")
    panels = figure.subplots(2, len(read), squeeze=False, height_ratios=(1.25, 1))
    for log, panel, below in zip(read, *panels, strict=True):
        draw_map(panel, log)
        draw_curves(below, log)
    panels[0][0].set_ylabel("beta")
    panels[1][0].set_ylabel("return, model's share one half")
    marks = [
        Patch(facecolor="none", edgecolor=LINE, linewidth=2.2, label="flat: not shown to be worse than the best"),
        Patch(facecolor="none", edgecolor="#1a1a1a", linestyle=DASHES, label="the defaults"),
    ]
    figure.legend(handles=marks, loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    curves = panels[1][0].get_legend_handles_labels()[0]
    figure.legend(handles=curves, loc="outside lower center", ncols=len(curves), frameon=False, fontsize=9)
    return figure


def draw_map(panel: Any, log: Read) -> None:
    """Means as colours and figures, a line around the flat region, a ring at the defaults."""
    there, grid, flat = log.map(), Grid(log), log.flat()
    means = {at: float(np.mean(values)) for at, values in there.items()}
    low, high = min(means.values()), max(means.values())
    for at, mean in means.items():
        level = (mean - low) / (high - low)
        (first, column), *_ = grid.cells(at)
        tall = len(grid.cells(at))
        panel.add_patch(Rectangle((column, first), 1, tall, facecolor=MAP(0.08 + 0.8 * level), edgecolor="white"))
        ink = "white" if level > 0.6 else "#1a1a1a"
        weight = "bold" if at in flat else "normal"
        word = f"{mean:,.{log.digits}f}".replace("-", "−")
        panel.text(column + 0.5, first + tall / 2, word, ha="center", va="center", color=ink, weight=weight, fontsize=8)
        if at == DEFAULTS:
            ring = Rectangle(
                (column + 0.07, first + 0.09), 0.86, 0.82, fill=False, edgecolor=ink, linestyle=(0, (2, 2))
            )
            panel.add_patch(ring)
    outline(panel, {cell for at in flat for cell in grid.cells(at)})
    panel.set(xlim=(-0.04, len(grid.shares) + 0.04), ylim=(-0.04, len(grid.betas) + 0.04), title=log.title)
    panel.set_xticks(np.arange(len(grid.shares)) + 0.5, [f"{share:g}" if share else "none" for share in grid.shares])
    panel.set_yticks(np.arange(len(grid.betas)) + 0.5, [f"{beta:g}" for beta in grid.betas])
    panel.set_xlabel("model's share of a batch")
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)


def outline(panel: Any, cells: set[Cell]) -> None:
    """A line where a cell of the region borders on none."""
    for row, column in cells:
        sides = {
            (row - 1, column): ((column, column + 1), (row, row)),
            (row + 1, column): ((column, column + 1), (row + 1, row + 1)),
            (row, column - 1): ((column, column), (row, row + 1)),
            (row, column + 1): ((column + 1, column + 1), (row, row + 1)),
        }
        for neighbour, (x, y) in sides.items():
            if neighbour not in cells:
                panel.plot(x, y, color=LINE, linewidth=2.2, solid_capstyle="projecting", clip_on=False)


def draw_curves(panel: Any, log: Read) -> None:
    """Mean and range over seeds at a share of one half by beta, and without a model."""
    lines = [(f"beta {beta:g}", place(beta, 0.5), colour, "-") for beta, colour in COLOURS.items()]
    for label, name, colour, style in [*lines, ("no rows of a model", MODEL_FREE, GREY, "--")]:
        if figures := log.cell(name):
            rows = np.array([seed for seed in figures["evaluations"] if len(seed) == log.studied.epochs])
            epochs = np.arange(1, rows.shape[1] + 1)
            panel.plot(epochs, rows.mean(0), style, color=colour, label=label, linewidth=1.4)
            panel.fill_between(epochs, rows.min(0), rows.max(0), color=colour, alpha=0.09, linewidth=0)
    panel.set_xlabel("thousand updates")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)
