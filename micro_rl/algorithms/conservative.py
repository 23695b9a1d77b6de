"""What CQL (arXiv 2006.04779) and COMBO (arXiv 2102.08363) add: Q pushed down on drawn actions, up on the log's."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, Scalar

from micro_rl.algorithms.slots import Regularize
from micro_rl.core.networks import MLP, Network, q_values, sample
from micro_rl.core.types import Batch, Transition


class PushDown(Regularize):
    """weight (logsumexp of Q over drawn actions, at all states of the batch, - Q on the log's rows), over the critics.

    CQL's batches have the log's rows alone, COMBO's the model's as well.
    """

    logged: ClassVar[bool] = False
    weight: Scalar
    actions: int = eqx.field(static=True)

    def __call__(self, critics: Network, actor: MLP, batch: Batch, key: Key[Array, ""]) -> Scalar:
        rows = jax.tree.map(lambda real, model: jnp.concatenate([real, model]), batch.real, batch.model)
        return self.weight * conservative_gap(critics, actor, rows, batch.real, key, self.actions)


def conservative_gap(
    critics: Network, actor: MLP, rows: Transition, real: Transition, key: Key[Array, ""], actions: int
) -> Scalar:
    """Mean over critics of: mean over rows of log(sum of exp(Q) / density over the draws) - mean of Q on the log.

    The draws are `actions` each from uniform, pi(s) and pi(s'), all judged at s, as CQL's importance sampling has
    them (its appendix F). The sum over draws, not their mean, is what its code takes: a constant, log(3 actions), more.
    """
    size, act = rows.action.shape
    uniform_key, here_key, next_key = jax.random.split(key, 3)
    by_chance = jax.random.uniform(uniform_key, (actions, size, act), minval=-1.0, maxval=1.0)
    flat = jnp.full((actions, size), -act * jnp.log(2.0))
    here, here_density = _drawn(actor, rows.observation, here_key, actions)
    following, following_density = _drawn(actor, rows.next_observation, next_key, actions)
    drawn = jnp.concatenate([by_chance, here, following])
    density = jnp.concatenate([flat, here_density, following_density])
    q = _values(critics, rows.observation, drawn)
    above = jax.nn.logsumexp(q - density[None], axis=1)
    return jnp.mean(above) - jnp.mean(q_values(critics, real.observation, real.action))


def _drawn(
    actor: MLP, observation: Float[Array, "rows obs"], key: Key[Array, ""], actions: int
) -> tuple[Float[Array, "draw rows act"], Float[Array, "draw rows"]]:
    """Actions of the policy at each state, and their log-densities."""
    size, act = observation.shape[0], actor.biases[-1].shape[-1] // 2
    noise = jax.random.normal(key, (actions * size, act))
    action, log_prob = sample(actor, jnp.tile(observation, (actions, 1)), noise)
    return action.reshape(actions, size, act), log_prob.reshape(actions, size)


def _values(
    critics: Network, observation: Float[Array, "rows obs"], action: Float[Array, "draw rows act"]
) -> Float[Array, "critic draw rows"]:
    draws, size, act = action.shape
    q = q_values(critics, jnp.tile(observation, (draws, 1)), action.reshape(draws * size, act))
    return q.reshape(-1, draws, size)
