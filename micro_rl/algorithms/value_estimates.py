"""What the critics and the model themselves think a policy is worth; estimates, never scores."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, Scalar

from micro_rl.algorithms.rollout import TERMINATION_STREAM, sample_ensemble
from micro_rl.core.networks import MLP, Network, mode, q_values
from micro_rl.core.types import Scaling
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.termination_rules import Termination


@jax.jit
def critic_estimate(actor: MLP, critics: Network, scaling: Scaling, observation: Float[Array, "rows obs"]) -> Scalar:
    """Mean of min_k Q_k(s, mode of pi(s)) over these states, in raw units of discounted return."""
    action = mode(actor, observation)
    return jnp.asarray(scaling.reward_scale) * jnp.mean(jnp.min(q_values(critics, observation, action), axis=0))


@partial(jax.jit, static_argnames="horizon")
def model_estimate(
    actor: MLP,
    elites: Ensemble,
    scaling: Scaling,
    observation: Float[Array, "rows obs"],
    key: Key[Array, ""],
    *,
    ends: Termination,
    horizon: int,
) -> Scalar:
    """Mean undiscounted return, in raw units, of the policy's mode run for `horizon` steps in the model.

    Every step's rows are dealt to the elites anew; an episode stops counting where `ends` says so.
    """

    def step(carry: tuple[Array, Array], step_key: Array) -> tuple[tuple[Array, Array], Array]:
        order_key, state_key = jax.random.split(step_key)
        order = jax.random.permutation(order_key, observation.shape[0])
        state, alive = (column[order] for column in carry)
        outcome = sample_ensemble(elites, state, mode(actor, state), state_key)
        following = outcome[:, :-1]
        stays = alive & ~ends(following, scaling, jax.random.fold_in(step_key, TERMINATION_STREAM))
        return (following, stays), jnp.mean(jnp.where(alive, outcome[:, -1], 0.0))

    alive = jnp.ones(observation.shape[0], bool)
    _, rewards = jax.lax.scan(step, (observation, alive), jax.random.split(key, horizon))
    return jnp.asarray(scaling.reward_scale) * jnp.sum(rewards)
