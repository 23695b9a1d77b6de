"""The pictures of the robustness study: maps of the grid and curves of the attacks."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from runs.study_pages import save

STYLES = (("#0072b2", "-"), ("#d55e00", "--"), ("#009e73", ":"), ("#cc79a7", "-."), ("#e69f00", "-"))
EDGES = (0.45, 1.55, 0.25, 5.25)
"""Of the map: friction, then gravity, half a cell beyond the outermost values."""
Curve = tuple[list[float], list[float]]
"""Sizes of an attack, and the score at each."""


def draw_maps(maps: Mapping[str, Float[np.ndarray, "friction gravity"]], path: Path) -> None:
    """A heat map a method, on one scale; the nominal world is ringed."""
    figure = Figure(figsize=(3.1 * len(maps), 3.3), layout="constrained")
    panels = figure.subplots(1, len(maps), squeeze=False)[0]
    top, image = max(scores.max() for scores in maps.values()), None
    for panel, (method, scores) in zip(panels, maps.items(), strict=True):
        image = panel.imshow(scores.T, origin="lower", cmap="cividis", vmin=0, vmax=top, extent=EDGES)
        panel.set(title=method, xlabel="friction x", ylabel="gravity x", aspect="auto")
        panel.plot(1, 1, "o", markerfacecolor="none", markeredgecolor="#d00000")
    if image is not None:
        figure.colorbar(image, ax=panels, label="normalised score", shrink=0.8)
    save(figure, path)


def draw_curves(attacks: Mapping[str, Mapping[str, Sequence[Curve]]], methods: Sequence[str], path: Path) -> None:
    """A panel an attack: of each method the seeds' mean, and each seed as a thin line."""
    figure = Figure(figsize=(4.2 * len(attacks), 3.4), layout="constrained")
    panels = figure.subplots(1, len(attacks), sharey=True, squeeze=False)[0]
    for panel, (title, lines) in zip(panels, attacks.items(), strict=True):
        for method, curves in lines.items():
            _lines(panel, method, curves, STYLES[list(methods).index(method)])
        panel.set(title=title, xlabel="epsilon, log's std")
        panel.set_xticks([0, 0.05, 0.1, 0.15, 0.2])
        panel.grid(alpha=0.25)
    panels[0].set_ylabel("normalised score")
    panels[-1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    save(figure, path)


def _lines(panel: Axes, method: str, curves: Sequence[Curve], style: tuple[str, str]) -> None:
    """One method's mean, and its seeds."""
    (colour, line), sizes = style, curves[0][0]
    panel.plot(sizes, np.mean([scores for _, scores in curves], 0), line, color=colour, label=method)
    for sizes, scores in curves if len(curves) > 1 else ():
        panel.plot(sizes, scores, line, color=colour, linewidth=0.5, alpha=0.6)
