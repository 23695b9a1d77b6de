"""Branched rollouts (MBPO, arXiv 1906.08253): from states of the log, a few steps into the model."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Key, PyTree

from micro_rl.algorithms.slots import RolloutTransform
from micro_rl.core.networks import MLP, sample
from micro_rl.core.random import orders
from micro_rl.core.types import Rollout, Scaling, Transition
from micro_rl.dynamics.ensemble import Ensemble, predict
from micro_rl.dynamics.termination_rules import Termination

TERMINATION_STREAM = 1 << 29
"""Folded into a block's key; as `METHOD_STREAM`, beyond the numbers that `split` uses."""
BLOCK = 4096
"""About as many rows take a step together: activations of more fall out of the cache, fewer starve a second core."""

Branches = tuple[Float[Array, "rows obs"], Bool[Array, " rows"]]
"""Where rollouts have got to, and whether their episodes still last."""


def rollout(
    ensemble: Ensemble,
    elites: int,
    actor: MLP,
    transform: RolloutTransform,
    method_state: PyTree,
    ends: Termination,
    scaling: Scaling,
    starts: Float[Array, "rows obs"],
    length: int,
    key: Key[Array, ""],
) -> Rollout:
    """Roll out `length` steps from every start; a row's later steps are invalid once its episode has ended.

    What `ends` draws comes from a stream of its own: whether it draws changes nothing else.

    Args:
        ensemble: The model.
        elites: How many of its best members take part.
        actor: The policy.
        transform: The method's change of rewards and discounts.
        method_state: What the method remembers.
        ends: When episodes end.
        scaling: The units, for rules that look at raw observations.
        starts: Observations in core units [rows, obs].
        length: Steps.
        key: For every draw.

    Returns:
        Rows and whether they are valid, step after step [length * rows], each step in an order of its own.
    """
    best = ensemble.best(elites)

    def advance(branches: Branches, key: Array) -> Rollout:
        observation, alive = branches
        rows = step_in_model(best, actor, ends, scaling, observation, key)
        return Rollout(transform(ensemble, method_state, rows), alive)

    def step(branches: Branches, key: Array) -> tuple[Branches, Rollout]:
        made = in_blocks(advance, branches, elites, key)
        return (made.rows.next_observation, made.valid & (made.rows.discount > 0)), made

    alive = jnp.ones(starts.shape[0], bool)
    _, steps = jax.lax.scan(step, (starts, alive), jax.random.split(key, length))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), steps)


def step_in_model(
    elites: Ensemble,
    actor: MLP,
    ends: Termination,
    scaling: Scaling,
    observation: Float[Array, "rows obs"],
    key: Key[Array, ""],
) -> Transition:
    """An action of the policy at each observation, and what the model makes of it; rows come in random order."""
    action_key, state_key = jax.random.split(key)
    noise = jax.random.normal(action_key, (observation.shape[0], actor.biases[-1].shape[-1] // 2))
    action, _ = sample(actor, observation, noise)
    outcome = sample_ensemble(elites, observation, action, state_key)
    following = outcome[..., :-1]
    ended = ends(following, scaling, jax.random.fold_in(key, TERMINATION_STREAM))
    return Transition(observation, action, outcome[..., -1], following, 1.0 - ended)


def in_blocks(
    advance: Callable[[Branches, Array], Rollout], branches: Branches, elites: int, key: Key[Array, ""]
) -> Rollout:
    """The rows in a new random order, advanced block after block; a block's rows are a multiple of the elites.

    Where the blocks do not divide the rows, the first rows fill up the last block and what comes of them there is
    dropped.
    """
    rows = branches[0].shape[0]
    blocks = -(-rows // BLOCK)
    size = elites * -(-rows // (elites * blocks))
    order_key, advance_key = jax.random.split(key)
    order = orders(order_key, (rows,))
    taken = order[jnp.arange(blocks * size) % rows].reshape(blocks, size)

    def one(block: tuple[Array, Array]) -> Rollout:
        rows, key = block
        return advance(jax.tree.map(lambda column: column[rows], branches), key)

    made = jax.lax.map(one, (taken, jax.random.split(advance_key, blocks)))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:rows], made)


def sample_ensemble(
    elites: Ensemble,
    observation: Float[Array, "rows obs"],
    action: Float[Array, "rows act"],
    key: Key[Array, ""],
) -> Float[Array, "rows out"]:
    """Sample next observation and reward from the ensemble.

    The elites take the rows in turn, so that their shares differ by one at most.
    Rows must come in random order: then each row's elite is uniform. Where the elites do not divide the rows,
    the first rows fill up the last turn and what comes of them there is dropped.
    """
    rows = observation.shape[0]
    turns = -(-rows // elites.size)
    taken = (jnp.arange(turns * elites.size) % rows).reshape(turns, elites.size).T
    mean, std = predict(elites, observation[taken], action[taken])
    outcome = mean + std * jax.random.normal(key, mean.shape)
    return outcome.swapaxes(0, 1).reshape(-1, outcome.shape[-1])[:rows]
