"""The page of what scores hang on: `python -m runs.sensitivity_page` writes docs/results/sensitivity.md and a figure.

It is made of what is recorded of `runs.sensitivity`; remarks below `## Remarks` are kept.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from runs.kept_cells import made_by
from runs.pendulum_small import QUALITIES, SEEDS, scores
from runs.records import recorded
from runs.sensitivity import BETAS, PROGRAMS, QUALITY, SETS, SHARES, STUDY
from runs.study_pages import difference, mean_and_interval, save, table, write

PAGE = Path("docs/results/sensitivity.md")
FIGURE = PAGE.with_suffix(".svg")
REFERENCE = "beta0.5-share0.5"
"""The defaults: rollouts of five steps, one draw, five elites of seven members."""
FLAT = 0.95
"""The flat region: cells of which a paired difference from the best, within the interval of this size, may be 0."""
AXES = {
    "length": ("rollout length", ("length1", REFERENCE, "length10", "length20"), ("1", "5", "10", "20")),
    "draws": ("draws", ("draws0", REFERENCE, "draws10"), ("means", "1", "10")),
    "members": ("elites in the set", ("members2", REFERENCE, "members7"), ("2", "5", "7")),
}
SET_TITLES = {
    "linf": "L-infinity ball, radius 0.1",
    "l2": "L2 ball, radius 0.1",
    "mahalanobis": "Mahalanobis ball, radius 2",
    "calibrated": "calibrated set, 95 %",
    "second": "second smallest of five",
    "soft": "soft minimum, softness 1",
    "all": "all seven members",
}


def cell(name: str) -> dict[str, Any] | None:
    """Its figures, if it was run."""
    found = recorded(STUDY).get(name)
    return found and found["figures"]


def of_seeds(name: str) -> list[float]:
    """The seeds' scores of a cell that was run."""
    figures = cell(name)
    assert figures is not None
    return scores(figures).tolist()


def map_table() -> str:
    """Scores by beta and share; cells not told apart from the best one are bold."""
    names = {(beta, share): f"beta{beta:g}-share{share:g}" for beta in BETAS for share in SHARES}
    there = {place: of_seeds(name) for place, name in names.items() if cell(name)}
    best = max(there.values(), key=np.mean)
    rows = [[f"{beta:g}", *(map_word(there.get((beta, share)), best) for share in SHARES)] for beta in BETAS]
    return table(["beta", *(f"model's share {share:g}" for share in SHARES)], rows)


def map_word(values: list[float] | None, best: list[float]) -> str:
    """The mean and its interval; bold where the paired interval against the best holds 0."""
    if values is None:
        return ""
    word = mean_and_interval(values)
    apart = np.asarray(values) - np.asarray(best)
    reach = 4.303 * apart.std(ddof=1) / np.sqrt(len(apart))
    return f"**{word}**" if values == best or abs(apart.mean()) <= reach else word


def axis_table(key: str) -> str:
    """One setting at a time, paired with the defaults."""
    title, names, values = AXES[key]
    rows = [line(value, name) for value, name in zip(values, names, strict=True) if cell(name)]
    return table([title, "score", "less the defaults'", "f"], rows)


def set_table() -> str:
    """Other sets at beta 0.5."""
    rows = [line("X(s, a) as drawn", REFERENCE)] if cell(REFERENCE) else []
    rows += [line(SET_TITLES[name], f"set-{name}") for name in SETS if cell(f"set-{name}")]
    return table(["set or term", "score", "less X(s, a)'s", "f"], rows)


def line(title: str, name: str) -> list[str]:
    """A cell's line."""
    figures = cell(name)
    assert figures is not None
    against = "" if name == REFERENCE else difference(of_seeds(name), of_seeds(REFERENCE))
    return [title, mean_and_interval(of_seeds(name)), against, f"{np.mean(figures['f']):.2g}"]


