"""Policies as the judge's rollouts ask them: in its units, over its windows; and clones of what made the log."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int, Key

from micro_rl.algorithms.model_free.bc import start, update
from micro_rl.core.networks import MLP, mode
from micro_rl.core.numpy_network import FURTHEST
from micro_rl.core.types import Scaling, Transition
from micro_rl.core.wording import plural
from micro_rl.errors import UserError
from micro_rl.policy import Policy

CLONE_SIZES, CLONE_BATCH, CLONE_RATE = (128, 128), 256, 1e-3


class Judged(NamedTuple):
    """An actor in the judge's core units: `scale * tanh(mean) + shift`, plus noise of so much deviation, in [-1, 1]."""

    net: MLP
    scale: Float[Array, " act"]
    shift: Float[Array, " act"]
    noise: Float[Array, " act"]

    def act(self, observation: Float[Array, "rows obs"], noise: Float[Array, "rows act"]) -> Float[Array, "rows act"]:
        """What it does where; `noise` is standard normal."""
        return jnp.clip(
            self.scale[None] * mode(self.net, observation) + self.shift[None] + self.noise[None] * noise, -1, 1
        )


class Parted(NamedTuple):
    """Actors of parts of the log, each of which acts in rows of its own part: [part, ...], and the part of each row."""

    actors: Judged
    part: Int[Array, " rows"]

    def act(self, observation: Float[Array, "rows obs"], noise: Float[Array, "rows act"]) -> Float[Array, "rows act"]:
        """What the part's actor does where; `noise` is standard normal."""
        every = jax.lax.map(lambda actor: actor.act(observation, noise), self.actors)
        return every[self.part, jnp.arange(self.part.shape[0])]


class Behaviour(NamedTuple):
    """What made the log, as clones of its parts: in the rows that are learned from, and where windows begin.

    A log may be the work of many policies. A clone of all of it does the mean of what they did, and collects less.
    What it does hangs on the part of the log, which FQE takes for chance.
    """

    rows: Parted
    starts: Parted


Actor = Judged | Behaviour
compiled_act = jax.jit(lambda actor, observation, noise: actor.act(observation, noise))


def pick(stacked: Judged, number: int) -> Judged:
    """One of several stacked actors."""
    return jax.tree.map(lambda leaf: leaf[number], stacked)


def plain(actor: MLP, act: int) -> Judged:
    """An actor in training, whose units are the judge's; it acts by its mode."""
    return Judged(actor, jnp.ones(act), jnp.zeros(act), jnp.zeros(act))


def judged(policy: Policy, scaling: Scaling, history: int, name: str = "the policy") -> Judged:
    """A policy's network with the change of units folded into its first layer; it acts by its mode.

    Args:
        policy: whose history may be shorter than the judge's.
        scaling: the judge's units, of windows.
        history: the judge's.
        name: what messages call the policy.

    Raises:
        UserError: the policy has other columns than the log.
    """
    act, obs = len(scaling.action_mid), (len(scaling.observation_mean) + len(scaling.action_mid)) // history
    obs -= act
    if (policy.observation_size, policy.action_size) != (obs, act):
        raise UserError(
            f"{name}: has {plural(policy.observation_size, 'observation')} and {plural(policy.action_size, 'action')}, "
            f"the log {obs} and "
            f"{act}; judge it on the log it was trained on, or on one with the same columns"
        )
    places = _places(obs, act, history, policy.history)
    mean, std = (np.asarray(part, np.float64)[places] for part in scaling[:2])
    weight, bias = (np.asarray(part, np.float64) for part in policy.layers[0])
    first = (std / policy.observation_std)[:, None] * weight
    bias = bias + np.clip((mean - policy.observation_mean) / policy.observation_std, -FURTHEST, FURTHEST) @ weight
    whole = np.zeros((len(scaling.observation_mean), weight.shape[1]))
    whole[places] = first
    layers = [(whole, bias), *policy.layers[1:]]
    weights, biases = (tuple(jnp.asarray(part, jnp.float32) for part in parts) for parts in zip(*layers, strict=True))
    net = MLP(weights, biases)
    mid, half = (np.asarray(part, np.float64) for part in scaling[2:4])
    scale, shift = policy.action_half / half, (policy.action_mid - mid) / half
    return Judged(net, jnp.asarray(scale, jnp.float32), jnp.asarray(shift, jnp.float32), jnp.zeros(act))


def _places(obs: int, act: int, history: int, shorter: int) -> Int[np.ndarray, " column"]:
    """Where a window of a shorter history stands in a longer one: its observations, then its actions."""
    if shorter > history:
        raise UserError(
            f"a policy with history {shorter} cannot be judged with history {history}: take --history {shorter}"
        )
    return np.concatenate([np.arange(shorter * obs), history * obs + np.arange((shorter - 1) * act)])


def clones(log: Transition, rows: Int[np.ndarray, "group row"], key: Key[Array, ""], updates: int) -> Judged:
    """Actors that imitate groups of the log's rows, all in one program, with the deviation of what they leave over.

    Args:
        log: core units.
        rows: of every group, as many of each; repeats are welcome.
        key: for the networks and the batches.
        updates: of each.

    Returns:
        The actors, stacked [group, ...].
    """
    keys = jax.random.split(key, len(rows))
    nets, left = _compiled_clones(jax.tree.map(jnp.asarray, log), jnp.asarray(rows), keys, updates=updates)
    ones = jnp.ones((len(rows), log.action.shape[-1]))
    return Judged(nets, ones, 0 * ones, left)


@partial(jax.jit, static_argnames="updates")
def _compiled_clones(
    log: Transition, rows: Int[Array, "group row"], keys: Key[Array, " group"], *, updates: int
) -> tuple[MLP, Float[Array, "group act"]]:
    def clone(rows: Int[Array, " row"], key: Array) -> tuple[MLP, Array]:
        start_key, updates_key = jax.random.split(key)

        def step(cloner, step: tuple[Array, Array]):
            batch = rows[jax.random.randint(step[0], (CLONE_BATCH,), 0, len(rows))]
            return update(cloner, jax.tree.map(lambda column: column[batch], log), CLONE_RATE * step[1])

        rates = 0.5 * (1 + jnp.cos(jnp.pi * jnp.arange(updates) / updates))
        first = start(start_key, log.observation.shape[-1], log.action.shape[-1], CLONE_SIZES)
        last, _ = jax.lax.scan(step, first, (jax.random.split(updates_key, updates), rates))
        some = rows[jnp.linspace(0, len(rows) - 1, 4096).astype(int)]
        left = mode(last.actor, log.observation[some]) - log.action[some]
        return last.actor, jnp.sqrt(jnp.mean(left**2, axis=0))

    return jax.vmap(clone)(rows, keys)
