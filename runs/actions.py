"""What an update costs as actions grow: `python -m runs.actions` measures what is not recorded, and writes the page.

Five minutes on two idle cores (`benchmarks.actions`); a size that is recorded (`runs.records`) is not measured again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.actions import LONG, METHODS, PARTS, SIZES, measured
from benchmarks.table import digits
from runs.kept_cells import add, made_by
from runs.records import recorded
from runs.study_pages import save, table, write

STUDY = "actions"
PAGE = Path("docs/results/actions.md")
FIGURE = PAGE.with_suffix(".svg")
COLOURS = {"SAC on the model": "#000000", "MICRO, 1 draw": "#0072b2", "MICRO, 10 draws": "#d55e00"}
Milliseconds = Mapping[str, Sequence[float]]
"""Median, least and greatest of the blocks, by method or part."""


def cell(observations: int, actions: int) -> str:
    """The name of a size."""
    return f"{observations} observations, {actions} actions"


def measure() -> dict[str, Any]:
    """Every method and part by size: milliseconds an update."""
    _, timings = measured(LONG)
    each = {name: [1000 * seconds / LONG.updates for seconds in timing.seconds] for name, timing in timings.items()}
    return {cell(*size): {label: each[f"{label}, {cell(*size)}"] for label in (*METHODS, *PARTS)} for size in SIZES}


def by_size() -> list[tuple[tuple[int, int], Milliseconds]]:
    """What is recorded, in the order of the sizes."""
    return [(size, recorded(STUDY)[cell(*size)]["figures"]) for size in SIZES]


def method_table() -> str:
    """Milliseconds an update, and what MICRO's is over SAC's."""
    rows = []
    for size, figures in by_size():
        alone = figures["SAC on the model"][0]
        each = [map(digits, figures[name]) for name in METHODS]
        words = [f"{median} ({low} to {high})" for median, low, high in each]
        rows.append([*map(str, size), *words, *(f"{figures[name][0] / alone:.1f}" for name in list(METHODS)[1:])])
    return table(["observations", "actions", *METHODS, *(f"{name}, over SAC's" for name in list(METHODS)[1:])], rows)


def part_table() -> str:
    """Milliseconds of each part, and its share of the three together."""
    rows = []
    for size, figures in by_size():
        parts = [figures[part][0] for part in PARTS]
        rows.append([*map(str, size), *(f"{part:.2f} ({part / sum(parts):.0%})".replace("%", " %") for part in parts)])
    return table(["observations", "actions", *PARTS], rows)


def draw() -> None:
    """Methods over the number of actions, and the parts' shares."""
    figure = Figure(figsize=(8.5, 3.6), layout="constrained")
    lines, parts = figure.subplots(1, 2)
    few = [(size[1], figures) for size, figures in by_size() if size[0] == SIZES[0][0]]
    actions = [count for count, _ in few]
    for name, colour in COLOURS.items():
        median, low, high = np.asarray([figures[name] for _, figures in few]).T
        lines.plot(actions, median, color=colour, marker=".", label=name)
        lines.fill_between(actions, low, high, color=colour, alpha=0.15)
    lines.set(xlabel="actions", ylabel="ms an update", ylim=(0, None))
    below = np.zeros(len(few))
    for part, colour in zip(PARTS, ("#0072b2", "#009e73", "#e69f00"), strict=True):
        height = np.asarray([figures[part][0] for _, figures in few])
        parts.bar([str(count) for count in actions], height, bottom=below, color=colour, label=part)
        below += height
    parts.set(xlabel="actions", ylabel="ms", ylim=(0, 1.3 * below.max()))
    for panel in (lines, parts):
        panel.grid(alpha=0.25)
        panel.legend(fontsize=7)
    save(figure, FIGURE)


TEXT = """# What an update costs as actions grow

**Question.** What do more actions cost: of the whole update, of the critics' part and of the actor's?

**Answer.** {answer}

D4RL's hopper settings (batches of 256 rows, critics and actor of 256-256, seven members of 4 x 200, five elites), 11
observations and 1 to 28 actions, and 39 observations and 28 actions, which is Minari's hand; a log of noise. The whole
is a tenth of an epoch, its rollouts included, over its updates. Milliseconds: median of three blocks, least and
greatest.

{methods}

![Milliseconds an update over the number of actions](actions.svg)

The parts are programs of their own, so that they do not add up to the whole, which also draws rows, takes the model's
rollouts and moves the target networks. The target is MICRO's with one draw: the policy's actions at five next states,
and two target critics there.

{parts}

{made}

Scores over the number of actions are not a question of cost: the [methods' table](methods.md) has tasks of one to six
actions. A log with 28 actions was read, but nothing was trained on it to an end.
"""


def answer() -> str:
    """One sentence, of the recorded figures."""
    sizes = by_size()
    (_, few), (_, many), (size, hand) = sizes[0], sizes[-2], sizes[-1]
    one, ten, sac = ("MICRO, 1 draw", "MICRO, 10 draws", "SAC on the model")
    more = [percent(many[name][0] / few[name][0] - 1) for name in (one, ten, sac)]
    share = [percent(x["actor's step"][0] / sum(x[part][0] for part in PARTS)) for x in (few, many)]
    return (
        f"Little: with 28 actions instead of one MICRO takes {more[0]} more with one draw and {more[1]} with ten, SAC"
        f" on the model {more[2]}; the actor's step goes from {share[0]} to {share[1]} of the three parts. At the"
        f" hand's size ({size[0]} observations, {size[1]} actions) MICRO with one draw takes {hand[one][0]:.1f} ms."
    )


def percent(share: float) -> str:
    """Without decimals."""
    return f"{100 * share:.0f} %"


def main() -> None:
    """Measure where nothing is recorded, draw, write."""
    if any(cell(*size) not in recorded(STUDY) for size in SIZES):
        add(STUDY, measure)
    draw()
    origin = made_by(STUDY, "python -m runs.actions").replace(
        "on two cores that other work shared", "on two idle cores"
    )
    write(PAGE, TEXT.format(answer=answer(), methods=method_table(), parts=part_table(), made=origin))


if __name__ == "__main__":
    main()
