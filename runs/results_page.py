"""The published runs as a page: `python -m runs.results_page OUT` writes docs/results/real-logs.md and its figure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from micro_rl.storage.arrays import read_arrays
from micro_rl.storage.run_folder import RunFolder
from runs.results import CELLS
from runs.usage import words

PAGE = Path("docs/results/real-logs.md")
FIGURE = PAGE.with_suffix(".svg")
GROUPS = {
    "halfcheetah": "halfcheetah-medium-replay (re-created)",
    "hopper": "hopper-medium-replay (re-created)",
    "safety": "SafetyHalfCheetah (NeoRL-2)",
}
COLOURS = ("#0072b2", "#d55e00", "#009e73")


class Result(NamedTuple):
    """One finished cell."""

    cell: str
    config: dict[str, Any]
    scores: dict[str, Any]
    rows: list[dict[str, float]]
    fit_epochs: int

    def series(self, key: str) -> tuple[list[float], list[float]]:
        """Epochs and values of the rows that have this key."""
        points = [(row["epoch"], row[key]) for row in self.rows if key in row]
        return [epoch for epoch, _ in points], [value for _, value in points]

    def last(self, key: str) -> float:
        """The newest value."""
        return self.series(key)[1][-1]


def finished(out: Path) -> list[Result]:
    """Every cell that has its scores."""
    finished = [name for name in CELLS if (out / name / "scores.json").exists()]
    folders = {name: RunFolder.open(out / name) for name in finished}
    return [
        Result(name, f.config(), f.scores(), f.metrics(), read_arrays(f.model, "ensemble")[1]["epochs"])
        for name, f in folders.items()
    ]


def _mean_up_to(result: Result, key: str, last: int) -> float:
    """Over the ten epochs that end there."""
    return float(np.mean([row[key] for row in result.rows if key in row and last - 10 < row["epoch"] <= last]))


def draws_compared(results: Sequence[Result]) -> str:
    """One draw against ten on the same log, model and seed, at the last epoch that both have."""
    pair = {r.cell: r for r in results if r.cell in ("hopper-seed0", "hopper-draws10")}
    if len(pair) < 2:
        return "Ten draws against one: not run yet (cell hopper-draws10)."
    single, ten = pair["hopper-seed0"], pair["hopper-draws10"]
    last = min(single.scores["epochs"], ten.scores["epochs"])
    lines = [f"Ten draws against one (hopper, seed 0, the same model), means of epochs {last - 9} to {last}:", ""]
    lines += ["| | 1 draw | 10 draws |", "|---|---|---|"]
    for key in ("eval/normalised_score", "conservative_term", "q/model"):
        values = [
            np.mean([row[key] for row in r.rows if key in row and last - 10 < row["epoch"] <= last])
            for r in (single, ten)
        ]
        lines.append(f"| {key} | {values[0]:.2f} | {values[1]:.2f} |")
    return "\n".join(lines)


def table(results: Sequence[Result]) -> str:
    """One line a run, in normalised scores."""
    lines = [
        "| run | draws | fit epochs | epochs | log's mean | log's best | last ten evaluations | best evaluation | "
        "Q at the starts | discounted return there | f | ms per update |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        score, log = result.scores["eval/normalised_score"], result.scores["log"]
        speed = float(np.median(result.series("time/updates_per_second")[1]))
        cells = (
            result.cell,
            result.config["options"]["num_samples"],
            result.fit_epochs,
            f"{result.scores['epochs']} of {result.scores['planned_epochs']}",
            f"{log['normalised_return_mean']:.1f}",
            f"{log['normalised_return_best']:.1f}",
            f"**{score['mean_of_last']:.1f}** ± {score['std_of_last']:.1f}",
            f"{score['best']:.1f}",
            f"{result.last('eval/critic_estimate'):.0f}",
            f"{result.last('eval/discounted_return'):.0f}",
            f"{result.last('conservative_term'):.2f}",
            f"{1000 / speed:.1f}",
        )
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


def summary(results: Sequence[Result]) -> str:
    """Mean over seeds of each group's one-draw runs."""
    lines = []
    for group, title in GROUPS.items():
        scores = [
            r.scores["eval/normalised_score"]["mean_of_last"] for r in results if r.cell.startswith(f"{group}-seed")
        ]
        if scores:
            spread = f", from {min(scores):.1f} to {max(scores):.1f}" if len(scores) > 1 else ""
            lines.append(
                f"* {title}: {np.mean(scores):.1f} over {len(scores)} seed{'s' if len(scores) > 1 else ''}{spread}"
            )
    return "\n".join(lines)


