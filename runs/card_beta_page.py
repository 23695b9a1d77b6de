"""The study of beta as a page: `python -m runs.card_beta_page OUT` writes docs/results/beta.md and its figure.

OUT holds the runs of `runs.card_beta`. Each policy that they kept is first evaluated: ten episodes, the same starts for
all, as `micro-rl evaluate --episodes 10` does. Stopped, it goes on; it takes ten to twenty minutes of a core.
"""

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from micro_rl.reports.stats.few_runs import t_interval
from micro_rl.reports.stats.pairs import paired
from micro_rl.storage.run_folder import RunFolder
from runs.card_beta import BETAS, SEEDS
from runs.card_beta_scores import EPISODES, LAST, TASK, Study, run_name, study
from runs.usage import words

PAGE = Path("docs/results/beta.md")
FIGURE = PAGE.with_suffix(".svg")
COLOURS = ("#000000", "#0072b2", "#009e73", "#e69f00", "#d55e00")
AUTHORS = 0.1
LIKELY = 0.05
"""Two betas are told apart where p is at most this."""
SHOWN = ("q/model", "conservative_term", "entropy", "rollout/reward")


def table_of_scores(scored: Study) -> str:
    """A line a beta: mean over seeds with its interval, spread, every seed, and the paired difference from the best."""
    of_runs = scored.of_runs()
    best = int(of_runs.mean(1).argmax())
    head = ["beta", "mean over seeds", "95 % interval", "deviation between seeds", "every seed", "minus the best", "p"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for number, (beta, row) in enumerate(zip(BETAS, of_runs, strict=True)):
        point, low, high = (float(end) for end in t_interval(row[:, None]))
        difference = paired(row[:, None], of_runs[best][:, None])
        against = ["", ""] if number == best else [f"{difference.difference.point:.1f}", f"{difference.flip_p:.2f}"]
        words = [f"{beta:g}", f"{point:.1f}", f"{low:.1f} to {high:.1f}", f"{row.std(ddof=1):.1f}"]
        lines.append("| " + " | ".join([*words, ", ".join(f"{score:.0f}" for score in row), *against]) + " |")
    return "\n".join(lines)


def table_of_epochs(scored: Study) -> str:
    """Means over seeds at some of the kept epochs."""
    places = [
        number for number, epoch in enumerate(scored.epochs) if epoch % 50 == 0 or number == len(scored.epochs) - 1
    ]
    lines = ["| beta | " + " | ".join(f"{scored.epochs[place]}" for place in places) + " |"]
    lines.append("|---" * (len(places) + 1) + "|")
    for beta, rows in zip(BETAS, scored.scores, strict=True):
        lines.append(f"| {beta:g} | " + " | ".join(f"{rows[:, place].mean():.0f}" for place in places) + " |")
    return "\n".join(lines)


def table_of_ends(scored: Study) -> str:
    """Means over seeds of the last epoch's terms."""
    lines = ["| beta | " + " | ".join(f"`{name}`" for name in SHOWN) + " |", "|---" * (len(SHOWN) + 1) + "|"]
    for beta, rows in zip(BETAS, scored.ends, strict=True):
        means = (np.mean([row[name] for row in rows]) for name in SHOWN)
        lines.append(f"| {beta:g} | " + " | ".join(f"{mean:.3g}" for mean in means) + " |")
    return "\n".join(lines)


def draw(scored: Study) -> None:
    """Scores over the updates, mean and range of the seeds; and every run's score by beta."""
    figure = Figure(figsize=(8.5, 3.8), layout="constrained")
    curves, points = figure.subplots(1, 2, width_ratios=[2, 1], sharey=True)
    thousands = scored.epochs
    for beta, rows, colour in zip(BETAS, scored.scores, COLOURS, strict=True):
        curves.plot(thousands, rows.mean(0), color=colour, linewidth=1.4, marker=".", label=f"beta {beta:g}")
        curves.fill_between(thousands, rows.min(0), rows.max(0), color=colour, alpha=0.1, linewidth=0)
    for number, (row, colour) in enumerate(zip(scored.of_runs(), COLOURS, strict=True)):
        points.plot([number] * len(row), row, "o", color=colour, alpha=0.5, markersize=4)
        points.plot([number - 0.25, number + 0.25], [row.mean()] * 2, color=colour, linewidth=2)
    curves.set(xlabel="thousand updates", ylabel="normalised score")
    points.set(xlabel="beta", xticks=range(len(BETAS)), xticklabels=[f"{beta:g}" for beta in BETAS])
    for panel in (curves, points):
        panel.grid(alpha=0.25)
    curves.legend(fontsize=8)
    figure.savefig(FIGURE, metadata={"Date": None})


TEXT = """# How much conservatism: beta on hopper-medium-replay

**Question.** MICRO takes beta times the gap between a state's mean and worst candidate value from its targets. How much
does the score hang on beta?

**Answer.** {answer}

{scores}

![Scores over the updates, and of each run by beta]({figure})

Score: mean of the run's last {last} kept policies (epochs {first_last} to {end}),
{episodes} episodes each, the same starts for all. Intervals are Student's over the seeds; p is that of the paired test
that flips signs, against the beta with the highest mean, not corrected for the number of tests (with {seeds} pairs it
cannot be below {smallest:.2f}). In the figure on the left means, and from the lowest to the highest seed; on the right
a dot a run, bars are means.

Mean over seeds after so many thousand updates:

{epochs}

Means over seeds of epoch {end}, in training:

{ends}

* **Runs**: {count} in one program ({seeds} seeds of {betas} betas), {updates:,} updates each of the 3,000,000
  that the preset plans: {share:.0f} % of the full length. Else the log's preset, whose own beta is {authors:g}, with
  one draw in place of ten; float32 products as the card makes them (TF32).
* **Ensemble**: one for all runs (seed 0, fitted to the end of its patience, as `micro-rl fit` does), so seeds differ in
  training alone.
* **Log**: hopper-medium-replay, re-created. **Simulator**: {env}.
* **Device**: {device}; {rate:,.0f} updates a second of all runs together, the host's work between epochs included. See
  [Graphics card](card.md).
* **Made by** `micro-rl fit LOG --out MODEL`, `python -m runs.card_beta LOG OUT --model MODEL` on {date}, and
  `python -m runs.card_beta_page OUT`.
"""


def answer_of(scored: Study) -> str:
    """One sentence, made of the figures."""
    of_runs = scored.of_runs()
    means = of_runs.mean(1)
    best = int(means.argmax())
    others = [number for number in range(len(BETAS)) if number != best]
    below = [number for number in others if paired(of_runs[number][:, None], of_runs[best][:, None]).flip_p <= LIKELY]
    flat = [number for number in others if number not in below]

    def named(numbers: list[int]) -> str:
        return ", ".join(f"{BETAS[number]:g} ({means[number]:.0f})" for number in numbers) or "none"

    return (
        f"After {scored.epochs[-1]} of 3,000 epochs beta {BETAS[best]:g} scores highest ({means[best]:.0f}); not told\n"
        f"apart from it (p above {LIKELY:g}): {named(flat)}; below it: {named(below)}."
    )


def main(out: Path) -> None:
    """Evaluate what is not evaluated yet; write the page and its figure. Remarks below `## Remarks` are kept."""
    scored = study(out)
    draw(scored)
    process = json.loads((out / run_name(BETAS[0], 0) / "processes.jsonl").read_text().splitlines()[0])
    rows = RunFolder.open(out / run_name(BETAS[0], 0)).metrics()
    runs = len(BETAS) * SEEDS
    updates = int(scored.ends[0][0]["updates"])
    text = TEXT.format(
        answer=answer_of(scored),
        scores=table_of_scores(scored),
        figure=FIGURE.name,
        last=LAST,
        first_last=scored.epochs[-LAST],
        end=scored.epochs[-1],
        episodes=EPISODES,
        smallest=2.0 ** (1 - SEEDS),
        epochs=table_of_epochs(scored),
        ends=table_of_ends(scored),
        count=runs,
        seeds=SEEDS,
        betas=len(BETAS),
        updates=updates,
        share=100 * updates / 3_000_000,
        authors=AUTHORS,
        env=TASK.env,
        device=scored.device,
        rate=runs * 1000 / float(np.median([row["time/seconds"] for row in rows])),
        date=process["began"][:10],
    )
    kept = PAGE.read_text().partition("\n## Remarks")[2] if PAGE.exists() else ""
    PAGE.write_text(text + (f"\n## Remarks{kept}" if kept else ""))


if __name__ == "__main__":
    main(Path(words(__doc__, 1)[0]))
