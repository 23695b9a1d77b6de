"""MOPO (arXiv 2005.13239): the reward of model rows less the largest deviation any member predicts."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import PyTree, Scalar

from micro_rl.algorithms.slots import Method, RolloutTransform
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Ensemble, predict
from micro_rl.errors import UserError

SUMMARY = "the reward of model rows less the largest predicted standard deviation"
PAPER = "arXiv 2005.13239"


@dataclass(frozen=True)
class Options:
    """MOPO's own settings."""

    penalty: float = 1.0
    """lambda: reward paid per unit of deviation, both in core units; 0 is SAC on the model."""


class DeviationPenalty(RolloutTransform):
    """r - lambda max_i |sigma_i(s, a)|, over all members, the reward's own deviation included (eq. 5)."""

    penalty: Scalar

    def __call__(self, ensemble: Ensemble, method_state: PyTree, rows: Transition) -> Transition:
        _, std = predict(ensemble, rows.observation, rows.action)
        largest = jnp.max(jnp.linalg.norm(std, axis=-1), axis=0)
        return rows._replace(reward=rows.reward - self.penalty * largest)


def build(options: Options) -> Method:
    """The method with this coefficient."""
    if options.penalty < 0:
        raise UserError(f"penalty: {options.penalty} is negative")
    return Method(transform=DeviationPenalty(jnp.asarray(options.penalty, jnp.float32)))
