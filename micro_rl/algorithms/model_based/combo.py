"""COMBO (arXiv 2102.08363): the critics are pushed down on actions of the policy, up on the log's rows."""

from dataclasses import dataclass
from typing import Annotated

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Key, Scalar

from micro_rl.algorithms.model_based.conservative import conservative_gap
from micro_rl.algorithms.slots import Method, Regularize
from micro_rl.core.networks import MLP
from micro_rl.core.setting import Setting, check_values
from micro_rl.core.types import Batch

SUMMARY = "critics pushed down on the policy's actions and up on the log's, on log and model rows"
PAPER = "arXiv 2102.08363"


@dataclass(frozen=True)
class Options:
    """COMBO's own settings."""

    cql_weight: Annotated[float, Setting(minimum=0, source="OfflineRL-Kit: 0.5 or 5 by task")] = 0.5
    """How strongly the critics are pushed; 0 is SAC on the model."""
    drawn_actions: Annotated[int, Setting(minimum=1, source="OfflineRL-Kit")] = 10
    """Actions drawn at each state from each of three sources: uniform, pi(s), pi(s')."""


class PushDown(Regularize):
    """weight (logsumexp of Q over drawn actions, at log and model states, - Q on the log's rows), over the critics."""

    weight: Scalar
    actions: int = eqx.field(static=True)

    def __call__(self, critics: MLP, actor: MLP, batch: Batch, key: Key[Array, ""]) -> Scalar:
        rows = jax.tree.map(lambda real, model: jnp.concatenate([real, model]), batch.real, batch.model)
        return self.weight * conservative_gap(critics, actor, rows, batch.real, key, self.actions)


def build(options: Options) -> Method:
    """The method with these coefficients."""
    check_values(options)
    return Method(regularize=PushDown(jnp.asarray(options.cql_weight, jnp.float32), options.drawn_actions))
