"""The robustness study as a page: `python -m runs.robustness_page` writes docs/results/robustness.md and its figures.

It has what `runs.robustness` recorded; a method stands with the seeds that it has.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from micro_rl.reports.stats import area_under_curve
from runs import robustness_pictures, study_pages
from runs.kept_cells import made_by
from runs.records import recorded
from runs.robustness import COMMON, EPOCHS, LOGS, METHODS, OWN, STUDY, cells, name_of
from runs.study_pages import answer_on, difference, mean_and_interval

PAGE = Path("docs/results/robustness.md")
TITLES = {
    "halfcheetah": "halfcheetah-medium-replay (re-created)",
    "hopper": "hopper-medium-replay (re-created)",
}
GRID = "friction by gravity"
ATTACKS = ("random attack", "action difference attack", "min Q attack")
AGAINST = "min Q attack"
"""What the common critics do."""


class Trial(NamedTuple):
    """What was recorded of one policy by one protocol."""

    figures: dict[str, Any]

    @property
    def epochs(self) -> str:
        """How far it was trained."""
        return f"{self.figures['epochs']:,} of {self.figures['planned']:,}"

    def means(self, group: str) -> np.ndarray:
        """Normalised scores of the group's cells, shaped as its axes."""
        of_group = self.figures["groups"][group]
        return np.array(of_group["mean"]).reshape([len(values) for values in of_group["axes"].values()])

    def axis(self, group: str) -> list[float]:
        """The values of a group's only axis."""
        [values] = self.figures["groups"][group]["axes"].values()
        return values

    def area(self, group: str) -> float:
        """The mean height of an attack's curve."""
        return float(area_under_curve(np.array(self.axis(group)), self.means(group)))

    def cvar(self, group: str) -> float:
        """The mean of the group's worst tenth of episodes."""
        return self.figures["groups"][group]["cvar10"]

    def unstable(self) -> int:
        """Cells in which MuJoCo reset an unstable simulation."""
        return sum(len(group.get("unstable", ())) for group in self.figures["groups"].values())


Trials = dict[str, dict[int, Trial]]
"""By method and seed."""
FIGURES: dict[str, Callable[[Trial], float]] = {
    "nominal": lambda trial: float(trial.means("nominal")),
    "grid, mean": lambda trial: float(trial.means(GRID).mean()),
    "grid, worst cell": lambda trial: float(trial.means(GRID).min()),
    "grid, CVaR 10 %": lambda trial: trial.cvar(GRID),
    **{name: lambda trial, name=name: trial.area(name) for name in ATTACKS},
}


def trials_of(log: str, critics: str) -> Trials:
    """What is recorded of a log's methods, by seed."""
    known, trials = recorded(STUDY), {method: {} for method in METHODS}
    for cell in cells():
        if cell.log == log and (name := name_of(cell, critics)) in known:
            trials[cell.entry][cell.seed] = Trial(known[name]["figures"])
    return {method: of for method, of in trials.items() if of}


def table(trials: Trials) -> str:
    """A line a method: its seeds, and each figure's mean over them."""
    rows = []
    for method, of in trials.items():
        epochs = ", ".join(dict.fromkeys(trial.epochs for trial in of.values()))
        figures = (mean_and_interval([figure(trial) for trial in of.values()], 1) for figure in FIGURES.values())
        rows.append([method, ", ".join(map(str, of)), epochs, *figures])
    return study_pages.table(["method", "seeds", "epochs", *FIGURES], rows)


def pairs(trials: Trials) -> str:
    """MICRO against each other method on the seeds that both have."""
    rows = []
    for method, of in trials.items():
        seeds = [seed for seed in of if seed in trials.get("micro", {})]
        if method == "micro" or not seeds:
            continue
        ours, theirs = [trials["micro"][seed] for seed in seeds], [of[seed] for seed in seeds]
        gaps = (difference([*map(figure, ours)], [*map(figure, theirs)], 1) for figure in FIGURES.values())
        above = int(np.sum(mean_of(ours, GRID) > mean_of(theirs, GRID)))
        rows.append([method, ", ".join(map(str, seeds)), *gaps, f"{above} of {mean_of(ours, GRID).size}"])
    heads = ["MICRO minus", "seeds", *FIGURES, "cells of the grid where MICRO's mean is above"]
    return study_pages.table(heads, rows) if rows else "MICRO was not tried beside another method on the same seed."


