"""The Gaussian ensemble: its networks, the units they work in, and what they predict (PETS, arXiv 1805.12114)."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from micro_rl.core import windows
from micro_rl.core.networks import MLP, Network
from micro_rl.core.types import Transition

CONSTANT = 1e-6
"""A column that varies by less than this share of its own size is constant: float32 tells no more."""


class Members(eqx.Module):
    """What is learned: the stacked networks and the bounds of their log-variances, shared by the members."""

    net: Network
    max_logvar: Float[Array, " out"]
    min_logvar: Float[Array, " out"]


class Ensemble(eqx.Module):
    """Members in order of holdout error, with the units of their inputs and targets.

    `exogenous` is true for columns of which nobody is to take the model's word: as if they stayed as they are, surely.
    It is None in every model that is kept, or rolls out, and where there is no such column.
    """

    members: Members
    input_mean: Float[Array, " in"]
    input_std: Float[Array, " in"]
    target_mean: Float[Array, " out"]
    target_std: Float[Array, " out"]
    exogenous: Bool[Array, " obs"] | None = None

    @property
    def size(self) -> int:
        """How many members there are."""
        return self.members.net.weights[0].shape[0]

    def best(self, count: int) -> "Ensemble":
        """The `count` members with the smallest holdout error: the elites."""
        net = jax.tree.map(lambda leaf: leaf[:count], self.members.net)
        return eqx.tree_at(lambda e: e.members.net, self, net)

    def silent_on(self, exogenous: Bool[Array, " obs"] | None) -> "Ensemble":
        """The same without a word on columns that no action moves; where there are none, this very model."""
        if exogenous is None:
            return self
        return eqx.tree_at(lambda e: e.exogenous, self, exogenous, is_leaf=lambda leaf: leaf is None)


class Models(NamedTuple):
    """A fitted ensemble as methods see it: every member, and the best of them, the elites.

    `exogenous` is true for columns that no action moves; None where there is no such column.
    """

    members: Ensemble
    elites: Ensemble
    exogenous: Bool[Array, " obs"] | None = None

    @classmethod
    def of(cls, ensemble: Ensemble, elites: int, exogenous: Bool[Array, " obs"] | None = None) -> "Models":
        """With so many elites."""
        return cls(ensemble, ensemble.best(elites), exogenous)

    @classmethod
    def none(cls) -> "Models":
        """Stands where a learner without a model hands one to a method that never looks at it."""
        empty = jnp.zeros(0)
        ensemble = Ensemble(Members(MLP((), ()), empty, empty), empty, empty, empty, empty)
        return cls(ensemble, ensemble)


def inputs_of(rows: Transition) -> Float[Array, "*rows in"]:
    """Observation and action, side by side."""
    return jnp.concatenate([rows.observation, rows.action], axis=-1)


def targets_of(rows: Transition, newest: int | None = None) -> Float[Array, "*rows out"]:
    """Change of the observation and reward, side by side; of a window only its `newest` columns, the rest is known."""
    change = rows.next_observation[..., :newest] - rows.observation[..., :newest]
    return jnp.concatenate([change, rows.reward[..., None]], axis=-1)


def gaussians(members: Members, inputs: Array) -> tuple[Array, Array]:
    """Mean and variance, in standardised units: [member, rows, out] each.

    `inputs` are standardised: [rows, in], or [member, rows, in] where each member sees its own rows.
    PETS clamps the log-variance softly by two softplus, from above and then from below; the variance that
    comes of it is exp(min) + exp(max) sigmoid(logvar - max), which is cheaper by far.
    """
    mean, logvar = jnp.split(members.net(inputs, jax.nn.swish), 2, axis=-1)
    bounds = (1,) * (logvar.ndim - 1) + (-1,)
    highest, lowest = members.max_logvar.reshape(bounds), members.min_logvar.reshape(bounds)
    return mean, jnp.exp(lowest) + jnp.exp(highest) * jax.nn.sigmoid(logvar - highest)


def predict(
    ensemble: Ensemble,
    observation: Float[Array, "*member rows obs"],
    action: Float[Array, "*member rows act"],
) -> tuple[Float[Array, "members rows out"], Float[Array, "members rows out"]]:
    """Mean and standard deviation of (next observation, reward), per member, in core units.

    In windows the networks predict the newest observation. What is older is known: copied, with deviation 0.
    """
    inputs = standardise(jnp.concatenate([observation, action], axis=-1), ensemble.input_mean, ensemble.input_std)
    mean, variance = gaussians(ensemble.members, inputs)
    last = (1,) * (mean.ndim - 1) + (-1,)
    target_std = ensemble.target_std.reshape(last)
    mean = mean * target_std + ensemble.target_mean.reshape(last)
    newest = mean.shape[-1] - 1
    mean = mean.at[..., :-1].add((observation if observation.ndim == 3 else observation[None])[..., :newest])
    std = jnp.sqrt(variance) * target_std
    if newest != observation.shape[-1]:
        mean, std = _window_mean(mean, observation, action), _window_std(std, observation.shape[-1] - newest)
    return (mean, std) if ensemble.exogenous is None else _silenced(mean, std, observation, ensemble.exogenous)


def predicted_part(ensemble: Ensemble, outcome: Float[Array, "*rows out"]) -> Float[Array, "*rows predicted"]:
    """Of (next observation, reward) what the networks predict: all of it, or in windows the newest and the reward."""
    newest = ensemble.target_mean.shape[0] - 1
    if outcome.shape[-1] == newest + 1:
        return outcome
    return jnp.concatenate([outcome[..., :newest], outcome[..., -1:]], axis=-1)


def _window_mean(mean: Float[Array, "members rows out"], observation: Array, action: Array) -> Array:
    lead = mean.shape[:-1]
    window, action = (jnp.broadcast_to(part, (*lead, part.shape[-1])) for part in (observation, action))
    return jnp.concatenate([*windows.following(mean[..., :-1], window, action), mean[..., -1:]], axis=-1)


def _window_std(std: Float[Array, "members rows out"], known: int) -> Array:
    return jnp.concatenate([std[..., :-1], jnp.zeros((*std.shape[:-1], known)), std[..., -1:]], axis=-1)


def _silenced(mean: Array, std: Array, observation: Array, exogenous: Bool[Array, " obs"]) -> tuple[Array, Array]:
    """Mean and deviation with exogenous columns as they are now."""
    exogenous = jnp.append(exogenous, False)
    now = jnp.concatenate([observation, jnp.zeros((*observation.shape[:-1], 1))], axis=-1)
    return jnp.where(exogenous, now, mean), jnp.where(exogenous, 0.0, std)


def standardise(x: Array, mean: Array, std: Array) -> Array:
    """Columns less their means, over their deviations."""
    last = (1,) * (x.ndim - 1) + (-1,)
    return (x - mean.reshape(last)) / std.reshape(last)
