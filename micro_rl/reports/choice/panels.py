"""The picture of a choice: what became of the candidates, rung by rung."""

from matplotlib.axes import Axes

from micro_rl.reports.choice.record import Choice
from micro_rl.reports.run import figures
from micro_rl.reports.run.figures import BLUE, GREEN, GREY, INK, NARROW, PURPLE, ROW, VERMILION, Size
from micro_rl.reports.run.panels import Panel, Swatch
from micro_rl.reports.trust.record import Judgement

COLOURS = (BLUE, VERMILION, GREEN, PURPLE, INK, "#b8860b", "#56b4e9", GREY)

ENDS = (
    " What ends before the last rung fell out, failed or had trained as long as any may; those that still rose went on "
    "first."
)
"""Of a picture in which a candidate took part in fewer rungs than another."""


def rungs(choice: Choice, judgement: Judgement) -> list[Panel]:
    """Each candidate's best policy after every rung that it took part in, by the judge's model."""
    shown = [candidate for candidate in choice.candidates if candidate.rungs]
    if not any(len(candidate.rungs) > 1 for candidate in shown):
        return []

    def draw(axes: Axes, size: Size) -> None:
        for colour, candidate in zip(COLOURS, shown, strict=False):
            places = range(1, len(candidate.rungs) + 1)
            axes.plot(places, [rung.mean for rung in candidate.rungs], color=colour, marker="o", linewidth=2)
        axes.axhline(0, color=INK, linewidth=1.2, linestyle="--")
        axes.set_xticks([1.0 + rung for rung in range(max(len(candidate.rungs) for candidate in shown))])
        figures.bare(axes)
        figures.label(axes, size, "difference per window", "rung")
        figures.place(axes, size)

    legend = [Swatch(own.name, colour, "") for colour, own in zip(COLOURS, shown, strict=False)]
    ends = ENDS if len({len(candidate.rungs) for candidate in shown}) > 1 else ""
    caption = f"Policy less {judgement.opponent}, by the judge's model.{ends}"
    drawings = []
    for size in (ROW, NARROW):
        kind = "narrow" if size == NARROW else "wide"
        drawings.append(
            (kind, figures.drawing(lambda axes, s=size: draw(axes, s), size, f"rungs-{kind}", "Rung by rung"))
        )
    return [Panel("Rung by rung", caption, legend, drawings)]
