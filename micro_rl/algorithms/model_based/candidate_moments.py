"""The values of candidate next states in closed form: mean and variance of what `candidates` draws. Ours.

A member's candidate is s ~ N(m_i, S_i), its action a = tanh(mu(s) + std(s) e) with e ~ N(0, 1). Around a Gaussian
N(c, S) of states, V(s, e) = min_k Q'_k(s, a) is taken for its best linear approximation (Stein's lemma)

    V(s, e) = v + g . (s - c) + h . e,    v = E[V],  g = E[dV / ds],  h = E[dV / de],

all three by the moments of `micro_rl.core.moments` (MOMBO, arXiv 2406.04088), s and a taken for independent where they
enter the critics, k the critic whose mean is the smallest. The mean v_i of M draws of member i is then

    v_i ~ N(v + g . (m_i - c),  (g^2 . S_i + h^2) / M).

Either every member has a line of its own, c = m_i and S = S_i, or all share that around c = mean_i m_i with
S = mean_i S_i. Where V bends over that range, values by a line are off, and their variance is too small.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from micro_rl.algorithms.model_based.candidates import gaussian_candidates
from micro_rl.algorithms.slots import MethodContext
from micro_rl.core.constants import LOG_STD_MAX, LOG_STD_MIN
from micro_rl.core.moments import Moments, expected_slope, squashed, through
from micro_rl.core.networks import MLP
from micro_rl.core.sizes import ModelSizes
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.errors import UserError


def refuse_normalised(sizes: ModelSizes) -> None:
    """Raise `UserError` for critics that no closed form is known for."""
    if sizes.critic_norm:
        raise UserError("critic_norm: values moments and linear need critics without layer norm; leave one of them out")


class Line(NamedTuple):
    """v + g . (s - c) + h . e."""

    value: Float[Array, " rows"]
    of_state: Float[Array, "rows obs"]
    of_noise: Float[Array, "rows act"]


def line_around(context: MethodContext, states: Moments) -> Line:
    """The linear function that the smallest target critic's value is on average around these states [rows, obs].

    The variance of log std(s) is left out: the actor's deviation is that of its mean log std.
    """
    assert isinstance(context.targets, MLP), "refused with the plan"
    passage = through(context.actor, states)
    centre, log_std = jnp.split(passage.outputs.mean, 2, axis=-1)
    std = jnp.exp(jnp.clip(log_std, LOG_STD_MIN, LOG_STD_MAX))
    moved = jnp.split(passage.outputs.variance, 2, axis=-1)[0]
    action = squashed(Moments(centre, moved + std**2))
    both = zip(states, action, strict=True)
    at_critics = through(context.targets, Moments(*(jnp.concatenate(parts, axis=-1) for parts in both)))
    q = at_critics.outputs.mean
    smallest = (jnp.argmin(q, axis=0, keepdims=True) == jnp.arange(q.shape[0])[:, None, None]).astype(q.dtype)
    slope = jnp.sum(expected_slope(context.targets, at_critics, smallest), axis=0)
    of_state, of_action = jnp.split(slope, [states.mean.shape[-1]], axis=-1)
    of_centre = of_action * (1 - action.mean**2 - action.variance)  # E[d tanh(u) / du] = 1 - E[tanh(u)^2]
    by_action = expected_slope(context.actor, passage, jnp.concatenate([of_centre, jnp.zeros_like(log_std)], axis=-1))
    return Line(jnp.min(q, axis=0)[..., 0], of_state + by_action, of_centre * std)


def candidate_moments(context: MethodContext, members: Ensemble, rows: Transition, draws: int, shared: bool) -> Moments:
    """Mean and variance of v_i, the mean of `draws` values of a member's candidates; over members independent.

    Args:
        context: The actor and the target critics are used.
        members: Whose predictions are the candidates.
        rows: Model rows; their observations and actions are used, and their next observations where exogenous.
        draws: M, 1 or more.
        shared: One line for all members of a row, in place of one for each.

    Returns:
        Of v_i [member, rows], in core units.
    """
    mean, std = gaussian_candidates(context, members, rows)
    centre, spread = (jnp.mean(part, axis=0, keepdims=True) if shared else part for part in (mean, std**2))
    flat = Moments(centre.reshape(-1, mean.shape[-1]), spread.reshape(-1, mean.shape[-1]))
    line = line_around(context, flat)
    value, of_state, of_noise = (part.reshape(*centre.shape[:2], *part.shape[1:]) for part in line)
    variance = jnp.sum(of_state**2 * std**2, axis=-1) + jnp.sum(of_noise**2, axis=-1)
    return Moments(value + jnp.sum(of_state * (mean - centre), axis=-1), variance / draws)