def mean_of(trials: Sequence[Trial], group: str) -> np.ndarray:
    """The seeds' mean of a group's cells."""
    return np.mean([trial.means(group) for trial in trials], 0)


def common(trials: Trials) -> str:
    """The attack by the same critics: a column for each size."""
    if not trials:
        return "Not run."
    rows = []
    for method, of in trials.items():
        by_size = np.array([trial.means(AGAINST) for trial in of.values()]).T.tolist()
        rows.append([method, ", ".join(map(str, of)), *(mean_and_interval(scores, 1) for scores in by_size)])
    sizes = next(iter(next(iter(trials.values())).values())).axis(AGAINST)
    return study_pages.table(["method", "seeds", *(f"epsilon {size:g}" for size in sizes)], rows)


def draw(trials: Trials, log: str) -> None:
    """The log's maps and curves."""
    maps = {method: mean_of([*of.values()], GRID) for method, of in trials.items()}
    robustness_pictures.draw_maps(maps, PAGE.with_name(f"robustness-{log}-maps.svg"))
    curves = {}
    for name in ATTACKS:
        lines = {
            method: [(trial.axis(name), trial.means(name).tolist()) for trial in of.values()]
            for method, of in trials.items()
        }
        curves[f"{name}, own critics" if "Q" in name else name] = lines
    robustness_pictures.draw_curves(curves, list(METHODS), PAGE.with_name(f"robustness-{log}-attacks.svg"))


TEXT = """# MICRO's robustness, early in training

**Question.** Do policies learned with MICRO bear perturbed worlds and attacks better than its neighbours'?

{answer}

**These policies were trained for {epochs} epochs of the thousands that their methods are published with.** They show
how the tool answers, and what MICRO's claim looks like this early.

From the runs of [methods.md](methods.md), trained on: one ensemble a seed for all methods that learn one, one draw,
MICRO's settings, `mobile-matched` with c = 1.24 beta. Protocol `micro` ([robustness.md](../guides/robustness.md)):
friction of every geom x 0.5 to 1.5 by gravity x 0.5 to 5, ten values each; attacks of ten sizes up to 0.2 standard
deviations of the log; ten episodes a cell, the same starts in all. Scores are normalised. The columns of attacks have
the mean height of their curves. A figure of several seeds is their mean, in brackets Student's 95 % interval over the
seeds, which one seed has not. CVaR of a grid is the mean of its worst tenth of episodes.

{parts}
{missing}

{made}
"""

PART = """## {title}

{table}
{unstable}
![Friction by gravity, the seeds' mean]({name}-maps.svg)

![Attacks: the seeds' mean, each seed thin]({name}-attacks.svg)

MICRO minus each other method, seed by seed: the mean difference, in brackets Student's 95 % interval, and the p of
flipping the differences' signs, which n seeds cannot bring below 2 / 2^n.

{pairs}

The critics of MICRO, MOBILE and SAC of the same seed together attack every policy alike (min Q, by size):

{common}
"""


def part(log: str) -> str:
    """One log's section, its figures drawn."""
    trials = trials_of(log, OWN)
    if not trials:
        return f"## {TITLES[log]}\n\nNot run.\n"
    draw(trials, log)
    broken = sum(trial.unstable() for of in trials.values() for trial in of.values())
    return PART.format(
        title=TITLES[log],
        table=table(trials),
        unstable=f"\nIn {broken} cells MuJoCo reset an unstable simulation: their returns are of no real episode.\n"
        if broken
        else "",
        name=f"robustness-{log}",
        pairs=pairs(trials),
        common=common(trials_of(log, COMMON)),
    )


def missing() -> str:
    """What was not tried."""
    known = recorded(STUDY)
    own, shared = ({cell.name for cell in cells() if name_of(cell, critics) in known} for critics in (OWN, COMMON))
    words = f"Not tried: {study_pages.not_run(cells(), own)}."
    return words if own == shared else f"{words} Nor by the common critics: {study_pages.not_run(cells(), shared)}."


def main() -> None:
    """Write the page and its figures; the answer, and remarks below a line `## Remarks`, are kept."""
    made = made_by(STUDY, "python -m runs.robustness OUT")
    parts = "\n".join(part(log) for log in LOGS)
    study_pages.write(
        PAGE, TEXT.format(answer=answer_on(PAGE), epochs=EPOCHS, parts=parts, missing=missing(), made=made)
    )


if __name__ == "__main__":
    main()
