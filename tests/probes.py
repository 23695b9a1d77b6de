"""Tiny systems with known answers, hand-made networks, and a log small enough to train on in seconds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from micro_rl.algorithms import registry
from micro_rl.algorithms.sac import Agent, Coefficients
from micro_rl.core.networks import MLP
from micro_rl.core.optim import init_opt_state
from micro_rl.core.types import LogRows, Scaling, Transition
from micro_rl.data import Dataset
from micro_rl.dynamics.ensemble import Ensemble, Members
from micro_rl.training.plan import Plan, make_plan
from tests.conftest import PLAIN_EMITTERS

FUSED = {"xla_cpu_use_fusion_emitters": True} if PLAIN_EMITTERS else {}
"""Compiler options for programs compared to the bit: their shared part is then rounded alike (see conftest.py)."""


@jax.jit
def call(slot: Any, *arguments: Any) -> Any:
    """slot(*arguments) as one program, where operation by operation each would be compiled for itself.

    Slots of equal kind and options share it, whatever their coefficients.
    """
    return slot(*arguments)


# Networks of one layer: linear functions, written down by hand.


def linear(weight: Any, bias: Any) -> MLP:
    """x @ weight + bias; a stack if both have a leading axis."""
    return MLP((jnp.asarray(weight, jnp.float32),), (jnp.asarray(bias, jnp.float32),))


def steady_actor(action: list[float], obs: int, log_std: float = 0.0) -> MLP:
    """The same Gaussian everywhere, whose mode is `action`."""
    mean = np.arctanh(np.asarray(action, np.float64))
    return linear(np.zeros((obs, 2 * len(action))), np.concatenate([mean, np.full(len(action), log_std)]))


def linear_critics(rows: list[list[float]], biases: list[float]) -> MLP:
    """Q_k(s, a) = rows[k] . (s, a) + biases[k]."""
    return linear(np.asarray(rows)[..., None], np.asarray(biases)[:, None])


def linear_ensemble(weight: Any, bias: Any, std: Any) -> Ensemble:
    """Members that predict (change, reward) = (s, a) @ weight + bias with the deviation `std` [out].

    weight [member, in, out], bias [member, out]. The bounds of the log-variance are too wide to matter.
    """
    weight, bias = np.asarray(weight, np.float32), np.asarray(bias, np.float32)
    members, width_in, out = weight.shape
    spread = np.broadcast_to(2 * np.log(np.asarray(std, np.float64)), (members, out))
    net = linear(np.concatenate([weight, np.zeros_like(weight)], -1), np.concatenate([bias, spread], -1))
    wide = jnp.full(out, 50.0)
    units = (jnp.zeros(width_in), jnp.ones(width_in), jnp.zeros(out), jnp.ones(out))
    return Ensemble(Members(net, wide, -wide), *units)


def pointing_ensemble(changes: Any, rewards: Any, act: int, std: float = 1e-6) -> Ensemble:
    """Members that each predict a constant change of the observation, changes [member, obs], and reward."""
    outcome = np.concatenate([np.asarray(changes, np.float32), np.asarray(rewards, np.float32)[:, None]], -1)
    members, out = outcome.shape
    return linear_ensemble(np.zeros((members, out - 1 + act, out)), outcome, np.full(out, std))


def agent_of(actor: MLP, critics: MLP, targets: MLP | None = None, temperature: float = 1.0) -> Agent:
    """An agent of these networks that has made no step yet."""
    log_temperature = jnp.log(jnp.asarray(temperature, jnp.float32))
    moments = (init_opt_state(actor), init_opt_state(critics), init_opt_state(log_temperature))
    return Agent(actor, critics, critics if targets is None else targets, log_temperature, *moments)


def coefficients(**chosen: float) -> Coefficients:
    """Gamma 0.9, rates 0.01, no entropy in the backup, no smallest target; or as chosen."""
    numbers = {
        "discount": 0.9,
        "tau": 0.005,
        "actor_lr": 0.01,
        "critic_lr": 0.01,
        "temperature_lr": 0.01,
        "target_entropy": -1.0,
        "backup_entropy": 0.0,
        "min_target": -np.inf,
        "bc_weight": 0.0,
    } | chosen
    return Coefficients(**{name: jnp.asarray(number, jnp.float32) for name, number in numbers.items()})


def no_rows(obs: int, act: int) -> Transition:
    """An empty half of a batch."""
    return Transition(jnp.zeros((0, obs)), jnp.zeros((0, act)), jnp.zeros(0), jnp.zeros((0, obs)), jnp.zeros(0))


def log_rows(
    state: Sequence[float],
    action: Sequence[float],
    *,
    reward: Sequence[float] | None = None,
    following: Sequence[float] | None = None,
    discount: Sequence[float] | None = None,
    next_action: Sequence[float] | None = None,
    continued: Sequence[float] | None = None,
) -> LogRows:
    """Rows of a system with one observation and one action; by default nothing is rewarded and nothing ends."""

    def column(given: Sequence[float] | None, usual: float) -> Array:
        return jnp.asarray([usual] * len(state) if given is None else given, jnp.float32)

    now = Transition(
        column(state, 0)[:, None],
        column(action, 0)[:, None],
        column(reward, 0),
        column(following, 0)[:, None],
        column(discount, 1),
    )
    return LogRows(now, column(next_action, 0)[:, None], column(continued, 1))


# A log to train on: three observations, one action, ten episodes.

TINY: dict[str, Any] = {
    "ensemble_size": 3,
    "num_elites": 2,
    "model_hidden_sizes": (16,),
    "weight_decay": (1e-5, 1e-5),
    "model_batch_size": 64,
    "patience": 2,
    "max_fit_epochs": 4,
    "epochs": 2,
    "updates_per_epoch": 20,
    "batch_size": 32,
    "hidden_sizes": (16,),
    "rollout_batch_size": 40,
    "rollout_length": 3,
    "rollouts_kept": 2,
    "checkpoint_every": 1,
}


UNSCORED: dict[str, Any] = {"scoring_model": False}


def tiny_dataset(size: float = 1.0, rows: int = 300, length: int = 30) -> Dataset:
    """A stable linear system under random actions; `size` stretches its last observation."""
    rng = np.random.default_rng(0)
    turn = np.array([[0.9, 0.2, 0.0], [-0.2, 0.9, 0.1], [0.0, 0.0, 0.8]])
    actions = rng.uniform(-1, 1, (rows, 1))
    observations, after = np.empty((rows, 3)), np.empty((rows, 3))
    for row in range(rows):
        observations[row] = rng.normal(size=3) if row % length == 0 else after[row - 1]
        after[row] = turn @ observations[row] + 0.3 * actions[row] + 0.01 * rng.normal(size=3)
    rewards = -(after**2).sum(1)
    units = np.array([1.0, 1.0, size])
    timeouts = np.arange(rows) % length == length - 1
    return Dataset(
        name="tiny",
        observations=(observations * units).astype(np.float32),
        actions=actions.astype(np.float32),
        rewards=rewards.astype(np.float32),
        next_observations=(after * units).astype(np.float32),
        terminals=np.zeros(rows, bool),
        timeouts=timeouts,
        usable=np.ones(rows, bool),
        action_low=np.full(1, -1, np.float32),
        action_high=np.full(1, 1, np.float32),
        path=Path("tiny.npz"),
        sha256=f"{size:064.0f}",
        format="made by hand",
        notes=(),
    )


def tiny_plan(size: float = 1.0, method: str = "micro", log: Dataset | None = None, **overrides: Any) -> Plan:
    """The method on the tiny log, or on another, with those of the tiny settings that it uses; no model scores it."""
    used = {name: value for name, value in (TINY | UNSCORED).items() if name in registry.accepted(method)[0]}
    return make_plan(log or tiny_dataset(size), method, **(used | overrides))


def plain_units(obs: int, act: int) -> Scaling:
    """Core units that are raw units."""
    return Scaling(jnp.zeros(obs), jnp.ones(obs), jnp.zeros(act), jnp.ones(act), jnp.ones(()))