def draw(results: Sequence[Result]) -> None:
    """Score, conservative term and Q against the return obtained, a column for each log."""
    figure = Figure(figsize=(12, 8.5), layout="constrained")
    panels = figure.subplots(3, len(GROUPS), squeeze=False)
    for column, (group, title) in enumerate(GROUPS.items()):
        runs = [result for result in results if result.cell.startswith(group)]
        if not runs:
            for row in panels:
                row[column].set_visible(False)
            continue
        score, term, value = (panels[row][column] for row in range(3))
        score.set(title=title, ylabel="normalised score")
        term.set(ylabel="conservative term f")
        value.set(ylabel="discounted, from the starts", xlabel="epoch")
        for run, colour in zip(runs, COLOURS, strict=False):
            label = run.cell.partition("-")[2]
            score.plot(*run.series("eval/normalised_score"), color=colour, label=label)
            term.plot(*run.series("conservative_term"), color=colour)
            value.plot(*run.series("eval/critic_estimate"), color=colour, linestyle="--", label=f"Q, {label}")
            value.plot(*run.series("eval/discounted_return"), color=colour, label=f"return, {label}")
        log = runs[0].scores["log"]
        if min(min(run.series("eval/normalised_score")[1]) for run in runs) < -200:
            score.set_yscale("symlog", linthresh=100)
        score.axhline(log["normalised_return_mean"], color="#666666", linestyle="--", label="log's mean")
        score.axhline(log["normalised_return_best"], color="#666666", linestyle=":", label="log's best")
        score.legend(fontsize=8)
        value.legend(fontsize=7)
        for panel in (score, term, value):
            panel.grid(alpha=0.25)
    figure.savefig(FIGURE, metadata={"Date": None})


TEXT = """# MICRO on real logs

Made by `python -m runs.results DATA OUT CELL...` (the cells below) and `python -m runs.results_page OUT`.

The two D4RL tasks are **re-created logs** (online SAC in Gymnasium's v4 environments by D4RL's protocol), not D4RL's
own files: do not rank these scores beside published ones. Scores are the mean of a run's last ten evaluations, ten
episodes each, ± the standard deviation over these evaluations; the best evaluation stands apart and is not the score.
Re-created logs were evaluated every second epoch, so their last ten evaluations span twenty epochs; they have the
preset's settings with two exceptions. The draws are those in the table (the preset has ten). And they stopped early:
the policies at the epoch given, of the 3,000 over which the cosine schedule falls, and the fits, which the seeds of
one log share, at the epoch given, before their patience ran out. SafetyHalfCheetah has the generic defaults with 25
epochs; the fits of seeds 0 and 1 were ended by hand at the epoch given (`--max-fit-epochs` repeats that), seed 2's
ended by itself. The runs shared two cores with other work, so the last column is no benchmark ([speed.md](speed.md)
is).

![Learning curves](real-logs.svg)

{table}

Mean over seeds of the one-draw runs:

{summary}

{draws}
"""


def main(out: Path) -> None:
    """Write the page and its figure; remarks below a line `## Remarks` are kept."""
    results = finished(out)
    draw(results)
    remarks = PAGE.read_text().partition("\n## Remarks")[2] if PAGE.exists() else ""
    text = TEXT.format(table=table(results), summary=summary(results), draws=draws_compared(results))
    PAGE.write_text(text + (f"\n## Remarks{remarks}" if remarks else ""))


if __name__ == "__main__":
    main(Path(words(__doc__, 1)[0]))
