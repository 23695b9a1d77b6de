"""The methods' table as a page: `python -m runs.methods_page OUT` writes docs/results/methods.md and its figure.

`python -m runs.methods` does so at its end.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from micro_rl.storage.run_folder import RunFolder
from runs.methods import EPOCHS, FIT_EPOCHS, LOGS, SEEDS, Cell, cells, entries
from runs.usage import words

PAGE = Path("docs/results/methods.md")
FIGURE = PAGE.with_suffix(".svg")
TITLES = {
    "safety": "SafetyHalfCheetah (NeoRL-2)",
    "halfcheetah": "halfcheetah-medium-replay (re-created)",
    "hopper": "hopper-medium-replay (re-created)",
}
# arXiv 2503.19267, its table of normalised scores.
PUBLISHED = {
    "bc": 70.2,
    "cql": 71.2,
    "edac": 53.1,
    "td3_bc": 68.6,
    "mopo": 23.7,
    "combo": 57.8,
    "rambo": -422.4,
    "mobile-matched": 8.7,
}
LINEAR = 100
"""Scores to which an axis is linear that goes further down."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


class Result(NamedTuple):
    """One finished cell."""

    cell: Cell
    scores: dict[str, Any]
    rows: list[dict[str, float]]

    def last(self, key: str) -> float:
        """The newest value of this key."""
        return next((row[key] for row in reversed(self.rows) if key in row), float("nan"))

    def minutes_per_million(self) -> float:
        """From the median epoch's rate."""
        return 1e6 / 60 / float(np.median([row["time/updates_per_second"] for row in self.rows]))


def finished(out: Path) -> list[Result]:
    """Every cell that has its scores."""
    finished = [cell for cell in cells() if (out / cell.name / "scores.json").exists()]
    folders = ((cell, RunFolder.open(out / cell.name)) for cell in finished)
    return [Result(cell, folder.scores(), folder.metrics()) for cell, folder in folders]


def table(results: Sequence[Result], log: str) -> str:
    """One line a method: mean over seeds, every seed's score, best, Q against return, cost."""
    head = ["method", "seeds", "mean", "last ten evaluations, by seed", "best evaluation, by seed"]
    head += ["Q at the starts", "discounted return there", "minutes per million updates"]
    head += ["published (NeoRL-2)"] if log == "safety" else []
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for entry in entries(0.5):
        of = [result for result in results if (result.cell.log, result.cell.entry) == (log, entry)]
        if of:
            lines.append("| " + " | ".join(_line(of, entry, log)) + " |")
        elif log == "safety" and entry in PUBLISHED:
            lines.append("| " + " | ".join([entry, "0", *[""] * (len(head) - 3), str(PUBLISHED[entry])]) + " |")
    return "\n".join(lines)


def _line(of: Sequence[Result], entry: str, log: str) -> list[str]:
    scores = [result.scores["eval/normalised_score"] for result in of]
    last = [score["mean_of_last"] for score in scores]
    words = [entry, str(len(of)), f"**{np.mean(last):.1f}**", ", ".join(f"{value:.1f}" for value in last)]
    words.append(", ".join(f"{score['best']:.1f}" for score in scores))
    words += [_each(of, "eval/critic_estimate"), _each(of, "eval/discounted_return")]
    words.append(f"{np.mean([result.minutes_per_million() for result in of]):.0f}")
    return words + ([str(PUBLISHED.get(entry, ""))] if log == "safety" else [])


def _each(of: Sequence[Result], key: str) -> str:
    return ", ".join(f"{result.last(key):.0f}" for result in of if np.isfinite(result.last(key)))


def fits(out: Path) -> str:
    """How long each shared ensemble was fitted, and whether that was its own end."""
    ended, by_hand = [], []
    for log in LOGS:
        for seed in SEEDS[log]:
            about = out / f"{log}-seed{seed}-model" / "ensemble.json"
            if about.exists():
                label = f"{log} seed {seed} ({json.loads(about.read_text())['epochs']} epochs)"
                (by_hand if f"{log}-seed{seed}" in FIT_EPOCHS else ended).append(label)
    parts = [f"ended by hand, before their patience ran out, for want of time: {', '.join(by_hand)}"] if by_hand else []
    return "; ".join(parts + ([f"ended by themselves: {', '.join(ended)}"] if ended else []))


