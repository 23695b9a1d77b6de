"""The picture at the head of the README: `python -m runs.head_picture` draws it from the results."""

import re
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from runs.long_runs import LOG_BEST, LOG_SCORES
from runs.methods_page import runs_of

RESULTS = Path("docs/results")
MICRO, CAUTIOUS, LOG, DIM = "#2457a6", "#b4561f", "#c9ced6", "#5b6470"
FLOOR = -40
NARROW = "safety"
"""Where `--preset cautious` halts and anchors; on the others it is MICRO."""
TITLES = {
    NARROW: "SafetyHalfCheetah\n(narrow)",
    "dmsd": "DMSD",
    "halfcheetah": "halfcheetah\nmedium-replay",
    "hopper": "hopper\nmedium-replay",
}


def rows(page: str) -> list[list[str]]:
    """The cells of all tables of a page."""
    lines = (RESULTS / page).read_text().splitlines()
    return [[cell.strip("* ") for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def number(cell: str) -> float:
    """A cell's mean."""
    return float(re.sub(r"[*,]| ±.*", "", cell))


def pendulum(ax: Axes) -> None:
    """Returns over the epochs, mean of five seeds, beside the log and an online learner."""
    table = rows("pendulum.md")
    curve = [number(cell) for cell in next(row for row in table if row[0] == "MICRO" and len(row) > 10)[1:]]
    lines = {"online": "online SAC in the simulator", "the log's best": "the log's best episode"}
    lines |= {"the log's e": "the log's mean"}
    for start, words in lines.items():
        value = number(next(row for row in table if row[0].startswith(start))[2])
        ax.axhline(value, color=DIM, linewidth=1, linestyle=(0, (4, 3)))
        ax.annotate(words, (len(curve), value - 20), ha="right", va="top", color=DIM)
    ax.plot(range(1, len(curve) + 1), curve, color=MICRO, linewidth=2.2, marker="o", markersize=4)
    ax.annotate("MICRO", (3.3, curve[2] - 60), color=MICRO, weight="bold")
    ax.set(xlabel="epoch of 1,000 updates", ylabel="return", title="The embedded pendulum log, mean of five seeds")


def logs(ax: Axes) -> None:
    """A log's mean and best episode, and where each seed of MICRO ended."""
    for place, log in enumerate(TITLES):
        mean, best = LOG_SCORES[log], LOG_BEST[log]
        ax.plot([place, place], [mean, best], color=LOG, linewidth=14, solid_capstyle="butt", zorder=1)
        ax.plot([place - 0.16, place + 0.16], [mean, mean], color=DIM, linewidth=2)
        runs = runs_of(log)
        scores = [run.score for run in runs["micro"].values()]
        shown = [max(score, FLOOR) for score in scores]
        ax.scatter([place] * len(shown), shown, color=MICRO, s=42, zorder=3, edgecolor="white")
        lowest = min(scores)
        if lowest < FLOOR:
            ax.annotate(f"down to {lowest:,.0f} ↓", (place + 0.08, FLOOR), ha="left", va="center", color=MICRO)
    cautious = [run.score for run in runs_of(NARROW)["halt-anchor"].values()]
    ax.scatter([0] * len(cautious), cautious, color=CAUTIOUS, s=42, zorder=3, edgecolor="white")
    ax.annotate("--preset cautious", (-0.4, 64), va="center", ha="left", color=CAUTIOUS, weight="bold")
    ax.annotate("the log, from its mean\nto its best episode", (2.58, 62), ha="right", va="center", color=DIM)
    ax.annotate("MICRO,\na dot a seed", (1.2, 84), va="center", ha="left", color=MICRO, weight="bold")
    ax.set(
        xlim=(-0.5, 3.5),
        ylim=(FLOOR - 10, 110),
        ylabel="normalised score",
        title="Four larger logs to epoch 50, the last two re-created",
    )
    ax.set_xticks(range(len(TITLES)), TITLES.values())


def main() -> None:
    """Draw both."""
    plt.rcParams |= {"font.family": "sans-serif", "font.size": 10, "svg.fonttype": "path", "svg.hashsalt": "micro-rl"}
    figure, axes = plt.subplots(1, 2, figsize=(10.4, 3.9), layout="constrained")
    for draw, ax in zip((pendulum, logs), axes, strict=True):
        draw(ax)
        ax.spines[["top", "right"]].set_visible(False)
        ax.title.set(fontweight="bold", fontsize=11)
    figure.savefig(RESULTS / "head.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
