"""EDAC (arXiv 2110.01548): SAC-N whose critics are kept from agreeing on which way an action should change."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, Scalar

from micro_rl.algorithms.model_free.base import CRITICS, TEMPERATURE, TRAINING
from micro_rl.algorithms.model_free.sac_n import SacOnLog
from micro_rl.algorithms.slots import Regularize
from micro_rl.core.networks import MLP
from micro_rl.core.setting import Setting, check_values
from micro_rl.core.types import Batch

SUMMARY = "SAC-N whose critics' gradients by the action are kept apart, so that fewer critics do"
PAPER = "arXiv 2110.01548"
USES = TRAINING | CRITICS | TEMPERATURE
DEFAULTS: dict[str, Any] = {"num_critics": 10, "hidden_sizes": (256, 256, 256)}

TINY = 1e-20
"""Added to a gradient's squared length, so that one of length 0 has a direction (0) and a derivative."""


@dataclass(frozen=True)
class Options:
    """EDAC's own settings."""

    eta: Annotated[float, Setting(minimum=0, source="OfflineRL-Kit: 1 or 5 by task")] = 1.0
    """How strongly the critics' gradients are kept apart (the authors' eta); 0 is SAC-N."""


class Diversity(Regularize):
    """weight / critics * alignment, over a few critics drawn anew at each update.

    Divided by their number since the critics' loss is a mean over them here, and a sum with the authors. They draw
    min(critics, actions); at least two are needed for a pair.
    """

    logged: ClassVar[bool] = False
    weight: Scalar

    def __call__(self, critics: MLP, actor: MLP, batch: Batch, key: Key[Array, ""]) -> Scalar:
        count, rows = critics.weights[0].shape[0], batch.real
        few = min(count, max(2, rows.action.shape[-1]))
        chosen = jax.random.permutation(key, count)[:few]
        some = jax.tree.map(lambda leaf: leaf[chosen], critics)
        return self.weight / count * alignment(directions(some, rows.observation, rows.action))


def directions(
    critics: MLP, observation: Float[Array, "rows obs"], action: Float[Array, "rows act"]
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


def build(options: Options) -> SacOnLog:
    """The method with this coefficient."""
    check_values(options)
    return SacOnLog(regularize=Diversity(jnp.asarray(options.eta, jnp.float32)))
