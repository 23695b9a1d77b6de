"""The robustness study as a page: `python -m runs.robustness_page OUT`, docs/results/robustness.md and its figures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from micro_rl.core.tasks import Task, normalised
from micro_rl.reports.stats import interval
from runs.robustness import COMMON_FOLDER, LOGS, METHODS, folder
from runs.usage import words

PAGE = Path("docs/results/robustness.md")
TITLES = {
    "halfcheetah": "halfcheetah-medium-replay (re-created)",
    "hopper": "hopper-medium-replay (re-created)",
}
CURVES = ("random attack", "action difference attack", "min Q attack")
STYLES = (("#0072b2", "-"), ("#d55e00", "--"), ("#009e73", ":"), ("#cc79a7", "-."), ("#e69f00", "-"))
Scores = Float[np.ndarray, "episode cell"]


class Trialled(NamedTuple):
    """One policy's results of one protocol: scores of each group, and what each cell is."""

    about: dict[str, Any]
    scores: dict[str, Scores]
    places: dict[str, list[dict[str, float]]]
    summary: dict[str, Any]


def read(path: Path) -> Trialled | None:
    """None where the protocol is not finished there."""
    if not (path / "summary.json").exists():
        return None
    about = json.loads((path / "robust.json").read_text())
    task = Task(**about["task"])
    scores: dict[str, list[list[float]]] = {}
    places: dict[str, list[dict[str, float]]] = {}
    for line in (path / "cells.jsonl").read_text().splitlines():
        cell = json.loads(line)
        scores.setdefault(cell["group"], []).append([normalised(value, task) or 0.0 for value in cell["returns"]])
        places.setdefault(cell["group"], []).append(cell["coordinates"])
    order = {name: sorted(range(len(at)), key=lambda i, at=at: tuple(at[i].values())) for name, at in places.items()}
    arrays = {name: np.array(values).T[:, order[name]] for name, values in scores.items()}
    ordered = {name: [at[i] for i in order[name]] for name, at in places.items()}
    return Trialled(about, arrays, ordered, json.loads((path / "summary.json").read_text()))


def found(out: Path, log: str, protocol: str) -> dict[str, Trialled]:
    """The methods whose results are there."""
    each = {method: read(folder(out, log, method) / "robust" / protocol) for method in METHODS}
    return {method: trialled for method, trialled in each.items() if trialled is not None}


def table(results: dict[str, Trialled]) -> str:
    """A line a method: nominal, the grid, and the area under each attack."""
    head = ["method", "epochs", "nominal", "grid, mean", "grid, worst cell", "grid, CVaR 10 %", *CURVES]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for method, result in results.items():
        groups, trained = result.summary["groups"], result.about["trained"]
        grid = groups["friction by gravity"]
        cells = [groups["nominal"]["mean"], grid["mean"], grid["worst"], grid["cvar10"]]
        cells += [groups[name]["area"] for name in CURVES]
        row = [method, f"{trained['epochs']:,} of {trained['planned']:,}", *map(_figure, cells)]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def _figure(values: Sequence[float]) -> str:
    return f"{values[0]:.1f} [{values[1]:.1f}, {values[2]:.1f}]"