def draw(results: Sequence[Result]) -> None:
    """Scores over the epochs, a panel for each log; a thin line a seed."""
    logs = [log for log in LOGS if any(result.cell.log == log for result in results)]
    figure = Figure(figsize=(6.2 * len(logs), 4.6), layout="constrained")
    for panel, log in zip(figure.subplots(1, len(logs), squeeze=False)[0], logs, strict=True):
        of_log = [result for result in results if result.cell.log == log]
        for place, entry in enumerate(entries(0.5)):  # a method looks the same in every panel
            colour, style = COLOURS[place % len(COLOURS)], "-" if place < len(COLOURS) else "--"
            for number, result in enumerate(r for r in of_log if r.cell.entry == entry):
                points = [(r["epoch"], r["eval/normalised_score"]) for r in result.rows if "eval/normalised_score" in r]
                label = entry if number == 0 else None
                panel.plot(*zip(*points, strict=True), style, color=colour, linewidth=1, label=label)
        figures = of_log[0].scores["log"]
        panel.axhline(figures["normalised_return_mean"], color="#666666", linestyle=":", label="log's mean")
        panel.set(title=TITLES[log], xlabel="epoch", ylabel="normalised score")
        if panel.get_ylim()[0] < -LINEAR:
            panel.set_yscale("symlog", linthresh=LINEAR)
        panel.grid(alpha=0.25)
        panel.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.savefig(FIGURE, metadata={"Date": None})


TEXT = """# The methods on one loop

Made by `python -m runs.methods DATA OUT` (`python -m runs.methods_page OUT` writes the page alone, from the finished
cells). Scores are normalised: the mean of the last ten evaluations of ten episodes, of {epochs} epochs; the best
evaluation stands beside it and is not the score. **Fifty epochs of the thousands that these methods are published with
are early training.** All methods that learn a model share each seed's ensemble and have MICRO's settings for the log,
one draw, and of their own only their options: what differs is the method. `mobile-matched` has c = 1.24 beta, at which
its penalty is as strong as MICRO's; `micro-anchored` has an anchor of 0.4 (TD3+BC's weight). On the D4RL tasks MICRO's
settings floor the target at 0, which the others' authors do not do. Published figures are of the methods' own settings,
MOBILE's too, at the end of training.

Fits of the shared ensembles {fits}.

The cells were run in November 2026, by versions older than the way in which rollouts and fits draw their random
numbers today. The same seed has another score now (one cell that was run again: 41.1 instead of 42.5,
[performance.md](../development/performance.md)). Minutes per million updates are from `time/updates_per_second`, the
median epoch's, on two cores that other work shared. They are no benchmark: what methods cost is compared in
[cost.md](cost.md).

{parts}

Missing cells: {missing}.
"""


def main(out: Path) -> None:
    """Write the page and its figure; remarks below a line `## Remarks` are kept."""
    results = finished(out)
    draw(results)
    parts = [
        f"## {TITLES[log]}\n\nThe log's own mean is "
        f"{next(r for r in results if r.cell.log == log).scores['log']['normalised_return_mean']:.1f}.\n\n"
        + table(results, log)
        for log in LOGS
        if any(result.cell.log == log for result in results)
    ]
    parts.insert(1, f"![Learning curves]({FIGURE.name})")
    remarks = PAGE.read_text().partition("\n## Remarks")[2] if PAGE.exists() else ""
    done = {result.cell.name for result in results}
    missing = [
        f"{log}-{entry} ({left} of {len(SEEDS[log])} seeds)"
        for log in LOGS
        for entry in entries(0.5)
        if (left := sum(cell.name not in done for cell in cells() if (cell.log, cell.entry) == (log, entry)))
    ]
    text = TEXT.format(epochs=EPOCHS, parts="\n\n".join(parts), missing=", ".join(missing) or "none", fits=fits(out))
    PAGE.write_text(text + (f"\n## Remarks{remarks}" if remarks else ""))


if __name__ == "__main__":
    main(Path(words(__doc__, 1)[0]))
