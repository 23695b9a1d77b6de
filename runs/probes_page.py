"""What is probed, and the page about it: docs/results/probes.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from micro_rl.algorithms import model_based
from micro_rl.algorithms.model_based import micro
from micro_rl.algorithms.model_free import BASELINES
from micro_rl.algorithms.slots import MethodContext
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Models
from runs.probes_readings import READING_WITHOUT_A_MODEL, READINGS, STORIES, WITHOUT_A_MODEL
from tests.hills import MEMBERS, SLOPE, SYSTEMS, System, foreseen, model_of
from tests.page_code import method_of_the_page
from tests.probes import linear_critics, steady_actor

PAGE = Path("docs/results/probes.md")
Cell = dict[str, float]


class Probe(NamedTuple):
    """A method with its coefficients, as a row of the tables."""

    title: str
    name: str
    options: dict[str, Any]
    systems: tuple[str, ...] = tuple(SYSTEMS)
    settings: Mapping[str, Any] = MappingProxyType({})
    """Of the run, where they are not the probes' own."""

    def module(self) -> ModuleType:
        """Where the method is: in one of the tables, or on the page that adds one."""
        return model_based.METHODS.get(self.name) or BASELINES.get(self.name) or method_of_the_page()


RAMBO = {"adversarial_steps": 250, "adversarial_batch_size": 64, "model_decay": (0.0, 0.0), "adversarial_lr": 1e-3}
PROBES = [
    Probe("SAC on the model", "sac", {}),
    Probe("MICRO, beta 0.5", "micro", {"beta": 0.5}),
    Probe("MICRO, beta 1", "micro", {"beta": 1.0}),
    Probe("MICRO, beta 0.5, 10 draws", "micro", {"beta": 0.5, "num_samples": 10}, ("noise",)),
    Probe("MOBILE, c 0.62", "mobile", {"penalty": 0.62, "num_samples": 1}),
    Probe("MOBILE, c 1.24", "mobile", {"penalty": 1.24, "num_samples": 1}),
    Probe("MOPO, lambda 1", "mopo", {"penalty": 1.0}),
    Probe("MOReL", "morel", {}),
    Probe("COMBO, weight 0.5", "combo", {"cql_weight": 0.5}),
    Probe("COMBO, weight 5", "combo", {"cql_weight": 5.0}),
    Probe("RAMBO, weight 3e-4", "rambo", RAMBO | {"adversarial_weight": 3e-4}),
    Probe("RAMBO, weight 0.1", "rambo", RAMBO | {"adversarial_weight": 0.1}),
    Probe("`nearest`, penalty 1", "nearest", {"penalty": 1.0}),
    Probe("`nearest`, penalty 5", "nearest", {"penalty": 5.0}),
]

LOGS = {
    "agreement": "The hill: the log of the over-optimistic member and of the agreement",
    "pessimist": "The climb: the log of the over-pessimistic member and of the noise",
    "plenty": "Plenty of data",
}
"""The systems whose logs differ, by the first or only one of them."""
ON_THE_LOG = [
    Probe("Behaviour cloning", "bc", {}, tuple(LOGS)),
    Probe("TD3+BC, alpha 2.5", "td3_bc", {"alpha": 2.5}, tuple(LOGS)),
    Probe("ReBRAC, weights 0.01", "rebrac", {"actor_weight": 0.01, "critic_weight": 0.01}, tuple(LOGS)),
    Probe(
        "IQL, expectile 0.7, inverse temperature 3", "iql", {"expectile": 0.7, "inverse_temperature": 3.0}, tuple(LOGS)
    ),
    Probe("CQL, weight 0.5", "cql", {"cql_weight": 0.5}, tuple(LOGS)),
    Probe("CQL, weight 5", "cql", {"cql_weight": 5.0}, tuple(LOGS)),
    Probe("SAC-N, 10 critics", "sac_n", {}, tuple(LOGS)),
    Probe("EDAC, eta 1, 10 critics", "edac", {"eta": 1.0}, tuple(LOGS)),
]
"""Methods without a model; nothing was foreseen for them."""


