"""The study of anchors as a page: `python -m runs.anchor_page OUT` writes docs/results/anchor.md and its figure."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from micro_rl.storage.run_folder import RunFolder
from runs.anchor import CELLS, EPOCHS
from runs.usage import words

PAGE = Path("docs/results/anchor.md")
FIGURE = PAGE.with_suffix(".svg")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
SHOWN = {
    "eval/critic_estimate": "critics at the starts",
    "eval/discounted_return": "discounted return there",
    "conservative_term": "f",
}


class Curve(NamedTuple):
    """A finished cell."""

    name: str
    rows: list[dict[str, float]]
    log_mean: float

    def scores(self, last: int = EPOCHS, over: int = 10) -> np.ndarray:
        """Normalised, of the epochs that end there."""
        return np.array([r["eval/normalised_score"] for r in self.rows if last - over < r["epoch"] <= last])

    def at_end(self, key: str) -> float:
        """The newest value of this key."""
        return next((row[key] for row in reversed(self.rows) if key in row), float("nan"))


def finished(out: Path) -> list[Curve]:
    """Every cell that has its scores, in the study's order."""
    folders = {name: RunFolder.open(out / name) for name in CELLS if (out / name / "scores.json").exists()}
    return [
        Curve(name, folder.metrics(), folder.scores()["log"]["normalised_return_mean"])
        for name, folder in folders.items()
    ]


def table(curves: list[Curve]) -> str:
    """A line a cell."""
    heads = ["anchor", "beta", "also changed", "mean, epochs 1-10", "11-20", "21-30", "best", *SHOWN.values()]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for curve in curves:
        changes = CELLS[curve.name]
        more = ", ".join(f"{key} {value:g}" for key, value in changes.items() if key not in ("bc_weight", "beta"))
        words = [f"{changes['bc_weight']:g}", f"{changes['beta']:g}", more]
        words += [f"{curve.scores(last).mean():.1f}" for last in (10, 20, 30)]
        words += [f"{curve.scores(over=EPOCHS).max():.1f}", *(f"{curve.at_end(key):.1f}" for key in SHOWN)]
        lines.append("| " + " | ".join(words) + " |")
    return "\n".join(lines)


def draw(curves: list[Curve]) -> None:
    """Scores over the epochs."""
    figure = Figure(figsize=(7.5, 4.4), layout="constrained")
    panel = figure.subplots()
    for number, curve in enumerate(curves):
        style = ("-", "--")[number // len(COLOURS)]
        scores = curve.scores(over=EPOCHS)
        epochs = np.arange(1, len(scores) + 1)
        panel.plot(epochs, scores, style, color=COLOURS[number % len(COLOURS)], linewidth=1.2, label=curve.name)
    panel.axhline(curves[0].log_mean, color="#666666", linestyle=":", label="log's mean")
    panel.set(xlabel="epoch", ylabel="normalised score")
    panel.grid(alpha=0.25)
    panel.legend(fontsize=7)
    figure.savefig(FIGURE, metadata={"Date": None})


TEXT = """# An anchor on a narrow log

MICRO on NeoRL-2's SafetyHalfCheetah (18 episodes of one narrow policy), one seed, one ensemble for all, one draw,
{epochs} epochs of 1,000 updates, the generic settings but for what the table names. Scores are normalised means over
the evaluations (ten episodes) of ten epochs; the log's own mean is {log:.1f}. **One seed and {epochs} epochs: this
shows which way things go, not how far.** Made by `python -m runs.anchor DATA OUT` and `python -m runs.anchor_page
OUT`. The runs are older than the way in which rollouts draw their random numbers today (November 2026), so the same
seed gives other figures now.

The anchor is the weight of (pi(s) - a)^2 on the log's rows, where Q / mean|Q| has the weight 1. TD3+BC weighs Q by
2.5 and this term by 1, which is an anchor of 0.4.

{table}

![Scores over the epochs]({figure})

Missing cells: {missing}.
"""


def main(out: Path) -> None:
    """Write the page and its figure; remarks below a line `## Remarks` are kept."""
    curves = finished(out)
    draw(curves)
    done = {curve.name for curve in curves}
    text = TEXT.format(
        epochs=EPOCHS,
        log=curves[0].log_mean,
        table=table(curves),
        figure=FIGURE.name,
        missing=", ".join(name for name in CELLS if name not in done) or "none",
    )
    remarks = PAGE.read_text().partition("\n## Remarks")[2] if PAGE.exists() else ""
    PAGE.write_text(text + (f"\n## Remarks{remarks}" if remarks else ""))


if __name__ == "__main__":
    main(Path(words(__doc__, 1)[0]))
