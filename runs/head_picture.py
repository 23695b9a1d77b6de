"""The picture at the head of the README: `python -m runs.head_picture` draws it from the pages of results."""

import re
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

RESULTS = Path("docs/results")
MICRO, LOG, DIM = "#2457a6", "#c9ced6", "#5b6470"
FLOOR = -40


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
    table = rows("real-logs.md")
    names = {"halfcheetah": "halfcheetah\nmedium-replay", "hopper": "hopper\nmedium-replay"}
    names |= {"safety": "SafetyHalfCheetah\n(narrow)"}
    for place, name in enumerate(names):
        runs = [row for row in table if re.match(rf"{name}-seed\d", row[0])]
        mean, best, scores = number(runs[0][4]), number(runs[0][5]), [number(row[6]) for row in runs]
        ax.plot([place, place], [mean, best], color=LOG, linewidth=14, solid_capstyle="butt", zorder=1)
        ax.plot([place - 0.16, place + 0.16], [mean, mean], color=DIM, linewidth=2)
        shown = [max(score, FLOOR) for score in scores]
        ax.scatter([place] * len(shown), shown, color=MICRO, s=42, zorder=3, edgecolor="white")
        for score in (score for score in scores if score < FLOOR):
            ax.annotate(f"one seed: {score:,.0f} ↓", (place - 0.08, FLOOR), ha="right", va="center", color=MICRO)
    ax.annotate("the log, from its mean\nto its best episode", (-0.42, 14), ha="left", va="top", color=DIM)
    ax.annotate("MICRO,\na dot a seed", (0.87, 86), va="center", ha="right", color=MICRO, weight="bold")
    ax.set(
        xlim=(-0.5, 2.5),
        ylim=(FLOOR - 10, 110),
        ylabel="normalised score",
        title="Three larger logs, the first two re-created",
    )
    ax.set_xticks(range(3), names.values())


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