def spread(numbers: Sequence[float]) -> str:
    """Mean ± standard deviation (n - 1)."""
    return f"{np.mean(numbers):.2f} ± {np.std(numbers, ddof=1):.2f}"


def row(probe: Probe, system: System, seeds: list[Cell]) -> str:
    """A method's line in a system's table."""
    action = foreseen(system, probe.module().Options(**probe.options))
    before = "" if action is None else f"{action:.2f} → {system.value(float(system.step(np.asarray(action)))):.2f}"
    return " | ".join([f"| {probe.title}", before, *what_came(system, seeds)]) + " |"


def what_came(system: System, seeds: list[Cell]) -> list[str]:
    """Action, value, what was lost, and the critics' belief where there are critics."""
    value = [cell["value"] for cell in seeds]
    belief = spread([cell["belief"] for cell in seeds]) if "belief" in seeds[0] else ""
    return [spread([cell["action"] for cell in seeds]), spread(value), f"{np.mean(value) - system.optimum:.2f}", belief]


def table(name: str, cells: Mapping[str, Mapping[str, list[Cell]]]) -> str:
    """One system's table."""
    lines = [
        "| method | foreseen: action → value | action found | value found | found - known | critics believe |",
        "|---|---|---|---|---|---|",
    ]
    probes = [probe for probe in PROBES if name in cells.get(probe.title, {})]
    return "\n".join(lines + [row(probe, SYSTEMS[name], cells[probe.title][name]) for probe in probes])


def short_table(probes: Sequence[Probe], name: str, cells: Mapping[str, Mapping[str, list[Cell]]]) -> str:
    """Those of the probes that were run on a system, for which nothing was foreseen."""
    lines = ["| method | action found | value found | found - known | critics believe |", "|---|---|---|---|---|"]
    probes = [probe for probe in probes if name in cells.get(probe.title, {})]
    for probe in probes:
        lines.append(" | ".join([f"| {probe.title}", *what_came(SYSTEMS[name], cells[probe.title][name])]) + " |")
    return "\n".join(lines)


def noise_table(rows: int = 4000) -> str:
    """f at the action 1 of the system "noise": as MICRO's target computes it, and in closed form."""
    system, lines = SYSTEMS["noise"], ["| draws | f computed | closed form |", "|---|---|---|"]
    model, critics = model_of(system), linear_critics([[SLOPE, 0.0]] * 2, [0.0] * 2)
    context = MethodContext(critics, critics, steady_actor([0.0], 1), Models.of(model, MEMBERS), jnp.ones(()))
    zeros, ones = jnp.zeros((rows, 1)), jnp.ones((rows, 1))
    batch = Transition(zeros, ones, zeros[:, 0], zeros, ones[:, 0])
    for draws in (1, 10, 100):
        target = micro.build(micro.Options(num_samples=draws)).target
        noise = target.noise(jax.random.key(0), batch, context.models)
        _, logged = target(batch, zeros[:, 0], context, noise)
        closed = LEAST_OF_FIVE * SLOPE * system.last_noise / np.sqrt(draws)
        lines.append(f"| {draws} | {float(logged['conservative_term']):.3f} | {closed:.3f} |")
    return "\n".join(lines)


LEAST_OF_FIVE = 1.16296
"""E[mean - min] of five standard normals."""


