"""Ensembles of critics: which of them make the target, and what keeps them from agreeing.

A pair of target critics drawn at every update is that of REDQ (arXiv 2101.05982). The diversity of EDAC
(arXiv 2110.01548) lets fewer critics be as pessimistic as many; on the model's rows, too, it answers the edge of reach
(RAVL, arXiv 2402.12527): states in which rollouts end are bootstrapped from and never learned.
"""

from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int, Key, Scalar

from micro_rl.core.networks import Network
from micro_rl.core.settings import Settings
from micro_rl.core.types import Transition

TINY = 1e-20
"""Added to a gradient's squared length, so that one of length 0 has a direction (0) and a derivative."""
PAIR_STREAM, DIVERSITY_STREAM = (1 << 30) + 1, (1 << 30) + 2
"""Folded into an update's key; beyond the numbers that `split` uses, as `slots.METHOD_STREAM`."""
Stack = TypeVar("Stack", bound=Network)


class CriticRules(eqx.Module):
    """What a method with a model does about its critics beyond their losses; as it stands, nothing."""

    pair: bool = eqx.field(static=True, default=False)
    diversity: Scalar | None = None

    def counted(self, targets: Stack, key: Key[Array, ""]) -> Stack:
        """The target critics of which an update takes the smallest value."""
        if not self.pair:
            return targets
        numbers = jax.random.permutation(jax.random.fold_in(key, PAIR_STREAM), targets.weights[0].shape[0])
        return some_of(targets, numbers[:2])

    def penalty(self, critics: Network, rows: Transition, key: Key[Array, ""]) -> Scalar | None:
        """What keeps them apart, on the log's rows and the model's; None where nothing does."""
        if self.diversity is None:
            return None
        return diversity(self.diversity, critics, rows, jax.random.fold_in(key, DIVERSITY_STREAM))


def critic_rules(settings: Settings) -> CriticRules:
    """As the settings say; without diversity the program is the one without it."""
    eta = settings.critic_diversity
    return CriticRules(settings.target_critics == "pair", jnp.asarray(eta, jnp.float32) if eta else None)


def some_of(critics: Stack, chosen: Int[Array, " some"]) -> Stack:
    """The critics with these numbers."""
    return jax.tree.map(lambda leaf: leaf[chosen], critics)


def diversity(eta: Scalar, critics: Network, rows: Transition, key: Key[Array, ""]) -> Scalar:
    """eta / critics * alignment, over a few critics drawn anew at each update.

    Divided by their number since the critics' loss is a mean over them here, and a sum with EDAC's authors. They draw
    min(critics, actions); at least two are needed for a pair.
    """
    count = critics.weights[0].shape[0]
    few = min(count, max(2, rows.action.shape[-1]))
    some = some_of(critics, jax.random.permutation(key, count)[:few])
    return eta / count * alignment(directions(some, rows.observation, rows.action))


def directions(
    critics: Network, observation: Float[Array, "rows obs"], action: Float[Array, "rows act"]
) -> Float[Array, "critic rows act"]:
    """Every critic's gradient of Q by the action, of length 1."""
    count = critics.weights[0].shape[0]
    observations, actions = (jnp.broadcast_to(part[None], (count, *part.shape)) for part in (observation, action))

    def total(action: Float[Array, "critic rows act"]) -> Scalar:
        return jnp.sum(critics(jnp.concatenate([observations, action], axis=-1), jax.nn.relu))

    gradient = jax.grad(total)(actions)
    return gradient / jnp.sqrt(jnp.sum(gradient**2, axis=-1, keepdims=True) + TINY)


def alignment(directions: Float[Array, "critic rows act"]) -> Scalar:
    """Mean over rows of the sum over ordered pairs i != j of <g_i, g_j>, over critics - 1; 0 for a single one."""
    together = jnp.sum(jnp.sum(directions, axis=0) ** 2, axis=-1) - jnp.sum(directions**2, axis=(0, 2))
    return jnp.mean(together) / max(directions.shape[0] - 1, 1)