def draw() -> None:
    """The map as lines over beta, and learning curves of the middle share."""
    figure = Figure(figsize=(8.5, 3.6), layout="constrained")
    lines, curves = figure.subplots(1, 2)
    for share, colour in zip(SHARES, ("#0072b2", "#000000", "#d55e00"), strict=True):
        there = [beta for beta in BETAS if cell(f"beta{beta:g}-share{share:g}")]
        points = [of_seeds(f"beta{beta:g}-share{share:g}") for beta in there]
        lines.plot(there, [np.mean(values) for values in points], color=colour, marker=".", label=f"share {share:g}")
        for beta, values in zip(there, points, strict=True):
            lines.plot([beta] * len(values), values, ".", color=colour, markersize=3, alpha=0.6)
    for beta, colour in zip(BETAS, ("#000000", "#0072b2", "#009e73", "#e69f00", "#d55e00"), strict=True):
        if figures := cell(f"beta{beta:g}-share0.5"):
            rows = np.asarray(figures["evaluations"])
            curves.plot(range(1, rows.shape[1] + 1), rows.mean(0), color=colour, label=f"beta {beta:g}")
            curves.fill_between(range(1, rows.shape[1] + 1), rows.min(0), rows.max(0), color=colour, alpha=0.1)
    lines.set(xlabel="beta", ylabel="score")
    curves.set(xlabel="epoch of 1,000 updates", ylabel="return, share 0.5")
    for panel in (lines, curves):
        panel.grid(alpha=0.25)
        panel.legend(fontsize=7)
    save(figure, FIGURE)


TEXT = """# What MICRO's score hangs on: the pendulum

**Question.** How much do beta, the model's share of the batch (the paper's f), the length of rollouts, the draws, the
number of elites and the kind of set decide?

**Answer.** {answer}

The embedded pendulum log, evaluated in its simulator, at small sizes (networks of 64-64, members of 4 x 64, batches of
128, 15 epochs of 1,000 updates at learning rates of 1e-3: `runs/pendulum_small.py`), {seeds} seeds with an ensemble
each. The ensembles were fitted on {quality} of the log's 14,600, because on the whole log nothing that is varied here
changes anything ([pendulum.md](pendulum.md), [missed-truth.md](missed-truth.md)); policies learn from the whole log
beside them. Scores: mean of the last ten evaluations of ten episodes; in brackets Student's 95 % interval over seeds.
Paired differences are over seeds that share an ensemble; with three pairs p cannot be below 0.25. f: the term at the
last epoch, raw reward.

## Beta and the model's share

Bold: not told apart from the cell with the highest mean (Student's 95 % interval of the paired difference holds 0; not
corrected for the number of comparisons).

{map}

![Scores over beta by share, and learning curves]({figure})

## One setting at a time

Around beta 0.5, share 0.5, rollouts of five steps, one draw, five elites of seven members.

{length}

{draws}

{members}

## Other sets and other terms

At beta 0.5. Radii were not tuned.

{sets}

{made}

Not run: {missing}. Other logs (hopper: [beta.md](beta.md) has beta alone), what `micro-rl choose` would have taken,
beta beside length, and ensembles fitted with more or fewer members are open.
"""
ANSWER = """On a model of 2,000 rows the model's share decides most. At 5 % of a batch every beta scores alike; at 95 %
none scores well, whatever beta is; at one half each step of beta costs, from {flat} at 0 to {steep} at 1. At beta 0.5
three seeds tell two things from the defaults (intervals not corrected for their number): ten draws are better than one,
by {draws}, and balls and the calibrated set, which are larger than what is drawn, cost more. Rollout length, the number
of elites and other terms are not told apart."""


def main() -> None:
    """Write the page and its figure."""
    draw()
    missing = [name for cells in PROGRAMS for name in cells if cell(name) is None]
    text = TEXT.format(
        answer=ANSWER.format(
            flat=f"{np.mean(of_seeds('beta0-share0.5')):,.0f}",
            steep=f"{np.mean(of_seeds('beta1-share0.5')):,.0f}",
            draws=f"{np.mean(of_seeds('draws10')) - np.mean(of_seeds(REFERENCE)):,.0f}",
        ),
        seeds=SEEDS,
        quality=QUALITIES[QUALITY].title,
        map=map_table(),
        figure=FIGURE.name,
        **{key: axis_table(key) for key in AXES},
        sets=set_table(),
        made=made_by(STUDY, "python -m runs.sensitivity"),
        missing=", ".join(f"`{name}`" for name in missing) or "none of what the program lists",
    )
    write(PAGE, text)


if __name__ == "__main__":
    main()
