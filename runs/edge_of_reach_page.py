"""The section on the edge of reach in docs/results/support-probes.md, and its figure."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from runs.edge_of_reach import CELLS, EPOCHS, Cell, Curves
from runs.support_probes_readings import EDGE, EDGE_READING
from tests.plateau import Plateau

FIGURE = Path("docs/results/edge-of-reach.svg")
SHOWN = (2, 6, EPOCHS)
"""Epochs after which beliefs stand in the table."""
LATE = 4
"""Last epochs over which the growth of beliefs is measured."""
COLOURS = ("#d55e00", "#e69f00", "#0072b2", "#009e73", "#cc79a7", "#000000", "#56b4e9")


def edge_section(edges: Mapping[str, Curves]) -> str:
    """What was asked, the table, the figure and how we read it."""
    plateau = Plateau()
    reach = ", ".join(f"{plateau.reach(steps):.2f}" for steps in range(4))
    asked = EDGE.format(reach=reach, inside=plateau.inside, most=plateau.most, epochs=EPOCHS)
    absent = [cell.title for cell in CELLS if cell.title not in edges]
    parts = ["## Edge of reach", asked, table(edges), f"![Beliefs and true values over the epochs]({FIGURE.name})"]
    return "\n\n".join([*parts, *([f"Not run yet: {'; '.join(absent)}."] if absent else []), EDGE_READING])


def table(edges: Mapping[str, Curves]) -> str:
    """A line for each cell that was run."""
    heads = [
        "method",
        *(f"critics believe after epoch {epoch}" for epoch in SHOWN),
        "a late epoch multiplies it by",
        "the policy's true value",
        "seeds that believe more than can be",
    ]
    rows = [row(cell, edges[cell.title]) for cell in CELLS if cell.title in edges]
    return "\n".join(["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|", *rows])


def row(cell: Cell, curves: Curves) -> str:
    """A line of the table."""
    believed, true = np.array(curves["believed"]), np.array(curves["true"])[:, -1]
    above = int((believed[:, -1] > cell.plateau.most).sum())
    shown = [mean_and_spread(believed[:, epoch - 1]) for epoch in SHOWN]
    columns = [cell.title, *shown, growth(believed), mean_and_spread(true), f"{above} of {len(true)}"]
    return "| " + " | ".join(columns) + " |"


def growth(believed: np.ndarray) -> str:
    """The factor of the last epochs, where all of their beliefs are above 0: mean over the seeds."""
    late = believed[:, -LATE - 1 :]
    if np.any(late <= 0):
        return ""
    return f"{np.mean((late[:, -1] / late[:, 0]) ** (1 / LATE)):.2f}"


def mean_and_spread(values: np.ndarray) -> str:
    """Mean ± standard deviation (n - 1), as many digits as it takes."""
    digits = 0 if np.abs(values).max() >= 1000 else 1 if np.abs(values).max() >= 10 else 2
    return f"{values.mean():,.{digits}f} ± {values.std(ddof=1):,.{digits}f}"


def draw(edges: Mapping[str, Curves]) -> None:
    """Beliefs on top and true values below, a colour a method, a line a seed; the plateau with growth 1.1 alone."""
    figure = Figure(figsize=(7.5, 6.8), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True)
    shown = [cell for cell in CELLS if cell.plateau == Plateau() and cell.title in edges]
    for number, cell in enumerate(shown):
        style = {"color": COLOURS[number % len(COLOURS)], "linestyle": ("-", "--")[number // len(COLOURS)]}
        for panel, key in ((upper, "believed"), (lower, "true")):
            for seed, curve in enumerate(edges[cell.title][key]):
                label = None if seed else cell.title
                panel.plot(range(1, len(curve) + 1), curve, linewidth=1.0, label=label, **style)
    upper.axhline(Plateau().most, color="#666666", linestyle=":", label="the most there can be")
    upper.set(yscale="log", ylabel="critics believe (mean of the log's states)")
    lower.axhline(Plateau().inside, color="#666666", linestyle=":")
    lower.set(xlabel="epoch of 250 updates", ylabel="true value of the policy")
    for panel in (upper, lower):
        panel.grid(alpha=0.25)
    upper.legend(fontsize=7)
    figure.savefig(FIGURE, metadata={"Date": None})
