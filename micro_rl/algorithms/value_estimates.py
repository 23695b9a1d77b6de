"""What the critics themselves think a policy is worth; an estimate, never a score."""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Scalar

from micro_rl.core.networks import MLP, Network, mode, q_values
from micro_rl.core.types import Scaling


@jax.jit
def critic_estimate(actor: MLP, critics: Network, scaling: Scaling, observation: Float[Array, "rows obs"]) -> Scalar:
    """Mean of min_k Q_k(s, mode of pi(s)) over these states, in raw units of discounted return."""
    action = mode(actor, observation)
    return jnp.asarray(scaling.reward_scale) * jnp.mean(jnp.min(q_values(critics, observation, action), axis=0))
