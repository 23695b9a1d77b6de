"""Edge of reach (RAVL, arXiv 2402.12527) with an exact model: short trainings on the plateau of `tests.plateau`.

Rollouts of h steps end in states that are bootstrapped from and never learned. Each cell trains a method there for
twelve epochs of 250 updates, five seeds, and keeps for every epoch what the critics believe of the log's states and
what the policy is worth in truth. `runs.support_probes` runs the cells and writes the page.
"""

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from micro_rl.algorithms import model_based
from micro_rl.algorithms.epoch import TrainState, epoch, start
from micro_rl.algorithms.sac import Agent
from micro_rl.algorithms.slots import Method
from micro_rl.core.networks import MLP, gaussian, q_values
from micro_rl.core.sizes import Sizes
from micro_rl.core.types import Keys, Problem
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.termination_rules import ByRule, never
from runs.probe_training import HELD_OUT, RATES, TEMPERATURE, settings_with, transitions, with_limits
from tests.plateau import DISCOUNT, FURTHEST, Plateau, log_of, model_of
from tests.probes import coefficients

SEEDS, EPOCHS = 5, 12
WATCHED = 256
"""Rows of the log whose states are looked at after every epoch."""
STEPS = 1000
"""Of a return: what comes later counts by 4e-5."""
OUT = Path("out/edge-of-reach")
Curves = dict[str, list[list[float]]]
"""Beliefs and true values, [seed][epoch]."""


class Cell(NamedTuple):
    """A method on a plateau."""

    title: str
    method: str = "sac"
    options: Mapping[str, Any] = MappingProxyType({})
    settings: Mapping[str, Any] = MappingProxyType({})
    plateau: Plateau = Plateau()


RAVL: dict[str, Any] = {"num_critics": 10, "critic_diversity": 1.0}
SLOWER, IDLE = Plateau(growth=1.05), Plateau(level=0.0)
CELLS = [
    Cell("SAC on the model"),
    Cell("MICRO, beta 1", "micro", {"beta": 1.0}),
    Cell("SAC, rollouts of 30 steps", settings={"rollout_length": 30, "rollout_batch_size": 20}),
    Cell("SAC, support halt", settings={"support": "halt"}),
    Cell("SAC, support halt, 5 % log rows", settings={"support": "halt", "real_ratio": 0.05}),
    Cell("SAC, support halt, ten critics, diversity 1", settings={"support": "halt"} | RAVL),
    Cell("SAC, support truncate", settings={"support": "truncate"}),
    Cell("SAC, ten critics, diversity 1", settings=RAVL),
    Cell("SAC, critic norm", settings={"critic_norm": True}),
    Cell("SAC, support penalty", settings={"support": "penalty"}),
    Cell("SAC, growth 1.05", plateau=SLOWER),
    Cell("SAC, ten critics, diversity 1, growth 1.05", settings=RAVL, plateau=SLOWER),
    Cell("SAC, reward 0", plateau=IDLE),
]


def curves(cell: Cell) -> Curves:
    """What the critics believe and what is true, of every seed and epoch; from the file, or made and filed."""
    file = file_of(cell)
    if not file.exists():
        believed, true = trained(cell)
        OUT.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"believed": believed.tolist(), "true": true.tolist()}))
    return json.loads(file.read_text())


def file_of(cell: Cell) -> Path:
    """Where its curves are kept."""
    return OUT / f"{re.sub(r'[^a-z0-9.]+', '-', cell.title.lower()).strip('-')}.json"


def trained(cell: Cell, seeds: int = SEEDS, epochs: int = EPOCHS) -> tuple[np.ndarray, np.ndarray]:
    """Beliefs and true values [seed, epoch]."""
    module, settings = model_based.METHODS[cell.method], settings_with(cell.settings)
    log, model = log_of(cell.plateau), model_of(cell.plateau)
    method = module.build(module.Options(**cell.options)).configured(settings)
    method = with_limits(method, settings, log, log_of(cell.plateau, HELD_OUT, seed=1), model)
    made = learned(method, model, log, jnp.arange(seeds), sizes=settings.sizes(), plateau=cell.plateau, epochs=epochs)
    believed, true = jax.device_get(made)
    return believed, true


@partial(jax.jit, static_argnames=("sizes", "plateau", "epochs"))
def learned(
    method: Method, model: Ensemble, problem: Problem, seeds: Array, *, sizes: Sizes, plateau: Plateau, epochs: int
) -> tuple[Float[Array, "seed epoch"], Float[Array, "seed epoch"]]:
    """Belief and true value after each epoch."""
    states = transitions(problem).observation[:WATCHED]
    c = coefficients(discount=DISCOUNT, **RATES)

    def one(seed: Array) -> tuple[Array, Array]:
        keys = Keys.of(seed)

        def step(state: TrainState, _: None) -> tuple[TrainState, tuple[Array, Array]]:
            state = epoch(state, method, problem, c, keys.epochs, sizes=sizes, ends=ByRule(never))[0]
            return state, (belief(state.agent, states), true_value(plateau, state.agent.actor, states))

        return jax.lax.scan(step, start(problem, model, method, sizes, TEMPERATURE, keys), None, length=epochs)[1]

    return jax.vmap(one)(seeds)


def belief(agent: Agent, states: Float[Array, "rows obs"]) -> Array:
    """Mean min_k Q_k of the policy's mode."""
    return jnp.mean(jnp.min(q_values(agent.critics, states, mode(agent.actor, states)), axis=0))


def true_value(plateau: Plateau, actor: MLP, states: Float[Array, "rows 2"], steps: int = STEPS) -> Array:
    """Mean discounted return of the policy's mode in the truth, which has no chance."""

    def advance(carry: tuple[Array, Array], number: Array) -> tuple[tuple[Array, Array], None]:
        state, total = carry
        total = total + DISCOUNT**number * plateau.reward(state)
        following = plateau.step(state, mode(actor, state))
        return (jnp.clip(following, -FURTHEST, FURTHEST), total), None

    begin = states, jnp.zeros(states.shape[0])
    return jnp.mean(jax.lax.scan(advance, begin, jnp.arange(steps, dtype=jnp.float32))[0][1])


def mode(actor: MLP, states: Float[Array, "rows obs"]) -> Array:
    """The policy without its own chance."""
    return jnp.tanh(gaussian(actor, states)[0])
