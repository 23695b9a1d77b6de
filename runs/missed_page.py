"""The page of sets that miss the truth: `python -m runs.missed_page` writes docs/results/missed-truth.md and figures.

It is made of what is recorded of `runs.missed` and `runs.missed_pendulum`; remarks below `## Remarks` are kept.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from runs import missed, missed_pendulum
from runs.kept_cells import made_by
from runs.missed import BETAS, SCATTERS, SETS, SLOPES_WORTH, TRUTHS
from runs.missed_pendulum import MOST, MOSTLY, PROGRAMS, WRONG, name_of
from runs.pendulum_small import QUALITIES, SEEDS, scores
from runs.records import recorded
from runs.study_pages import difference, mean_and_interval, save, table, write

PAGE = Path("docs/results/missed-truth.md")
FIGURE, PENDULUM_FIGURE = PAGE.with_name("missed-truth.svg"), PAGE.with_name("missed-truth-pendulum.svg")
COLOURS = ("#000000", "#0072b2", "#009e73", "#e69f00", "#d55e00", "#cc79a7")
GOES = 0.6
"""An action above this takes the promise up, one below stays with the log: nearly all means are near one of the two."""
TITLES = {name: SETS[name].title for name in ("draw", "means", "all", "calibrated")} | {"l2": "L2 ball, radius 0.1"}


def trained_rows(name: str) -> list[dict[str, Any]]:
    """What the set's trainings gave; none where it was not run."""
    cell = recorded(missed.STUDY).get(name)
    return cell["figures"]["trained"] if cell else []


def mean_of(row: dict[str, Any], key: str) -> float:
    """Over the seeds."""
    return float(np.mean([seed[key] for seed in row["seeds"]]))


def tiny_table() -> str:
    """For every set and scatter: coverage of the broken promise, and action and value by beta."""
    heads = ["set", "scatter", "holds the truth if broken", "if kept", *(f"beta {beta:g}" for beta in BETAS)]
    rows = []
    for name in SETS:
        covered = recorded(missed.STUDY).get(name, {}).get("figures", {}).get("coverage")
        for place, scatter in enumerate(SCATTERS):
            found = [row for row in trained_rows(name) if row["scatter"] == scatter]
            if not found or name == "sac":
                continue
            shares = [f"{100 * covered[truth][place]:.0f} %" for truth in TRUTHS]
            rows.append([SETS[name].title if place == 0 else "", f"{scatter:g}", *shares, *map(outcome, found)])
    return table(heads, rows)


def outcome(row: dict[str, Any]) -> str:
    """Mean action, how many seeds take the promise up, and the value where it is broken and where it is kept."""
    going = sum(seed["action"] > GOES for seed in row["seeds"])
    values = " / ".join(f"{mean_of(row, truth):.1f}" for truth in TRUTHS)
    return f"{mean_of(row, 'action'):.2f} ({going} of {len(row['seeds'])}): {values}"


