"""RAMBO against MICRO by time: `python -m runs.time_to_score` runs what is not recorded and writes the page.

On the embedded pendulum log, at the small sizes of `runs.pendulum_small` and on its best model: after how many updates
the mean of three evaluations first reaches a score, three seeds. Seconds are updates times what an update costs on two
idle cores, recorded of `benchmarks.methods` at hopper's sizes, since runs side by side on a busy machine have no time
of their own. Cells that are recorded (`runs.records`) are not run again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from runs.kept_cells import made_by
from runs.missed_pendulum import run_recorded
from runs.pendulum_small import SEEDS
from runs.records import recorded
from runs.study_pages import save, table, write

STUDY, COST = "time-to-score", "cost"
PAGE = Path("docs/results/time-to-score.md")
FIGURE = PAGE.with_suffix(".svg")
METHODS: dict[str, tuple[str, str, Mapping[str, Any]]] = {
    "sac": ("SAC on the model", "sac", {}),
    "draws1": ("MICRO, 1 draw", "micro", {"num_samples": 1}),
    "moments": ("MICRO, moments", "micro", {"num_samples": 10, "values": "moments"}),
    "draws10": ("MICRO, 10 draws", "micro", {"num_samples": 10}),
    "rambo": ("RAMBO", "rambo", {"clone_epochs": 5}),
}
"""The name in the table of costs, the method and its options."""
COLOURS = ("#000000", "#0072b2", "#009e73", "#d55e00", "#cc79a7")
GOAL, MEAN_OF = -200.0, 3


def reached(evaluations: Sequence[float]) -> float:
    """The first epoch at which the mean of the last evaluations is at the goal; infinite where none is."""
    means = np.convolve(evaluations, np.ones(MEAN_OF) / MEAN_OF, "valid")
    at = np.flatnonzero(means >= GOAL)
    return float(at[0] + MEAN_OF) if len(at) else np.inf


def evaluations(name: str) -> list[list[float]]:
    """Of every seed, after each epoch of a thousand updates."""
    return recorded(STUDY)[name]["figures"]["evaluations"]


def milliseconds(title: str) -> Sequence[float]:
    """An update of the method at hopper's sizes: median, least and greatest of five blocks."""
    return recorded(COST)[title]["figures"]


def line(name: str, title: str) -> list[str]:
    """Of a method: updates until the goal by seed, an update's cost, seconds until the goal, and where it ends."""
    seeds, (median, low, high) = evaluations(name), milliseconds(title)
    thousands = [reached(seed) for seed in seeds]
    ends = [float(np.mean(seed[-10:])) for seed in seeds]
    there = [f"{median * each:,.0f}" if np.isfinite(each) else "not reached" for each in thousands]
    return [
        title,
        ", ".join(f"{each:g}" if np.isfinite(each) else "not reached" for each in thousands),
        f"{median:.3g} ({low:.3g} to {high:.3g})",
        f"{1000 / median:,.0f}",
        ", ".join(there),
        ", ".join(f"{end:,.0f}" for end in ends),
    ]


def draw() -> None:
    """Return over updates, and over the seconds that these take."""
    figure = Figure(figsize=(8.5, 3.6), layout="constrained")
    updates, seconds = figure.subplots(1, 2, sharey=True)
    for (name, (title, *_)), colour in zip(METHODS.items(), COLOURS, strict=True):
        rows = np.asarray(evaluations(name))
        epochs = np.arange(1, rows.shape[1] + 1)
        for panel, at in ((updates, epochs), (seconds, epochs * milliseconds(title)[0])):
            panel.plot(at, rows.mean(0), color=colour, label=title)
            panel.fill_between(at, rows.min(0), rows.max(0), color=colour, alpha=0.1)
    updates.set(xlabel="thousand updates", ylabel="return")
    seconds.set(xlabel="seconds at an update's cost", xscale="log")
    for panel in (updates, seconds):
        panel.axhline(GOAL, color="#888888", linestyle=":")
        panel.grid(alpha=0.25)
    updates.legend(fontsize=7)
    save(figure, FIGURE)


TEXT = """# Time to an equal score: RAMBO and MICRO

**Question.** MICRO's authors say that it costs much less than RAMBO's adversarial model. By how much, to an equal
score, and by which kind of draws?

**Answer.** {answer}

The embedded pendulum log, its simulator, small sizes (`runs/pendulum_small.py`) and an ensemble fitted on the whole log,
which all methods of a seed share; {seeds} seeds; 15 epochs of 1,000 updates, ten episodes after each. The goal is a mean
of three evaluations of {goal:g} or more; the log's mean is about -1,180. An update's cost is that at hopper's sizes on two
idle cores (`python -m benchmarks.methods`, median, least and greatest of five blocks), so the seconds are of a task of
that size that would need as many updates. RAMBO's cloning before the first update (five epochs) is not in it.

| method | thousand updates until {goal:g}, by seed | ms an update | updates a second | seconds until then, by seed | mean of the last ten evaluations, by seed |
|---|---|---|---|---|---|
{rows}

![Return over updates and over seconds](time-to-score.svg)

{made}

One easy task on which every method reaches the goal says what they cost, not which of them is better; hopper and
half-cheetah at full length are open.
"""  # noqa: E501
ANSWER = """All five need the same updates here, 5,000 on every seed, so the cost of an update decides: {seconds}.
MICRO costs less than RAMBO with one draw ({one:.1f} times) and by moments ({moments:.1f} times), and more with the ten
draws that its authors run ({ten:.1f} times RAMBO's)."""


def answer() -> str:
    """In a sentence, of what is recorded; `AssertionError` where that says otherwise."""
    assert all(reached(seed) == 5 for name in METHODS for seed in evaluations(name)), "write another answer"
    cost = {title: milliseconds(title)[0] for title, *_ in METHODS.values()}
    seconds = "; ".join(f"{title}: {5 * each:.0f} s" for title, each in sorted(cost.items(), key=lambda own: own[1]))
    one, moments = (cost["RAMBO"] / cost[title] for title in ("MICRO, 1 draw", "MICRO, moments"))
    return ANSWER.format(seconds=seconds, one=one, moments=moments, ten=cost["MICRO, 10 draws"] / cost["RAMBO"])


def main() -> None:
    """Run what is not recorded yet, draw, write."""
    for name, (_, method, options) in METHODS.items():
        run_recorded(STUDY, {name: ("whole", options)}, method)
    draw()
    rows = table([], [line(name, title) for name, (title, *_) in METHODS.items()]).split("\n", 2)[2]
    origin = made_by(STUDY, "python -m runs.time_to_score")
    write(PAGE, TEXT.format(answer=answer(), seeds=SEEDS, goal=GOAL, rows=rows, made=origin))


if __name__ == "__main__":
    main()
