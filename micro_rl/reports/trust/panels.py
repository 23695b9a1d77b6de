"""The two pictures of a judgement: differences with their intervals, and the judge's own test."""

from matplotlib.axes import Axes

from micro_rl.core.wording import number
from micro_rl.reports.run import figures
from micro_rl.reports.run.figures import BLUE, GREEN, GREY, INK, NARROW, ROW, VERMILION, Size
from micro_rl.reports.run.panels import Panel, Swatch
from micro_rl.reports.trust.record import BETTER, WORSE, Judgement

COLOURS = {BETTER: GREEN, WORSE: VERMILION}


def differences(judgement: Judgement) -> Panel:
    """Every policy's difference from what it is compared with."""
    policies = list(reversed(judgement.ranked))

    def draw(axes: Axes, size: Size) -> None:
        for place, policy in enumerate(policies):
            colour, own = COLOURS.get(policy.verdict, GREY), policy.difference
            model, fqe = policy.evidence.model, policy.evidence.fqe
            axes.plot([own.low, own.high], [place, place], color=colour, linewidth=5, solid_capstyle="round")
            axes.plot([model.mean], [place], marker="o", color=INK, markersize=7, zorder=4)
            axes.plot([fqe.mean], [place], marker="D", color="white", markeredgecolor=INK, markersize=6, zorder=4)
        axes.axvline(0, color=INK, linewidth=1.2, linestyle="--")
        axes.set_ylim(-0.7, len(policies) - 0.3)
        axes.set_yticks(range(len(policies)), [_short(policy.name) for policy in policies])
        figures.bare(axes)
        axes.yaxis.set_major_formatter(lambda place, _: _short(policies[int(place)].name))
        figures.label(axes, size, "", f"difference per window, policy less {judgement.opponent}")
        names = max(len(_short(policy.name)) for policy in policies)
        left = 12 + 0.55 * size.text * names
        axes.set_position((left / size.width, 0.2, 1 - (left + 12) / size.width, 0.7))

    legend = [
        Swatch(name, colour, "") for name, colour in (("better", GREEN), ("not shown", GREY), ("worse", VERMILION))
    ]
    known = judgement.baseline_error is not None
    both = "the estimate of what made the log and from what it measured" if known else "the estimate of its imitation"
    spanned = "the model’s interval" if judgement.alone else "what spans both intervals"
    caption = f"Dot: by the model. Diamond: by fitted Q evaluation. Bar, which decides: {spanned}, from {both}."
    return _panel("differences", f"Better than {judgement.opponent}?", caption, draw, legend)


def self_test(judgement: Judgement) -> Panel:
    """Predicted against measured, for parts of the log that the judge did not see."""

    def draw(axes: Axes, size: Size) -> None:
        predicted = [fold.predicted for fold in judgement.folds]
        measured = [fold.measured for fold in judgement.folds]
        ends = min(*predicted, *measured), max(*predicted, *measured)
        axes.plot(ends, ends, color=GREY, linewidth=1.2, linestyle="--")
        errors = [fold.deviation for fold in judgement.folds]
        axes.errorbar(predicted, measured, xerr=errors, fmt="o", color=BLUE, ecolor="#9cc6e2", markersize=7)
        figures.bare(axes)
        figures.label(axes, size, "measured", "predicted")
        figures.place(axes, size)

    caption = (
        f"Each dot is a part of the log that the judge did not see: what its windows returned, and what was predicted. "
        f"On the line, both are the same. Correlation {judgement.correlation:.2f}; the bars are one deviation of the "
        f"prediction. What made the log collects {number(judgement.measured)} a window on average."
    )
    return _panel("selftest", "Can the judge be believed?", caption, draw)


def _short(name: str) -> str:
    """The end of a name, which tells policies of one folder apart."""
    name = name.removesuffix(".safetensors")
    return name if len(name) <= 28 else "…" + name[-27:]


def _panel(name: str, title: str, caption: str, draw, legend: list[Swatch] | None = None) -> Panel:
    drawings = []
    for size in (ROW, NARROW):
        kind = "narrow" if size == NARROW else "wide"
        drawings.append((kind, figures.drawing(lambda axes, s=size: draw(axes, s), size, f"{name}-{kind}", title)))
    return Panel(title, caption, legend or [], drawings)
