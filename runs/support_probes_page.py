"""What is probed of support, and the page about it: docs/results/support-probes.md."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from micro_rl.core.types import Transition
from runs.edge_of_reach import Curves
from runs.edge_of_reach_page import draw, edge_section
from runs.probe_training import HELD_OUT, calibrated_set, limits_of, settings_with
from runs.probes_page import Cell, Probe, short_table
from runs.probes_readings import STORIES
from runs.support_probes_readings import READINGS
from tests.hills import SYSTEMS, System, log_of, model_of

PAGE = Path("docs/results/support-probes.md")
HALT: dict[str, Any] = {"support": "halt"}
TEN: dict[str, Any] = {"num_critics": 10}
PARTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "": ({}, {}),
    "support halt": ({}, HALT),
    "support truncate": ({}, {"support": "truncate"}),
    "support penalty": ({}, {"support": "penalty"}),
    "halt and anchor": ({}, HALT | {"bc_weight": 2.0}),
    "calibrated set": ({"candidates": "calibrated"}, {}),
    "critic norm": ({}, {"critic_norm": True}),
    "one member a rollout": ({}, {"rollout_member": "rollout"}),
    "values linear": ({"values": "linear"}, {}),
    "ten critics": ({}, TEN),
    "pair of ten critics": ({}, TEN | {"target_critics": "pair"}),
    "ten critics, diversity 1": ({}, TEN | {"critic_diversity": 1.0}),
}
"""MICRO's options and the run's settings that make each part."""
PROBES = [
    Probe(f"MICRO, beta {beta}{part and f', {part}'}", "micro", {"beta": float(beta)} | options, settings=settings)
    for part, (options, settings) in PARTS.items()
    for beta in ("0.5", "1")
]
Hills = Mapping[str, Mapping[str, list[Cell]]]


def limits_table() -> str:
    """What each system's log makes of support and of the calibrated set, at the state 0."""
    heads = [
        "system",
        "known up to the action",
        "limit of distance",
        "limit beyond the range",
        "members' mean off the truth at action 1",
        "set's size at -0.375",
        "at 0.25",
        "at 1",
    ]
    rows = [limits_row(name, system) for name, system in SYSTEMS.items()]
    return "\n".join(["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|", *rows])


def limits_row(name: str, system: System) -> str:
    """A line of it."""
    log, model = log_of(system), model_of(system)
    limits = limits_of(log)
    far, outside = limits.limit(0.99) * limits.scales
    actions = np.array([-0.375, 0.25, 1.0])
    size = np.asarray(calibrated_set(model, log, log_of(system, HELD_OUT, seed=1), 0.95).around(model, at(actions))[1])
    off = abs(float(system.predicted(np.array(1.0)).mean() - system.step(np.array(1.0))))
    figures = [last_known(system, limits.slot(settings_with(HALT), log.scaling)), far, outside, off, *size]
    return f"| {system.title} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |"


def last_known(system: System, support: Any) -> float:
    """The greatest action, at the state 0 and with the members' mean outcome, that support does not call unknown."""
    actions = np.linspace(-1, 1, 401)
    rows = at(actions)._replace(next_observation=jnp.asarray(system.predicted(actions).mean(0), jnp.float32)[:, None])
    return float(actions[np.asarray(support.score(rows) <= support.limit)].max())


def at(actions: np.ndarray) -> Transition:
    """Rows that take these actions in the state 0."""
    zeros, column = jnp.zeros(len(actions)), jnp.asarray(actions, jnp.float32)[:, None]
    return Transition(zeros[:, None], column, zeros, zeros[:, None], zeros + 1)


TEXT = """# Probes of support

**Question.** Which part of support mends which fault, and what does it cost where there is none?

**Answer.** Where all members promise alike what is not there, MICRO ends at -8.1 where 8.2 can be had; halting, the
penalty, and the calibrated set at beta 1 lose 0.5 to 0.9 of it. Where the promise is kept the same parts give up 6.5
to 6.7, and where the log has every action 0.1 to 0.3. With an exact model and short rollouts MICRO runs away as SAC
does: long rollouts mend that, halting mends the policy, the penalty nearly does; truncation, ten critics and layer
norm do not.

What the [parts of support](../guides/support.md) do on systems so small that the best possible value is known: MICRO
alone (beta 0.5 and 1) and with one part at a time on the five systems of the [probes](probes.md), and the
[edge of reach](#edge-of-reach) with an exact model. Sizes and rates are those of the probes, the parts' strengths the
product's defaults or those that the guide names; none was chosen by what came out, and whatever came out stands below.

Systems, values and columns are explained with the [probes](probes.md): one action in [-1, 1], gamma 0.9, and but for
the last system a log that ends at the action 0.25, beyond which the members may say what they like. Every figure with
±: mean and standard deviation (n - 1) of five seeds. The anchor is `bc_weight` 2. Of ten critics the least value
counts, or the less of two drawn anew at each update.

Limits come of each system's own true transitions, as in a run: support's (level 0.99) from ten blocks of the log left
out in turn, the calibrated set (level 0.95) from {held_out} rows of the same truth that are not in the log.

{limits}

"Known up to" is the greatest action that support does not call unknown at the state 0. Limits are in standard
deviations of the log's columns, sizes and the error in units of the state, all at the state 0. Where the size at the
action 1 is below the error, the set misses the truth there: its coverage is over the log's own actions.

{systems}

{edge}

{missing}Made by `python -m runs.support_probes` (stopped and started again it goes on where it was). {seconds}
"""


def document(hills: Hills, edges: Mapping[str, Curves], seconds: Mapping[str, float]) -> str:
    """The page."""
    absent = [probe.title for probe in PROBES if probe.title not in hills]
    return TEXT.format(
        held_out=f"{HELD_OUT:,}",
        limits=limits_table(),
        systems="\n\n".join(section(name, hills) for name in SYSTEMS),
        edge=edge_section(edges),
        missing=f"Not run yet: {'; '.join(absent)}.\n\n" if absent else "",
        seconds=time_taken(seconds),
    )


def section(name: str, hills: Hills) -> str:
    """A system, its table and how we read it."""
    system = SYSTEMS[name]
    facts = f"{STORIES[name]} Known: V* = {system.optimum:.2f}."
    title = f"## {system.title[0].upper()}{system.title[1:]}"
    return "\n\n".join([title, facts, short_table(PROBES, name, hills), READINGS[name]])


def time_taken(seconds: Mapping[str, float]) -> str:
    """How long the cells took that were run."""
    if not seconds:
        return "No time was measured."
    return f"{len(seconds)} cells took {sum(seconds.values()) / 60:.0f} minutes of processor time together."


def write(hills: Hills, edges: Mapping[str, Curves], seconds: Mapping[str, float]) -> None:
    """The page and its figure; remarks below a line `## Remarks` are kept."""
    draw(edges)
    remarks = PAGE.read_text().partition("\n## Remarks")[2] if PAGE.exists() else ""
    PAGE.write_text(document(hills, edges, seconds) + (f"\n## Remarks{remarks}" if remarks else ""))
