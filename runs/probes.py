"""Every method on systems with known optimal values: `python -m runs.probes` writes the page.

Each cell is a short training (1,500 updates of small networks on a log, and but for methods that learn none on a
hand-made model), five seeds, kept as JSON below out/probes/: stopped and started again it goes on where it was. At the
end docs/results/probes.md is written.
"""

import json
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from micro_rl.algorithms import log_epoch
from micro_rl.algorithms.epoch import epoch, start
from micro_rl.algorithms.log_epoch import LogProblem
from micro_rl.algorithms.model_free.base import ModelFreeMethod
from micro_rl.algorithms.sac import Agent
from micro_rl.algorithms.slots import Method
from micro_rl.core.networks import MLP, gaussian, q_values
from micro_rl.core.settings import Settings
from micro_rl.core.types import Keys, LogRows, Problem, Transition
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.termination_rules import ByRule, never
from runs.probes_page import ON_THE_LOG, PAGE, PROBES, Cell, Probe, document
from tests.hills import DISCOUNT, KEEP, MEMBERS, SYSTEMS, System, log_of, model_of
from tests.probes import coefficients

SEEDS = 5
EPOCHS = 6
SIZES = Settings(
    hidden_sizes=(32, 32),
    num_elites=MEMBERS,
    batch_size=64,
    updates_per_epoch=250,
    rollout_batch_size=200,
    rollout_length=3,
).sizes()
RATES = {"actor_lr": 3e-3, "critic_lr": 3e-3, "temperature_lr": 0.0, "tau": 0.05}
TEMPERATURE = 0.02
OUT = Path("out/probes")


@jax.jit
def learned(method: Method, model: Ensemble, problem: Problem, seeds: Array) -> Agent:
    """The agents of all systems (a leading axis of `model` and `problem`) and seeds: [system, seed]."""

    def one(model: Ensemble, problem: Problem, seed: Array) -> Agent:
        keys, c = Keys.of(seed), coefficients(discount=DISCOUNT, **RATES)
        state = start(problem, model, method, SIZES, TEMPERATURE, keys)
        step = lambda state, _: epoch(state, method, problem, c, keys.epochs, sizes=SIZES, ends=ByRule(never))[:2]  # noqa: E731
        return jax.lax.scan(step, state, None, length=EPOCHS)[0].agent

    return jax.vmap(jax.vmap(one, (None, None, 0)), (0, 0, None))(model, problem, seeds)


@partial(jax.jit, static_argnames="critics")
def learned_from_log(baseline: ModelFreeMethod, problem: LogProblem, seeds: Array, *, critics: int) -> Any:
    """The same without a model: all systems (a leading axis of `problem`) and seeds."""
    sizes = SIZES._replace(num_critics=critics)

    def one(problem: LogProblem, seed: Array) -> Any:
        keys, c = Keys.of(seed), coefficients(discount=DISCOUNT, **RATES)
        state = log_epoch.start(problem, baseline, sizes, TEMPERATURE, keys)
        step = lambda state, _: log_epoch.epoch(state, baseline, problem, c, keys.epochs, sizes=sizes)[:2]  # noqa: E731
        return jax.lax.scan(step, state, None, length=EPOCHS)[0].agent

    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(problem, seeds)


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
    module = probe.module()
    method, systems = module.build(module.Options(**probe.options)), [SYSTEMS[name] for name in probe.systems]
    stack = lambda make: jax.tree.map(lambda *x: jnp.stack(x), *map(make, systems))  # noqa: E731
    if isinstance(method, ModelFreeMethod):
        critics = module.DEFAULTS.get("num_critics", SIZES.num_critics)
        return learned_from_log(method, stack(alone), jnp.arange(SEEDS), critics=critics)
    return learned(method, stack(model_of), stack(log_of), jnp.arange(SEEDS))


def _picked(agents: Any, row: int, seed: int) -> Any:
    """One of the stack."""
    return jax.tree.map(lambda x: jnp.asarray(x[row, seed]), agents)


def _judged(system: System, agent: Any) -> Cell:
    value, action = true_value(system, agent.actor)
    figures = {"value": value, "action": action}
    return figures if agent.critics is None else figures | {"belief": believed(agent)}


if __name__ == "__main__":
    main()
