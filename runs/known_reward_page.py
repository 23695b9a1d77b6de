"""The study of known rewards as a page: `python -m runs.known_reward_page` writes docs/results/known-reward.md.

It has what `runs.known_reward` recorded, and beside each of its runs the same one that had to learn the reward.
"""

from pathlib import Path
from typing import NamedTuple

from runs import curve_panels, study_pages
from runs.kept_cells import origins
from runs.known_reward import EPOCHS, FORMULAS, PREFIX, RECIPES, cells
from runs.long_runs import LOG_BEST, LOG_SCORES, STUDY, Cell, curves
from runs.records import recorded
from runs.study_pages import LAST, difference, end_of, mean_and_interval, up_to

PAGE = Path("docs/results/known-reward.md")
FIGURE = PAGE.with_suffix(".svg")
WORDS = {"micro": "MICRO", "means": "MICRO, members' means", "sac": "SAC on the model"}
WORDS |= {"halt": "MICRO, halting", "halt-anchor": "MICRO, halting and anchored"}
HEADS = (
    "log", "method", f"reward learned: last {LAST} evaluations", "seeds", "reward known", "seeds", "worst after 10",
    "the difference, paired",
)  # fmt: skip
FALLEN = 10


class Row(NamedTuple):
    """A method on a log, with the reward learned and known: {seed: curve}."""

    log: str
    recipe: str
    learned: dict[int, dict[int, float]]
    known: dict[int, dict[int, float]]

    def columns(self) -> list[str]:
        """Its line of the table."""
        both = [seed for seed in self.known if seed in self.learned]
        pairs = [[end_of(of[seed]) for seed in both] for of in (self.known, self.learned)]
        later = [score for curve in self.known.values() for epoch, score in curve.items() if epoch > FALLEN]
        columns = [self.log, WORDS[self.recipe]]
        for of in (self.learned, self.known):
            columns += [mean_and_interval([end_of(curve) for curve in of.values()], 1) if of else ""]
            columns += [", ".join(map(str, of))]
        return [*columns, f"{min(later):,.1f}", difference(*pairs, digits=1) if both else ""]


def rows() -> list[Row]:
    """Of every recipe that has a run, log after log; whole runs alone."""
    every = {name: up_to(curve, EPOCHS) for name, curve in curves().items()}

    def of(log: str, entry: str) -> dict[int, dict[int, float]]:
        names = {cell.seed: Cell(log, entry, cell.seed).name for cell in cells()}
        return {seed: every[name] for seed, name in sorted(names.items()) if EPOCHS in every.get(name, {})}

    lines = [Row(log, recipe, of(log, recipe), of(log, PREFIX + recipe)) for log in FORMULAS for recipe in RECIPES]
    return [line for line in lines if line.known]


def draw(lines: list[Row]) -> None:
    """A panel a log, a colour a method and whether its reward is known, a line a run."""
    panels = []
    for log in dict.fromkeys(line.log for line in lines):
        own = [line for line in lines if line.log == log]
        shown = {f"{line.recipe}, reward learned": list(line.learned.values()) for line in own}
        shown |= {f"{line.recipe}, reward known": list(line.known.values()) for line in own}
        panels.append(curve_panels.Panel(log, shown, LOG_SCORES[log]))
    names = [f"{recipe}, reward {how}" for recipe in RECIPES for how in ("learned", "known")]
    curve_panels.draw(panels, names, FIGURE)


TEXT = """# A reward that is known

**Question.** What does it bring to tell the formula of the reward, in place of having the model learn it?

{answer}

`known_reward` ([guide](../guides/known-reward.md)) on the two logs whose reward is a formula of what is observed,
{epochs} epochs of 1,000 updates, every second one evaluated in the simulator (5 episodes). A run and the one beside it
have the same seed, settings (generic, one draw) and random numbers, and the same ensemble but for those seeds that
[support](support.md) lists under another processor. No setting was chosen on these scores.

| log | its own mean | its best episode | the formula |
|---|---|---|---|
{logs}

{table}

Scores are normalised, means over seeds with Student's 95 % interval; one seed has none. "Worst after {fallen}" is the
lowest single evaluation of any run with the reward known, after epoch {fallen}. The difference is known less learned,
over the seeds that both have.

![Scores over the epochs, one line a run]({figure})

Made by `python -m runs.known_reward DATA OUT` (cell by cell, each goes on where it was stopped) and
`python -m runs.known_reward_page`, from what is recorded in `docs/results/data/long-runs.json`; {origins}.
Not run, or not to epoch {epochs}: {missing}.
"""


def main() -> None:
    """Write the page and its figure; the answer, and remarks below a line `## Remarks`, are kept."""
    lines, every = rows(), recorded(STUDY)
    done = {Cell(line.log, PREFIX + line.recipe, seed).name for line in lines for seed in line.known}
    draw(lines)
    logs = [[log, f"{LOG_SCORES[log]}", f"{LOG_BEST[log]}", f"`{formula}`"] for log, formula in FORMULAS.items()]
    text = TEXT.format(
        answer=study_pages.answer_on(PAGE),
        epochs=EPOCHS,
        logs="\n".join("| " + " | ".join(row) + " |" for row in logs),
        table=study_pages.table(HEADS, [line.columns() for line in lines]),
        fallen=FALLEN,
        figure=FIGURE.name,
        origins=origins([every[name] for name in done]),
        missing=study_pages.not_run(cells(), done),
    )
    study_pages.write(PAGE, text)


if __name__ == "__main__":
    main()
