"""MOPO (arXiv 2005.13239): the reward of model rows less the largest deviation any member predicts."""

from dataclasses import dataclass
from typing import Annotated

import jax.numpy as jnp
from jaxtyping import PyTree, Scalar

from micro_rl.algorithms.slots import Method, RolloutTransform
from micro_rl.core.setting import Setting, check_values
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Ensemble, predict

SUMMARY = "the reward of model rows less the largest predicted standard deviation"
PAPER = "arXiv 2005.13239"


@dataclass(frozen=True)
class Options:
    """MOPO's own settings."""

    penalty: Annotated[
        float,
        Setting(
            minimum=0, source="ours: rewards are divided by their root mean square (OfflineRL-Kit: 0.5 to 5 by task)"
        ),
    ] = 1.0
    """lambda: reward paid per unit of deviation, both in core units; 0 is SAC on the model."""


class DeviationPenalty(RolloutTransform):
    """r - lambda max_i |sigma_i(s, a)|, over all members, the reward's own deviation included."""

    penalty: Scalar

    def __call__(self, ensemble: Ensemble, method_state: PyTree, rows: Transition) -> Transition:
        _, std = predict(ensemble, rows.observation, rows.action)
        largest = jnp.max(jnp.linalg.norm(std, axis=-1), axis=0)
        return rows._replace(reward=rows.reward - self.penalty * largest)


def build(options: Options) -> Method:
    """The method with this coefficient."""
    check_values(options)
    return Method(transform=DeviationPenalty(jnp.asarray(options.penalty, jnp.float32)))
