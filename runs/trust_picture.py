"""The figure of the study of trust: every pair's interval beside what is true, log by log."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from micro_rl.reports.trust.record import BETTER, NOT_SHOWN, WORSE
from micro_rl.trust.verdict import Thresholds
from runs.trust_pairs import Log

COLUMNS = 3
COLOURS = {BETTER: "#009e73", NOT_SHOWN: "#999999", WORSE: "#d55e00"}
PALE = 0.25
"""How dark an interval is that promises nothing."""


def draw(logs: Sequence[Log], thresholds: dict[str, Thresholds]) -> Figure:
    """A panel for each log."""
    lines = -(-len(logs) // COLUMNS)
    figure = Figure((4 * COLUMNS, 2.6 * lines), layout="constrained")
    axes = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
    for axis, log in zip(axes, logs, strict=False):
        panel(axis, log, thresholds[log.name])
    for axis in axes[len(logs) :]:
        axis.remove()
    return figure


def panel(axis: Axes, log: Log, thresholds: Thresholds) -> None:
    """A policy a line, the truly best on top: its interval as a bar in the verdict's colour, the truth as a dot."""
    pairs = sorted(log.pairs, key=lambda pair: pair.truth)
    for height, pair in enumerate(pairs):
        interval, vouched = pair.evidence.difference, pair.vouched_for(thresholds)
        colour, alpha = COLOURS[pair.said(thresholds)], 0.8 if vouched else PALE
        axis.plot([interval.low, interval.high], [height, height], color=colour, linewidth=3, alpha=alpha)
    axis.plot([pair.truth for pair in pairs], range(len(pairs)), "o", color="black", markersize=3)
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_xlim(*_shown([pair.truth for pair in pairs]))
    axis.set_yticks([])
    axis.set_title(log.name, fontsize=10)
    axis.tick_params(labelsize=8)


def _shown(truths: list[float]) -> tuple[float, float]:
    """The truths and 0, with half their range at either side; wider intervals leave the panel."""
    low, high = min(0.0, *truths), max(0.0, *truths)
    margin = 0.5 * float(np.ptp([low, high]))
    return low - margin, high + margin
