"""Candidate next states of a model row, drawn from several members, and their values (MICRO, arXiv 2312.03991).

MOBILE (Sun et al., ICML 2023) measures its inconsistency on the same values.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key

from micro_rl.algorithms.slots import MethodContext
from micro_rl.core.networks import q_values, sample
from micro_rl.core.random import normal
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Ensemble, predict


class CandidateNoise(eqx.Module):
    """Standard normal draws behind every candidate next state and its action."""

    state: Float[Array, "draw member rows obs"]
    action: Float[Array, "draw member rows act"]


def candidate_noise(key: Key[Array, ""], rows: Transition, members: int, draws: int) -> CandidateNoise:
    """Draws for every member and row; `draws = 0` keeps the members' means and draws one action."""
    state_key, action_key = jax.random.split(key)
    lead = (max(draws, 1), members)
    state = normal(state_key, (*lead, *rows.observation.shape))
    action = normal(action_key, (*lead, *rows.action.shape))
    return CandidateNoise(state if draws else jnp.zeros_like(state), action)


def gaussian_candidates(
    context: MethodContext, members: Ensemble, rows: Transition
) -> tuple[Float[Array, "member rows obs"], Float[Array, "member rows obs"]]:
    """Mean and deviation of each member's candidates for these rows, in core units: anew, or as stored with them."""
    if context.predictions is None:
        mean, std = (part[..., :-1] for part in predict(members, rows.observation, rows.action))
    else:
        mean, std = (part.swapaxes(0, 1) for part in context.predictions)
    if context.models.exogenous is not None:
        # What no action moves is no reason to fear an action: in it all candidates are what the row has.
        mean = jnp.where(context.models.exogenous, rows.next_observation[None], mean)
        std = jnp.where(context.models.exogenous, 0.0, std)
    return mean, std


def candidate_values(
    context: MethodContext, members: Ensemble, rows: Transition, noise: CandidateNoise
) -> Float[Array, "member rows"]:
    """v_i = mean over draws m of min_k Q'_k(s_im, a_im), with s_im ~ T_i(.|s, a) and a_im ~ pi(.|s_im).

    Args:
        context: The actor and the target critics are used.
        members: Whose predictions are the candidates.
        rows: Model rows; their observations and actions are used, and their next observations where exogenous.
        noise: As `candidate_noise` drew it.

    Returns:
        The value of each member's candidate [member, rows], in core units.
    """
    mean, std = gaussian_candidates(context, members, rows)

    def one_draw(draw: CandidateNoise) -> Float[Array, "member rows"]:
        states = (mean + std * draw.state).reshape(-1, mean.shape[-1])
        actions, _ = sample(context.actor, states, draw.action.reshape(states.shape[0], -1))
        return jnp.min(q_values(context.targets, states, actions), axis=0).reshape(mean.shape[:-1])

    return jnp.mean(jax.lax.map(one_draw, noise), axis=0)
