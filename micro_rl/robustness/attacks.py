"""Attacks on what a policy observes: the observation within a box around the true one that does most harm.

Everything here is in core units and pure. The box is z in [-1, 1] for each dimension; `width` [obs] is what z = 1
means.
The protocols: RORL (arXiv 2206.02829), MICRO (arXiv 2312.03991), both after SA-RL (arXiv 2003.08938).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import Float, Key, Scalar

from micro_rl.core.networks import MLP, Network, gaussian, mode, q_values

Draws = Float[Array, "draw obs"]
Harm = Callable[[Draws], Float[Array, " draw"]]
"""Observations [draw, obs] that the policy could be shown, to what is to be made large."""

DRAWS, STARTS, STEPS, RATE = 50, 20, 10, 0.1
"""Draws of the zero-order form; starts of the mixed one; Adam's steps and its rate, a fraction of the box."""


class Critics(NamedTuple):
    """One run's critics as an attacker asks them, with the map from the attacked policy's core units to their own.

    Their input is `observation * obs_scale + obs_shift` and `action * act_scale + act_shift`.
    """

    net: Network
    obs_scale: Float[Array, " obs"]
    obs_shift: Float[Array, " obs"]
    act_scale: Float[Array, " act"]
    act_shift: Float[Array, " act"]

    def lowest(self, observation: Float[Array, "rows obs"], action: Float[Array, "rows act"]) -> Float[Array, " rows"]:
        """min_k Q_k(s, a), in the critics' own units."""
        own_observation = observation * self.obs_scale[None] + self.obs_shift[None]
        own_action = action * self.act_scale[None] + self.act_shift[None]
        return jnp.min(q_values(self.net, own_observation, own_action), axis=0)


def action_difference(actor: MLP, observation: Float[Array, " obs"]) -> Harm:
    """KL(p || q) + KL(q || p) of the Gaussians before tanh at the true observation, p, and at the one shown, q."""
    mean, log_std = gaussian(actor, observation[None])

    def harm(shown: Draws) -> Float[Array, " draw"]:
        other_mean, other_log_std = gaussian(actor, shown)
        gap, ratio = (other_mean - mean) ** 2, jnp.exp(2 * (other_log_std - log_std))
        there = 0.5 * (ratio + gap * jnp.exp(-2 * log_std) - 1) - (other_log_std - log_std)
        back = 0.5 * (1 / ratio + gap * jnp.exp(-2 * other_log_std) - 1) + (other_log_std - log_std)
        return jnp.sum(there + back, axis=-1)

    return harm


def least_value(actor: MLP, critics: tuple[Critics, ...], observation: Float[Array, " obs"]) -> Harm:
    """-min_k Q_k(s, mode pi(shown)): what the true state is worth under the action that the policy is led to.

    Of several runs' critics, the mean of their minima.
    """

    def harm(shown: Draws) -> Float[Array, " draw"]:
        action = mode(actor, shown)
        true = jnp.broadcast_to(observation[None], shown.shape)
        return -jnp.mean(jnp.stack([pair.lowest(true, action) for pair in critics]), axis=0)

    return harm


def shown_at(observation: Float[Array, " obs"], width: Float[Array, " obs"], z: Draws) -> Draws:
    """What the policy sees instead of the observation."""
    return observation[None] + width[None] * z


def worst_of(
    harm: Harm, observation: Float[Array, " obs"], width: Float[Array, " obs"], z: Draws
) -> Float[Array, " obs"]:
    """The z among these that does most harm; the first of equals."""
    return z[jnp.argmax(harm(shown_at(observation, width, z)))]


def ascended(harm: Harm, observation: Float[Array, " obs"], width: Float[Array, " obs"], start: Draws) -> Draws:
    """From each start the z of most harm on `STEPS` projected Adam steps, the start among them."""
    adam = optax.adam(RATE)

    def value(z: Draws) -> tuple[Scalar, Float[Array, " draw"]]:
        harms = harm(shown_at(observation, width, z))
        return -jnp.sum(harms), harms

    def step(carry: tuple, _: None) -> tuple[tuple, None]:
        z, state, best, most = carry
        gradient, harms = jax.grad(value, has_aux=True)(z)
        best, most = _better(best, most, z, harms)
        change, state = adam.update(gradient, state)
        return (jnp.clip(z + change, -1, 1), state, best, most), None

    first = (start, adam.init(start), start, jnp.full(start.shape[0], -jnp.inf))
    (last, _, best, most), _ = jax.lax.scan(step, first, length=STEPS)
    return _better(best, most, last, harm(shown_at(observation, width, last)))[0]


def _better(
    best: Draws, most: Float[Array, " draw"], z: Draws, harms: Float[Array, " draw"]
) -> tuple[Draws, Float[Array, " draw"]]:
    """Each draw's more harmful one."""
    return jnp.where((harms > most)[:, None], z, best), jnp.maximum(most, harms)


def uniform(key: Key[Array, ""], draws: int, size: int) -> Draws:
    """Draws from the box."""
    return jax.random.uniform(key, (draws, size), minval=-1.0, maxval=1.0)


def random(key: Key[Array, ""], harm: Harm, observation: Float[Array, " obs"], width: Float[Array, " obs"]) -> Array:
    """One draw."""
    return uniform(key, 1, observation.shape[0])[0]


def zero_order(
    key: Key[Array, ""], harm: Harm, observation: Float[Array, " obs"], width: Float[Array, " obs"]
) -> Array:
    """The worst of `DRAWS` draws and of no perturbation, which stands last as in the released code."""
    draws = uniform(key, DRAWS, observation.shape[0])
    return worst_of(harm, observation, width, jnp.concatenate([draws, jnp.zeros_like(draws[:1])]))


def gradient(key: Key[Array, ""], harm: Harm, observation: Float[Array, " obs"], width: Float[Array, " obs"]) -> Array:
    """Ascent from one draw."""
    start = uniform(key, 1, observation.shape[0])
    return ascended(harm, observation, width, start)[0]


def mixed(key: Key[Array, ""], harm: Harm, observation: Float[Array, " obs"], width: Float[Array, " obs"]) -> Array:
    """Ascent from each of `STARTS` draws, and the worst that any found."""
    start = uniform(key, STARTS, observation.shape[0])
    return worst_of(harm, observation, width, ascended(harm, observation, width, start))


SEARCHES = {"zero-order": zero_order, "gradient": gradient, "mixed": mixed}