TEXT = """# Probes: systems with known optimal values

**Question.** Which methods find the best action where the members of the ensemble are wrong in one known way, and what
does conservatism cost where they are right?

**Answer.** MICRO stays within the log where one member of five promises too much (0.2 to 0.4 of 8.2 lost), and is
fooled where all promise alike what is not there, as every method is whose penalty is made of the members (-8.1 found).
Where one member warns without cause, or members know of noise, its conservatism costs 3.0 to 5.7; where all members
are right and the log has every action, 0.1. What withstands the common promise (a penalty on the distance to the log,
RAMBO and COMBO with large weights) loses most where the promise is kept.

Five systems so small that the best possible value is known, and a hand-made ensemble for each that is wrong (or right)
in one way. Systems, models and coefficients were fixed before any method was run on them, and so was what the methods'
own equations foresee. Whatever came out stands below.

All five share s' = 0.5 s + g(a) + noise and r = s, one action in [-1, 1], gamma 0.9, and no end. V is then linear in
s, so the best policy takes the action at which g is largest, wherever it is; value iteration on a grid finds the same
(`tests/test_hills.py`). g is linear between the actions -1, 0.25 and 1. But for the last system, the log has no
action above 0.25, and there the five members may say what they like; up to 0.25 they are right. Everywhere they
differ a little (by 0.01 s at most from the truth), as fitted members do, and s' has a noise of 0.05, which they know.

* Values are V(0). Known: the best there is. Found: the learned policy's mode in the true system, 512 starts from -1 to
  1, 100 steps each; negative "found - known" is what was lost.
* Foreseen: the action that is best by the method's own equations in this model, and what it is worth in truth. RAMBO
  and COMBO have no closed form here, and for [`nearest`](../development/add-a-method.md) none was worked out.
* The critics' belief is mean min_k Q_k at the same starts.
* Every figure with ±: mean and standard deviation (n - 1) of five seeds.

The methods with a model come first, system by system; those [without one](#methods-without-a-model) see the logs alone
and stand at the end.

The methods have their defaults but for what the tables name: one draw for MICRO and MOBILE, MOBILE at c = 1.24 beta,
which matches MICRO's strength for five normally distributed values. RAMBO makes as many steps of its model as of the
agent (250 in each of six epochs, batch 64) at the rate 1e-3, without weight decay. All: 1,500 updates of 64 rows, half
of them the log's, networks of 32-32, rates 3e-3, target rate 0.05, a fixed temperature of 0.02 that does not enter the
backup, rollouts of three steps from 200 starts. Such small sizes say nothing about speed or about large tasks.

{systems}

## Methods without a model

{alone}

{missing}Made by `python -m runs.probes`.
"""


def document(cells: Mapping[str, Mapping[str, list[Cell]]]) -> str:
    """The page."""
    sections = [section(name, cells) for name in SYSTEMS]
    missing = ", ".join(probe.title for probe in (*PROBES, *ON_THE_LOG) if probe.title not in cells)
    missing = f"Not run yet: {missing}.\n\n" if missing else ""
    alone = "\n\n".join([WITHOUT_A_MODEL, *(log_section(name, cells) for name in LOGS), READING_WITHOUT_A_MODEL])
    return TEXT.format(systems="\n\n".join(sections), alone=alone, missing=missing)


def log_section(name: str, cells: Mapping[str, Mapping[str, list[Cell]]]) -> str:
    """A log and its table."""
    system = SYSTEMS[name]
    middle, edge = (float(system.value(system.step(np.asarray(at)))) for at in ((system.reach - 1) / 2, 0.25))
    facts = (
        f"Known: V* = {system.optimum:.2f}; the best action in the log, 0.25, is worth {edge:.2f}, the"
        f" mean action of the log, {(system.reach - 1) / 2:g}, {middle:.2f}."
    )
    return "\n\n".join([f"### {LOGS[name]}", facts, short_table(ON_THE_LOG, name, cells)])


def section(name: str, cells: Mapping[str, Mapping[str, list[Cell]]]) -> str:
    """A system, its table and how we read it."""
    system = SYSTEMS[name]
    heights_text = ", ".join(dict.fromkeys(_heights(heights) for heights in system.members))
    facts = f"g at (-1, 0.25, 1): truly {_heights(system.truth)}; the members say {heights_text}. {STORIES[name]}"
    parts = [f"## {system.title[0].upper()}{system.title[1:]}", facts, f"Known: V* = {system.optimum:.2f}."]
    parts += [table(name, cells)] + ([noise_table()] if name == "noise" else []) + [READINGS[name]]
    return "\n\n".join(parts)


def _heights(heights: Sequence[float]) -> str:
    return f"({', '.join(f'{height:g}' for height in heights)})"
