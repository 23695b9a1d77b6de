"""Aggregates as figures: a point and its interval for each method, and performance profiles."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from micro_rl.reports.compare.aggregate_tables import STATISTICS, Pool, profiles
from micro_rl.reports.compare.palette import Style, bend, drawable
from micro_rl.reports.run import figures
from micro_rl.reports.run.figures import NARROW, ROW, Size
from micro_rl.reports.run.panels import Panel, Swatch
from micro_rl.reports.stats import Interval

LEAST = -20.0
"""Where a performance profile begins: what scores less is below every threshold."""


def point_panels(intervals: dict[str, dict[str, Interval]], looks: dict[str, Style]) -> list[Panel]:
    """A small panel for each statistic."""
    panels = []
    for place, (name, _, meaning) in enumerate(STATISTICS):
        picture, remark = _points(intervals[name], looks, f"aggregate{place}", name)
        panels.append(Panel(name, f"{meaning}. {remark}".strip(), [], [("only", picture)]))
    return panels


def _points(intervals: dict[str, Interval], looks: dict[str, Style], name: str, title: str) -> tuple[str, str]:
    """The picture, and what must be said of its scale."""
    size, remark = Size(400, 60 + 24 * len(intervals), 12), ""

    def draw(axes: Axes) -> None:
        nonlocal remark
        for place, (method, estimate) in enumerate(intervals.items()):
            look = looks[method]
            style: dict[str, Any] = {"color": look.colour, "zorder": 3}
            if np.isfinite(estimate.low):
                axes.hlines(place, float(estimate.low), float(estimate.high), linewidth=5, alpha=0.35, **style)
            axes.plot([float(estimate.point)], [place], marker=look.marker, markersize=7, linestyle="none", **style)
        values = [float(end) for estimate in intervals.values() for end in estimate if np.isfinite(end)]
        remark = bend(axes, values, 100.0, "x")
        if not remark:
            axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        named_rows(axes, size, list(intervals))

    return figures.drawing(draw, size, name, title), remark


def named_rows(axes: Axes, size: Size, names: list[str]) -> None:
    """Rows from the top with their names beside them, values along the bottom."""
    short = [drawable(name) for name in names]
    figures.bare(axes)
    axes.set_yticks(range(len(names)), short)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color="#e6e6e6", linewidth=1)
    left = 12 + 0.56 * size.text * max(map(len, short))
    bottom, top = 2.4 * size.text, 0.4 * size.text
    axes.set_position(
        (
            left / size.width,
            bottom / size.height,
            (size.width - left - 2.2 * size.text) / size.width,
            (size.height - bottom - top) / size.height,
        )
    )


def profile_panel(pooled: Pool, looks: dict[str, Style]) -> Panel:
    """The share of runs that score more than each threshold."""
    values = np.concatenate([scores[~np.isnan(scores)] for scores in pooled.scores.values()])
    thresholds = np.linspace(max(LEAST, min(0.0, values.min())), max(100.0, min(values.max(), 150.0)), 121)
    curves = profiles(pooled, thresholds)
    pictures = []
    for kind, size in (("wide", ROW), ("narrow", NARROW)):

        def draw(axes: Axes, size: Size = size) -> None:
            for method, curve in curves.items():
                axes.plot(thresholds, curve.point, linewidth=1.8, zorder=3, **looks[method].line)
                axes.fill_between(
                    thresholds, curve.low, curve.high, color=looks[method].colour, alpha=0.13, linewidth=0
                )
            axes.set_ylim(-0.02, 1.02)
            figures.bare(axes)
            figures.label(axes, size, "share of runs above", "normalised score")
            figures.place(axes, size)

        pictures.append((kind, figures.drawing(draw, size, f"profile-{kind}", "Performance profile")))
    caption = (
        "How many runs score more than each threshold, mean over logs; the band is the 95 % interval at each. A curve "
        "above another everywhere is the better method; where they cross it depends on what is wanted."
    )
    legend = [Swatch(method, looks[method].colour, looks[method].dash) for method in curves]
    return Panel("Performance profile", caption, legend, pictures)