def draw_tiny() -> None:
    """The action found over the scatter, a panel a set, a line a beta."""
    shown = [name for name in SETS if name != "sac" and trained_rows(name)]
    figure = Figure(figsize=(9, 2.6 * -(-len(shown) // 3)), layout="constrained")
    panels = figure.subplots(-(-len(shown) // 3), 3, sharex=True, sharey=True, squeeze=False).flat
    for panel, name in zip(panels, shown, strict=False):
        for beta, colour in zip(BETAS, COLOURS, strict=False):
            rows = [row for row in trained_rows(name) if row["beta"] == beta]
            panel.plot(SCATTERS, [mean_of(row, "action") for row in rows], color=colour, label=f"beta {beta:g}")
            for row in rows:
                actions = [seed["action"] for seed in row["seeds"]]
                panel.plot([row["scatter"]] * len(actions), actions, ".", color=colour, markersize=3)
        panel.axhline(0.25, color="#888888", linestyle=":")
        panel.set_title(SETS[name].title, fontsize=9)
        panel.grid(alpha=0.25)
    for panel in list(panels):
        panel.set_axis_off()
    figure.axes[0].legend(fontsize=7)
    figure.supxlabel("scatter of the members at the action 1", fontsize=9)
    figure.supylabel("action found (dotted: the log's end)", fontsize=9)
    save(figure, FIGURE)


def figures_of(name: str) -> dict[str, Any] | None:
    """A recorded cell of the pendulum."""
    cell = recorded(missed_pendulum.STUDY).get(name)
    return cell and cell["figures"]


def coverage_table() -> str:
    """By quality: the error of a step, and what every set holds."""
    rows = []
    for name, quality in QUALITIES.items():
        if figures := figures_of(f"{name}-coverage"):
            shares = [f"{100 * np.mean(figures[key]):.0f} %" for key in TITLES]
            rows.append([quality.title, f"{np.mean(figures['error']):.2f}", *shares])
    return table(["model", "error of a step", *TITLES.values()], rows)


def columns() -> list[tuple[str, float]]:
    """Set and beta of every column of the scores, those first that were run first."""
    every = [(candidates, beta) for candidates, betas in PROGRAMS for beta in betas]
    return [(c, b) for c, b in every if any(figures_of(name_of(q, c, b)) for q in QUALITIES)]


def score_tables() -> str:
    """By quality: scores of every set and beta, then what is paired with SAC on the same ensembles."""
    scored, compared = [], []
    for name, quality in QUALITIES.items():
        cells = {column: figures_of(name_of(name, *column)) for column in columns()}
        alone = figures_of(f"{name}-sac")
        words = [mean_and_interval(scores(cell).tolist()) if cell else "" for cell in cells.values()]
        scored.append([quality.title, *words])
        pairs = [
            difference(scores(cell).tolist(), scores(alone).tolist()) if cell and alone else ""
            for (_, beta), cell in cells.items()
            if beta > 0
        ]
        compared.append([quality.title, *pairs])
    heads = [column_title(*column) for column in columns()]
    less = [column_title(*column) for column in columns() if column[1] > 0]
    return "\n\n".join(
        [
            table(["model", *heads], scored),
            "Less SAC's score on the same ensemble (paired over seeds):",
            table(["model", *less], compared),
        ]
    )


def mostly_table() -> str:
    """Scores by beta where nearly all of a batch is the model's; what is not recorded is left out."""
    betas = sorted({changes["beta"] for _, changes in MOSTLY.values()})
    rows = [[QUALITIES[name].title, *(mostly(name, beta) for beta in betas)] for name in WRONG]
    return table(["model", *("SAC" if beta == 0 else f"X(s, a), beta {beta:g}" for beta in betas)], rows)


def mostly(quality: str, beta: float) -> str:
    """A cell of that table."""
    figures = figures_of(f"{quality}-beta{beta:g}-mostly")
    return mean_and_interval(scores(figures).tolist()) if figures else ""


def column_title(candidates: str, beta: float) -> str:
    """Of a set at a beta."""
    return "SAC" if beta == 0 else f"{TITLES[candidates]}, beta {beta:g}"


def draw_pendulum() -> None:
    """What every set adds to SAC's score over the share of true next states that it holds; a colour a model."""
    figure = Figure(figsize=(8.5, 3.8), layout="constrained")
    curves, points = figure.subplots(1, 2)
    for (name, quality), colour in zip(QUALITIES.items(), COLOURS, strict=True):
        alone, held = figures_of(f"{name}-sac"), figures_of(f"{name}-coverage")
        if alone is None or held is None:
            continue
        at = {0.0: scores(alone)}
        for candidates, beta in columns():
            cell = figures_of(name_of(name, candidates, beta))
            if cell is None or beta == 0:
                continue
            if candidates == "draw":
                at[beta] = scores(cell)
            gained = scores(cell) - scores(alone)
            marker = "os^Dv"[list(TITLES).index(candidates)]
            if beta == 1:
                points.plot(100 * np.asarray(held[candidates]), gained, marker, color=colour, markersize=4, alpha=0.8)
        betas = sorted(at)
        curves.plot(betas, [at[beta].mean() for beta in betas], color=colour, marker=".", label=quality.title)
    curves.set(xlabel="beta, X(s, a) as drawn", ylabel="score")
    points.set(xlabel="true next states in the set, %", ylabel="score at beta 1 less SAC's")
    points.axhline(0, color="#888888", linestyle=":")
    for marker, title in zip("os^Dv", TITLES.values(), strict=True):
        points.plot([], [], marker, color="#888888", label=title)
    for panel in (curves, points):
        panel.grid(alpha=0.25)
    if curves.lines:
        curves.legend(fontsize=7)
    points.legend(fontsize=7)
    save(figure, PENDULUM_FIGURE)


def missing() -> str:
    """What is planned and not recorded."""
    tiny = [f"{SETS[name].title} on the tiny system" for name in SETS if name not in recorded(missed.STUDY)]
    wanted = {(c, b): [name_of(q, c, b) for q in QUALITIES] for c, betas in PROGRAMS for b in betas}
    there = recorded(missed_pendulum.STUDY)
    absent = {column: [name for name in names if name not in there] for column, names in wanted.items()}
    pendulum = [f"{column_title(*column)} on the pendulum ({len(a)} models)" for column, a in absent.items() if a]
    return "; ".join(tiny + pendulum) or "none of what the two programs list"


ANSWER = """Coverage does not decide it. What does is whether beta f at the doubtful place exceeds what is promised
there beyond what the log vouches for: on the tiny system a set that holds 15 % of the true next states protects as
well as one that holds all of them, one that holds half of them and costs the same everywhere protects nobody, and
what protects where the promise is broken loses as much where it is kept. On the pendulum no
set helped at any beta: with a wrong mass X(s, a) holds 5 % and nothing was lost, with a model of 2,000 rows it holds
86 % and the term cost most of the score at beta 1, less at smaller ones."""
TEXT = """# When the set misses the truth

**Question.** MICRO is robust over a set of next states, which its members draw. What is left of that where the true
next state is not in the set? Where does its conservatism stop helping, and where does it cost?

**Answer.** {answer}

## A tiny system whose truth can be chosen

The [probes'](probes.md) system: s' = 0.5 s + g(a) + noise, r = s, gamma 0.9. The log has actions from -1 to 0.25, where
g is 0.5 at most. Beyond, the members promise on average g = 1.5 at the action 1; they differ there by what "scatter"
says (five elites at -1, -0.5, 0, 0.5 and 1 scatters; two more members at -1.16 and 1.16). The same training has two
truths: one in which the promise is **broken** (g = -0.5 at the action 1) and one in which it is **kept**. From the log
and the members alone the two cannot be told apart. Staying at the log's end is worth {stays:.1f} in both; taking the
promise up is worth {lost:.1f} or {won:.1f}.

What f may weigh is known in advance: a target that takes beta f off the promise prefers the log's end once beta f is
more than the promised surplus of 1.0 (in units of g). For draws f is about the scatter.

A cell: mean action of five seeds (how many of them take the promise up): value where it is broken / kept. SAC on the
model takes it up at every scatter: {alone}. "Holds the truth": share of true next states in the set at actions beyond
the log.

{tiny}

![Action found by set, scatter and beta]({figure})

{tiny_made}

## The pendulum, with models of falling quality

The embedded log, its simulator, and small short runs: networks of 64-64, members of 4 x 64, batches of 128, 15 epochs
of 1,000 updates at learning rates of 1e-3, half of each batch the log's (`runs/pendulum_small.py`; the
[pendulum's page](pendulum.md) has the full size). Models are fitted on the rows named, or on rows whose next
observations were computed anew for a pendulum of another mass: all members then say the same wrong thing. Policies
learn from the true log beside the model. {seeds} seeds, an ensemble each, which all settings of a seed share.

Error of a step: of the elites' means, over the root mean square of the change of speed, all over the state space. Sets:
share of true next speeds that they hold there (the calibrated set: of whole next states); means over the seeds.

{coverage}

Scores: mean of the last ten evaluations of ten episodes; mean and Student's 95 % interval over seeds. With three
pairs p cannot be below 0.25.

{scores}

![Scores by beta, and gains by coverage]({pendulum_figure})

The same with {most} of each batch the model's:

{mostly}

{pendulum_made}

Not run: {missing}. Other logs, ensembles of other sizes with models of falling quality, and beta above what is listed
are open too.
"""


def main() -> None:
    """Write the page and its figures."""
    draw_tiny()
    draw_pendulum()
    alone = trained_rows("sac")
    text = TEXT.format(
        answer=ANSWER,
        stays=SLOPES_WORTH * 0.5,
        lost=SLOPES_WORTH * -0.5,
        won=SLOPES_WORTH * 1.5,
        alone="; ".join(dict.fromkeys(map(outcome, alone))),
        tiny=tiny_table(),
        figure=FIGURE.name,
        tiny_made=made_by(missed.STUDY, "python -m runs.missed"),
        seeds=SEEDS,
        coverage=coverage_table(),
        scores=score_tables(),
        pendulum_figure=PENDULUM_FIGURE.name,
        most=f"{100 * MOST:.0f} %",
        mostly=mostly_table(),
        pendulum_made=made_by(missed_pendulum.STUDY, "python -m runs.missed_pendulum"),
        missing=missing(),
    )
    write(PAGE, text)


if __name__ == "__main__":
    main()
