"""Every method on systems with known optimal values: `python -m runs.probes` writes the page.

Each cell is a short training (1,500 updates of small networks on a log, and but for methods that learn none on a
hand-made model), five seeds, kept as JSON below out/probes/: stopped and started again it goes on where it was. At the
end docs/results/probes.md is written.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from micro_rl.algorithms.log_epoch import LogProblem
from micro_rl.algorithms.model_free.base import ModelFreeMethod
from micro_rl.core.networks import MLP, gaussian, q_values
from micro_rl.core.types import LogRows, Transition
from runs.probe_training import (
    HELD_OUT,
    SIZES,
    learned,
    learned_from_log,
    needs_limits,
    settings_with,
    stacked,
    with_limits,
)
from runs.probes_page import ON_THE_LOG, PAGE, PROBES, Cell, Probe, document
from tests.hills import DISCOUNT, KEEP, SYSTEMS, System, log_of, model_of

SEEDS = 5
OUT = Path("out/probes")


def alone(system: System) -> LogProblem:
    """The system's log as methods without a model take it: each row by itself, since none goes on where one ended."""
    log, scaling = log_of(system)[:2]
    assert isinstance(log, Transition)
    return LogProblem(LogRows(log, jnp.zeros_like(log.action), jnp.zeros_like(log.reward)), scaling)


def true_value(system: System, actor: MLP, starts: int = 512, steps: int = 100) -> tuple[float, float]:
    """What the policy's mode is worth in the truth from states around 0, and the mean action it takes there."""
    rng = np.random.default_rng(1)
    state = np.linspace(-1, 1, starts)
    total, taken = np.zeros(starts), []
    for step in range(steps):
        total += DISCOUNT**step * state
        action = np.asarray(mode(actor, jnp.asarray(state, jnp.float32)[:, None]))[:, 0]
        taken.append(action.mean())
        state = KEEP * state + system.step(action) + system.noise(action) * rng.normal(size=starts)
    return float(total.mean()), float(np.mean(taken))


@jax.jit
def mode(actor: MLP, observation: Array) -> Array:
    """The policy without its own chance."""
    return jnp.tanh(gaussian(actor, observation)[0])


def believed(agent: Any) -> float:
    """What the critics think of the same states."""
    state = jnp.linspace(-1, 1, 512)[:, None]
    return float(jnp.mean(jnp.min(q_values(agent.critics, state, mode(agent.actor, state)), axis=0)))


def main() -> None:
    """Every row that is not there yet, then the page; with --finished, the page of the rows that are there."""
    results = {}
    for probe in (*PROBES, *ON_THE_LOG):
        if "--finished" in sys.argv and not file_of(probe).exists():
            continue
        results[probe.title] = cells(probe)
        for name, seeds in results[probe.title].items():
            print(f"{probe.title:26} {name:10} {[round(cell['value'], 2) for cell in seeds]}", flush=True)
    PAGE.write_text(document(results))
    print(PAGE.read_text())


def file_of(probe: Probe) -> Path:
    """Where its row is kept."""
    return OUT / f"{re.sub(r'[^a-z0-9.]+', '-', probe.title.lower()).strip('-')}.json"


def cells(probe: Probe) -> dict[str, list[Cell]]:
    """By system: value, action and belief of every seed; from the file, or made and filed."""
    file = file_of(probe)
    if not file.exists():
        agents = jax.device_get(trained(probe))
        models = {
            name: [_judged(SYSTEMS[name], _picked(agents, row, seed)) for seed in range(SEEDS)]
            for row, name in enumerate(probe.systems)
        }
        OUT.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(models))
    return json.loads(file.read_text())


def trained(probe: Probe) -> Any:
    """The agents of its systems and seeds: [system, seed]."""
    module, seeds = probe.module(), jnp.arange(SEEDS)
    method, systems = module.build(module.Options(**probe.options)), [SYSTEMS[name] for name in probe.systems]
    if isinstance(method, ModelFreeMethod):
        critics = module.DEFAULTS.get("num_critics", SIZES.num_critics)
        return learned_from_log(method, stacked([alone(system) for system in systems]), seeds, critics=critics)
    models, logs = [model_of(system) for system in systems], [log_of(system) for system in systems]
    if not probe.settings and not method.needs_held_out:
        return learned(method, stacked(models), stacked(logs), seeds)
    settings = settings_with(probe.settings)
    method, own = method.configured(settings), needs_limits(method, settings)
    if own:
        held_out = [log_of(system, HELD_OUT, seed=1) for system in systems]
        each = zip(logs, held_out, models, strict=True)
        method = stacked([with_limits(method, settings, *parts) for parts in each])
    changes = {"sizes": settings.sizes(), "bc_weight": settings.bc_weight, "own_methods": own}
    return learned(method, stacked(models), stacked(logs), seeds, **changes)


def _picked(agents: Any, row: int, seed: int) -> Any:
    """One of the stack."""
    return jax.tree.map(lambda x: jnp.asarray(x[row, seed]), agents)


def _judged(system: System, agent: Any) -> Cell:
    value, action = true_value(system, agent.actor)
    figures = {"value": value, "action": action}
    return figures if agent.critics is None else figures | {"belief": believed(agent)}


if __name__ == "__main__":
    main()
