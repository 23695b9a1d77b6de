"""The study of support as a page: `python -m runs.support_page` writes docs/results/support.md and its figure.

It has what `runs.support` recorded; a cell that is under way stands with the epochs that it has.
"""

from pathlib import Path
from typing import NamedTuple

from runs import curve_panels, one_setting, study_pages
from runs.kept_cells import origins
from runs.long_runs import LOG_SCORES, LOGS, STUDY, curves
from runs.records import recorded
from runs.study_pages import LAST, end_of, mean_and_interval, up_to
from runs.support import EPOCHS, RECIPES, cells

PAGE = Path("docs/results/support.md")
FIGURE = PAGE.with_suffix(".svg")
FALLEN = 10
"""Epochs after which a policy that is going to fall has begun to."""
HEADS = ("log", "recipe", "seeds", "epochs", f"score, last {LAST} evaluations", f"worst after {FALLEN}", "at the end")


class Row(NamedTuple):
    """A recipe on a log: the curve of every seed that was begun, {epoch: score}."""

    log: str
    recipe: str
    curves: dict[int, dict[int, float]]

    def columns(self) -> list[str]:
        """Its line of the table."""
        runs = list(self.curves.values())
        later = [score for curve in runs for epoch, score in curve.items() if epoch > FALLEN]
        reached = sorted({max(curve) for curve in runs})
        return [
            self.log,
            f"`{self.recipe}`",
            ", ".join(map(str, self.curves)),
            " to ".join(map(str, sorted({reached[0], reached[-1]}))),
            mean_and_interval([end_of(curve) for curve in runs], 1),
            f"{min(later):,.1f}" if later else "",
            ", ".join(f"{curve[max(curve)]:,.1f}" for curve in runs),
        ]


def known() -> dict[str, dict[int, float]]:
    """The study's curves, of the epochs that are its own: a cell that another study shares may go on."""
    every = curves()
    return {cell.name: up_to(every.get(cell.name, {}), EPOCHS) for cell in cells()}


def rows(curves_of: dict[str, dict[int, float]]) -> list[Row]:
    """What has been evaluated at all, log after log."""
    of = {(log, recipe): {} for log in LOGS for recipe in RECIPES}
    for cell in cells():
        if curves_of[cell.name]:
            of[cell.log, cell.entry][cell.seed] = curves_of[cell.name]
    return [Row(log, recipe, begun) for (log, recipe), begun in of.items() if begun]


def draw(lines: list[Row]) -> None:
    """A panel a log, a colour a recipe, a line a run."""
    panels = []
    for log in dict.fromkeys(row.log for row in lines):
        of_log = {row.recipe: list(row.curves.values()) for row in lines if row.log == log}
        unit = "return" if log == "pendulum" else "normalised score"
        panels.append(curve_panels.Panel(log, of_log, LOG_SCORES.get(log), unit))
    curve_panels.draw(panels, list(RECIPES), FIGURE)


def recipe_lines() -> str:
    """What each recipe changes."""
    return "\n".join(
        f"* `{name}`: " + (", ".join(f"`{key}` {value}" for key, value in changes.items()) or "MICRO as it is")
        for name, changes in RECIPES.items()
    )


TEXT = """# Support: does learning stay where the log can vouch?

**Question.** Which parts of support keep a policy's value where the log is narrow, and what do they cost elsewhere?

{answer}

MICRO with each recipe, {epochs} epochs of 1,000 updates, every second epoch evaluated in the simulator (5 episodes);
one draw, the log's preset (the generic one for `safety` and `dmsd`). All recipes of a log's seed share one ensemble,
but for the calibrated ones, which need one that kept episodes out, and for those named below that were recorded
earlier or by another processor. No setting was tuned on these scores; halting and the anchor of 2 were chosen before,
on a prototype with seeds 0 to 2 of `safety`.

| name | log | its own score |
|---|---|---|
| safety | NeoRL-2 SafetyHalfCheetah, 18 episodes of one narrow policy | 73.6 |
| dmsd | NeoRL-2 DMSD, 1,000 episodes | 56.6 |
| halfcheetah | D4RL medium-replay, re-created | 23.6 |
| hopper | D4RL medium-replay, re-created | 14.8 |
| pendulum | the embedded log; its figures are returns | |

Recipes:

{recipes}

{table}

A score of several seeds is their mean with Student's 95 % interval; one seed has none. "Worst after {fallen}" is the
lowest single evaluation of any run after epoch {fallen}.{earlier}

![Scores over the epochs, one line a run]({figure})

Made by `python -m runs.support DATA OUT` (cell by cell, each goes on where it was stopped) and
`python -m runs.support_page`, from what is recorded in `docs/results/data/long-runs.json`. {done} of {all} cells have
been evaluated, of which {whole} to epoch {epochs}{origins}.
Not begun: {missing}.

## One setting for all logs

On broad logs, where MICRO needs no support: what each setting gains on its defaults (beta 0.5, one draw of each
member, half of a batch the model's), in per cent of the range from the log's own mean return to the best mean of these
settings. DMSD is of the cells above and of [the methods' table](methods.md), the others of [the study of
sensitivity](sensitivity.md); a small beta is 0.1, on hopper 0.25. Paired over the seeds that both have.

{gains}

Chosen by the mean gain on the other logs, each log left out in turn:

{left_out}
"""


def main() -> None:
    """Write the page and its figure; the answer, and remarks below a line `## Remarks`, are kept."""
    curves_of, every = known(), recorded(STUDY)
    made = [every[cell.name] for cell in cells() if "commit" in every.get(cell.name, {})]
    lines, broad = rows(curves_of), one_setting.compared()
    draw(lines)
    text = TEXT.format(
        answer=study_pages.answer_on(PAGE),
        epochs=EPOCHS,
        recipes=recipe_lines(),
        table=study_pages.table(HEADS, [row.columns() for row in lines]),
        fallen=FALLEN,
        figure=FIGURE.name,
        done=sum(map(bool, curves_of.values())),
        all=len(curves_of),
        whole=sum(EPOCHS in curve for curve in curves_of.values()),
        origins=f"; those with day and commit: {origins(made)}" if made else "",
        earlier=study_pages.earlier(cells(), STUDY) + study_pages.by_processor(cells(), STUDY),
        gains=one_setting.gains_table(broad),
        left_out=one_setting.left_out_table(broad),
        missing=study_pages.not_run(cells(), {name for name, curve in curves_of.items() if curve}),
    )
    study_pages.write(PAGE, text)


if __name__ == "__main__":
    main()
