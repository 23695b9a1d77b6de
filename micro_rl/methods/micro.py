"""MICRO (arXiv 2312.03991): on model rows, the Bellman target under the worst of the elites' next states."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, Scalar

from micro_rl.errors import UserError
from micro_rl.method import Method, Setting, Target, bellman
from micro_rl.model import Models, predict
from micro_rl.nets import q_values, sample
from micro_rl.types import Transition


@dataclass(frozen=True)
class Options:
    """MICRO's own settings."""

    beta: float = 0.5
    """Conservatism: 0 is SAC on the model, 1 the robust operator over the elites' predictions."""
    draws: int = 1
    """Next states drawn from each elite: 10 as the authors run it, 1 as the paper writes it, 0 = its mean."""


class CandidateNoise(eqx.Module):
    """Standard normal draws behind every candidate next state and its action."""

    state: Float[Array, "draw elite rows obs"]
    action: Float[Array, "draw elite rows act"]


def candidate_values(setting: Setting, rows: Transition, noise: CandidateNoise) -> Float[Array, "elite rows"]:
    """v_i = mean over draws m of min_k Q_k(s_im, a_im), with s_im ~ T_i(.|s, a) and a_im ~ pi(.|s_im)."""
    mean, std = predict(setting.models.elites, rows.observation, rows.action)
    mean, std = mean[..., :-1], std[..., :-1]

    def one_draw(draw: CandidateNoise) -> Float[Array, "elite rows"]:
        states = (mean + std * draw.state).reshape(-1, mean.shape[-1])
        actions, _ = sample(setting.actor, states, draw.action.reshape(states.shape[0], -1))
        return jnp.min(q_values(setting.targets, states, actions), axis=0).reshape(mean.shape[:-1])

    return jnp.mean(jax.lax.map(one_draw, noise), axis=0)


def conservative_term(values: Float[Array, "elite rows"]) -> Float[Array, " rows"]:
    """f(s, a) = mean_i v_i - min_i v_i: how much worse the worst elite is than their average."""
    return jnp.mean(values, axis=0) - jnp.min(values, axis=0)


class ConservativeTarget(Target):
    """y = r + gamma d (V(s') - beta f(s, a))."""

    beta: Scalar
    draws: int = eqx.field(static=True)

    def noise(self, key: Key[Array, ""], rows: Transition, models: Models) -> CandidateNoise:
        """Draws for every elite and row; `draws = 0` keeps the members' means and draws one action."""
        state_key, action_key = jax.random.split(key)
        lead = (max(self.draws, 1), models.elites.size)
        state = jax.random.normal(state_key, (*lead, *rows.observation.shape))
        action = jax.random.normal(action_key, (*lead, *rows.action.shape))
        return CandidateNoise(state if self.draws else jnp.zeros_like(state), action)

    def __call__(
        self, rows: Transition, next_value: Float[Array, " rows"], setting: Setting, noise: CandidateNoise
    ) -> tuple[Float[Array, " rows"], dict[str, Array]]:
        f = conservative_term(candidate_values(setting, rows, noise))
        y = bellman(rows, next_value - self.beta * f, setting.discount)
        return y, {"conservative_term": jnp.mean(f)}


def build(options: Options) -> Method:
    """The method with these coefficients; beta outside [0, 1] is no contraction and is refused."""
    if not 0 <= options.beta <= 1:
        raise UserError(f"beta: {options.beta} is outside [0, 1]")
    if options.draws < 0:
        raise UserError(f"draws: {options.draws} is negative; 0 means the members' means")
    return Method(target=ConservativeTarget(beta=jnp.asarray(options.beta), draws=options.draws))
