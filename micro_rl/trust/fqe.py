"""Fitted Q evaluation over windows (L2 form as in DOPE, arXiv 2103.16596, but undiscounted, with the steps to go).

q(s, a, h) is the mean reward of the next h steps: h q is the window's return. Its target is
(r + d (h - 1) q'(s', pi(s'), h - 1)) / h, within the log's rewards. h is an input, drawn anew for every row.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int, Key, Scalar

from micro_rl.core.networks import MLP, uniform_mlp
from micro_rl.core.optim import adam_step, init_opt_state, polyak_update
from micro_rl.core.types import Transition

HIDDEN, BATCH, RATE, TAU = (128, 128), 256, 1e-3, 0.02
FEWEST, MOST, OF_A_STEP = 4_000, 10_000, 60
"""Updates: so many for each step of the window, for what is learned spreads back by one step a target's lag."""


class Variants(NamedTuple):
    """What is evaluated: pairs of a policy, by its number, and the rows of a replica that knows part of the log."""

    policy: Int[Array, " variant"]
    rows: Int[Array, "variant row"]


def updates_for(length: int) -> int:
    """Updates for windows of so many steps."""
    return min(MOST, max(FEWEST, OF_A_STEP * length))


def q(net: MLP, observation: Array, action: Array, to_go: Array) -> Float[Array, " rows"]:
    """Mean reward of the steps to go, which are given as a share of the window."""
    return net(jnp.concatenate([observation, action, to_go[:, None]], -1), jax.nn.relu)[..., 0]


def targets(
    rows: Transition, following: Float[Array, " rows"], steps: Float[Array, " rows"], low: Scalar, high: Scalar
) -> Float[Array, " rows"]:
    """The mean reward of `steps` steps, of which the later ones pay `following` on average."""
    return jnp.clip((rows.reward + rows.discount * (steps - 1) * following) / steps, low, high)


@partial(jax.jit, static_argnames=("length", "updates"))
def evaluate(
    log: Transition,
    actions: Float[Array, "policy rows act"],
    variants: Variants,
    starts: Float[Array, "variant start obs"],
    first: Float[Array, "variant start act"],
    keys: Key[Array, " variant"],
    *,
    length: int,
    updates: int,
) -> Float[Array, "variant start"]:
    """The window's return from every start, core units, for all variants in one program.

    Args:
        log: rows in core units.
        actions: of every policy in the rows' next observations.
        variants: which policy and which rows.
        starts: first observations.
        first: what the policy does there.
        keys: for networks, batches and horizons; variants that share one differ in nothing but their policy.
        length: steps of the window.
        updates: steps of Adam.
    """
    bounds = _mean_rewards(log)

    def one(policy: Array, rows: Array, observation: Array, action: Array, key: Array) -> Array:
        net = _fitted(log, actions, (policy, rows), bounds, key, length, updates)
        return length * q(net, observation, action, jnp.ones(observation.shape[0]))

    return jax.vmap(one)(variants.policy, variants.rows, starts, first, keys)


def _mean_rewards(log: Transition) -> tuple[Scalar, Scalar]:
    """The least and the greatest mean reward of a window; where episodes end, nothing is earned afterwards."""
    least, greatest = jnp.min(log.reward), jnp.max(log.reward)
    ends = log.discount.min() < 1
    low = jnp.where(ends, jnp.minimum(least, 0.0), least)
    return low, jnp.where(ends, jnp.maximum(greatest, 0.0), greatest)


def _fitted(
    log: Transition,
    actions: Float[Array, "policy rows act"],
    variant: tuple[Array, Array],
    bounds: tuple[Scalar, Scalar],
    key: Array,
    length: int,
    updates: int,
) -> MLP:
    """The network of one variant: its policy's number and its rows."""
    policy, rows = variant
    net_key, updates_key = jax.random.split(key)
    net = uniform_mlp(net_key, (log.observation.shape[-1] + log.action.shape[-1] + 1, *HIDDEN, 1))

    def loss(net: MLP, slow: MLP, batch: Transition, then: Array, steps: Array) -> Scalar:
        following = q(slow, batch.next_observation, then, (steps - 1) / length)
        wanted = targets(batch, jax.lax.stop_gradient(following), steps, *bounds)
        return jnp.mean((q(net, batch.observation, batch.action, steps / length) - wanted) ** 2)

    def step(carry, inputs: tuple[Array, Array]):
        net, slow, moments = carry
        row_key, step_key = jax.random.split(inputs[0])
        index = rows[jax.random.randint(row_key, (BATCH,), 0, rows.shape[0])]
        steps = jax.random.randint(step_key, (BATCH,), 1, length + 1).astype(jnp.float32)
        batch = jax.tree.map(lambda column: column[index], log)
        gradient = jax.grad(loss)(net, slow, batch, actions[policy, index], steps)
        net, moments = adam_step(net, gradient, moments, RATE * inputs[1])
        return (net, polyak_update(slow, net, TAU), moments), None

    rates = 0.5 * (1 + jnp.cos(jnp.pi * jnp.arange(updates) / updates))
    carry, _ = jax.lax.scan(step, (net, net, init_opt_state(net)), (jax.random.split(updates_key, updates), rates))
    return carry[0]
