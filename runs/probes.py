"""Every model-based method on systems with known optimal values: `python -m runs.probes` writes the page.

Each cell is a short training (1,500 updates of small networks on a hand-made model), five seeds, kept as JSON below
out/probes/: stopped and started again it goes on where it was. At the end docs/results/probes.md is written.
"""

import json
import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from micro_rl.loop import Keys, Problem, epoch, start
from micro_rl.method import Method
from micro_rl.model import Ensemble
from micro_rl.nets import MLP, gaussian, q_values
from micro_rl.sac import Agent
from micro_rl.settings import Settings
from micro_rl.termination import ByRule, never
from runs.probes_page import PAGE, PROBES, Cell, Probe, document
from tests.hills import DISCOUNT, KEEP, MEMBERS, SYSTEMS, System, log_of, model_of
from tests.probes import coefficients

SEEDS = 5
EPOCHS = 6
SIZES = Settings(
    hidden=(32, 32), elites=MEMBERS, batch=64, updates=250, rollout_starts=200, rollout_length=3
).sizes()  # fmt: skip
RATES = {"actor_rate": 3e-3, "critic_rate": 3e-3, "temperature_rate": 0.0, "target_rate": 0.05}
TEMPERATURE = 0.02
OUT = Path("out/probes")


@jax.jit
def learned(method: Method, model: Ensemble, problem: Problem, seeds: Array) -> Agent:
    """The agents of all systems (a leading axis of `model` and `problem`) and seeds: [system, seed]."""

    def one(model: Ensemble, problem: Problem, seed: Array) -> Agent:
        keys, c = Keys.of(seed), coefficients(discount=DISCOUNT, **RATES)
        state = start(problem, model, method, SIZES, TEMPERATURE, keys)
        step = lambda state, _: epoch(state, method, problem, c, keys.epochs, sizes=SIZES, ends=ByRule(never))  # noqa: E731
        return jax.lax.scan(step, state, None, length=EPOCHS)[0].agent

    return jax.vmap(jax.vmap(one, (None, None, 0)), (0, 0, None))(model, problem, seeds)


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


def believed(agent: Agent) -> float:
    """What the critics think of the same states."""
    state = jnp.linspace(-1, 1, 512)[:, None]
    return float(jnp.mean(jnp.min(q_values(agent.critics, state, mode(agent.actor, state)), axis=0)))


def main() -> None:
    """Every row that is not there yet, then the page; with --finished, the page of the rows that are there."""
    found = {}
    for probe in PROBES:
        if "--finished" in sys.argv and not file_of(probe).exists():
            continue
        found[probe.title] = cells(probe)
        for name, seeds in found[probe.title].items():
            print(f"{probe.title:26} {name:10} {[round(cell['value'], 2) for cell in seeds]}", flush=True)
    PAGE.write_text(document(found))
    print(PAGE.read_text())


def file_of(probe: Probe) -> Path:
    """Where its row is kept."""
    return OUT / f"{re.sub(r'[^a-z0-9.]+', '-', probe.title.lower()).strip('-')}.json"


def cells(probe: Probe) -> dict[str, list[Cell]]:
    """By system: value, action and belief of every seed; from the file, or made and filed."""
    file = file_of(probe)
    if not file.exists():
        module = probe.module()
        stack = lambda make: jax.tree.map(lambda *x: jnp.stack(x), *(make(SYSTEMS[name]) for name in probe.systems))  # noqa: E731
        method = module.build(module.Options(**probe.options))
        agents = jax.device_get(learned(method, stack(model_of), stack(log_of), jnp.arange(SEEDS)))
        made = {
            name: [_judged(SYSTEMS[name], _picked(agents, row, seed)) for seed in range(SEEDS)]
            for row, name in enumerate(probe.systems)
        }
        OUT.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(made))
    return json.loads(file.read_text())


def _picked(agents: Agent, row: int, seed: int) -> Agent:
    """One of the stack."""
    return jax.tree.map(lambda x: jnp.asarray(x[row, seed]), agents)


def _judged(system: System, agent: Agent) -> Cell:
    value, action = true_value(system, agent.actor)
    return {"value": value, "action": action, "belief": believed(agent)}


if __name__ == "__main__":
    main()
