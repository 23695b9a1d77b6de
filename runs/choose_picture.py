"""The figure of the study of choosing: what the judge said of every candidate's best policy, and what is true."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLUMNS = 3
FOUNDED, OTHERS, REST = "#d55e00", "#0072b2", "#bbbbbb"
"""Colours of the best founded policy, of the others that were judged, and of those that were not."""


def draw(choices: Sequence[dict[str, Any]]) -> Figure:
    """A panel for each choice that had anything to judge, as `runs.choose` recorded it."""
    lines = -(-len(choices) // COLUMNS)
    figure = Figure((4 * COLUMNS, 2.8 * lines), layout="constrained")
    axes = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
    for axis, about in zip(axes, choices, strict=False):
        panel(axis, about)
    for axis in axes[len(choices) :]:
        axis.remove()
    return figure


def panel(axis: Axes, about: dict[str, Any]) -> None:
    """A candidate a line: the judge's interval as a bar, the truth as a dot, its other policies' truths in grey."""
    names = [name for name, best in about["candidates"].items() if best is not None]
    for height, name in enumerate(reversed(names)):
        best = about["candidates"][name]
        colour = FOUNDED if best == about["chosen"] else OTHERS
        rest = [truth["difference"] for policy, truth in about["truths"].items() if _candidate(policy) == name]
        axis.plot(rest, [height] * len(rest), "o", color=REST, markersize=3)
        axis.plot(about["intervals"][best], [height, height], color=colour, linewidth=5, alpha=0.35)
        filling = colour if best != about["chosen"] or about["tried"] else "white"
        axis.plot(about["truths"][best]["difference"], height, "o", color=colour, markersize=6, markerfacecolor=filling)
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(range(len(names)), list(reversed(names)))
    axis.set_title(f"{about['world']}: {about['decision']}", fontsize=10)
    axis.tick_params(labelsize=8)


def _candidate(policy: str) -> str:
    """Whose a policy is, by its name: CANDIDATE-seedS-epochN."""
    return policy.rsplit("-", 2)[0]