def pairs(results: dict[str, Trialled]) -> str:
    """MICRO against each other method, episode by episode from the same starts."""
    head = ["MICRO minus", "nominal", "grid", *CURVES, "cells of the grid where MICRO is above"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    micro = results["micro"].scores
    for method, result in results.items():
        if method != "micro":
            groups = ("nominal", "friction by gravity", *CURVES)
            row = [_figure(_difference(micro[name], result.scores[name])) for name in groups]
            grid = (scores["friction by gravity"].mean(0) for scores in (micro, result.scores))
            above = int(np.sum(np.greater(*grid)))
            lines.append("| " + " | ".join([method, *row, f"{above} of 100"]) + " |")
    return "\n".join(lines)


def _difference(one: Scores, other: Scores) -> tuple[float, float, float]:
    gap = interval(lambda a, b: float(a.mean() - b.mean()), one, other, paired=True, resamples=2000)
    return float(gap.point), float(gap.low), float(gap.high)


def common(results: dict[str, Trialled]) -> str:
    """The attack by the same critics: a column for each size."""
    sizes = [point["epsilon"] for point in next(iter(results.values())).places["min Q attack"]]
    lines = ["| method | " + " | ".join(f"epsilon {size:g}" for size in sizes) + " |"]
    lines.append("|---" * (len(sizes) + 1) + "|")
    for method, result in results.items():
        scores = result.scores["min Q attack"]
        row = [f"{mean:.1f} ± {std:.1f}" for mean, std in zip(scores.mean(0), scores.std(0), strict=True)]
        lines.append(f"| {method} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def draw_maps(results: dict[str, Trialled], path: Path) -> None:
    """A heat map a method, on one scale."""
    figure = Figure(figsize=(3.1 * len(results), 3.3), layout="constrained")
    panels = figure.subplots(1, len(results), squeeze=False)[0]
    top = max(result.scores["friction by gravity"].mean(0).max() for result in results.values())
    image = None
    for panel, (method, result) in zip(panels, results.items(), strict=True):
        grid = result.scores["friction by gravity"].mean(0).reshape(10, 10).T  # friction outermost
        image = panel.imshow(grid, origin="lower", cmap="cividis", vmin=0, vmax=top, extent=(0.45, 1.55, 0.25, 5.25))
        panel.set(title=method, xlabel="friction x", ylabel="gravity x", aspect="auto")
        panel.plot(1, 1, "o", markerfacecolor="none", markeredgecolor="#d00000")
    if image is not None:
        figure.colorbar(image, ax=panels, label="normalised score", shrink=0.8)
    figure.savefig(path, metadata={"Date": None})


def draw_curves(results: dict[str, Trialled], path: Path) -> None:
    """A panel an attack; the mean of ten episodes."""
    figure = Figure(figsize=(4.2 * len(CURVES), 3.4), layout="constrained")
    panels = figure.subplots(1, len(CURVES), sharey=True)
    for panel, name in zip(panels, CURVES, strict=True):
        _curve(panel, name, results)
    panels[0].set_ylabel("normalised score")
    panels[-1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, metadata={"Date": None})


def _curve(panel: Axes, name: str, results: dict[str, Trialled]) -> None:
    for (method, result), (colour, style) in zip(results.items(), STYLES, strict=False):
        at = [point["epsilon"] for point in result.places[name]]
        panel.plot(at, result.scores[name].mean(0), style, color=colour, label=method)
    panel.set(title=f"{name}, own critics" if "Q" in name else name, xlabel="epsilon, log's std")
    panel.set_xticks([0, 0.05, 0.1, 0.15, 0.2])
    panel.grid(alpha=0.25)


TEXT = """# MICRO's robustness, early in training

**These policies were trained for 50 epochs of the 3,000 (TD3+BC: 1,000) that their methods are published with, one
seed each.** They show how the tool answers, and what MICRO's claim looks like this early; they do not rank the methods.

Made by `python -m runs.robustness OUT` and `python -m runs.robustness_page OUT` from the runs of
[methods.md](methods.md): one ensemble for all methods that learn one, one draw, MICRO's settings, `mobile-matched` with
c = 1.24 beta. Protocol `micro` ([robustness.md](../guides/robustness.md)): friction of every geom x 0.5 to 1.5 by
gravity x 0.5 to 5, ten values each; attacks of ten sizes up to 0.2 standard deviations of the log; ten episodes a cell,
the same starts in all. Scores are normalised. Brackets are 95 % bootstrap intervals of the episodes: they speak for
these policies, not for other seeds. CVaR of a grid is the mean of its 100 worst episodes of 1,000.

{parts}
"""

PART = """## {title}

{table}

![Friction by gravity]({log_}-maps.svg)

![Attacks]({log_}-attacks.svg)

MICRO and each other method, paired by start: differences of the means over the group's cells.

{pairs}

The critics of MICRO, MOBILE and SAC together attack every policy alike (min Q; mean ± standard deviation over ten
episodes):

{common}
"""


def part(out: Path, log: str) -> str:
    """One log's section, its figures drawn."""
    results = found(out, log, "micro")
    if "micro" not in results:
        return f"## {TITLES[log]}\n\nNot run.\n"
    name = f"robustness-{log}"
    draw_maps(results, PAGE.with_name(f"{name}-maps.svg"))
    draw_curves(results, PAGE.with_name(f"{name}-attacks.svg"))
    attacked = found(out, log, COMMON_FOLDER)
    return PART.format(
        title=TITLES[log],
        table=table(results),
        log_=name,
        pairs=pairs(results),
        common=common(attacked) if attacked else "Not run.",
    )


def main(out: Path) -> None:
    """Write the page; remarks below a line `## Remarks` are kept."""
    remarks = PAGE.read_text().partition("\n## Remarks")[2] if PAGE.exists() else ""
    text = TEXT.format(parts="\n".join(part(out, log) for log in LOGS))
    PAGE.write_text(text + (f"\n## Remarks{remarks}" if remarks else ""))


if __name__ == "__main__":
    main(Path(words(__doc__, 1)[0]))
