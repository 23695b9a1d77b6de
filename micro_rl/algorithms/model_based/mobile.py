"""MOBILE (Sun et al., ICML 2023): model rows pay for the members' disagreement on the value of what follows."""

from dataclasses import dataclass
from typing import Annotated

import equinox as eqx
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, Scalar

from micro_rl.algorithms.model_based.candidates import CandidateNoise, candidate_noise, candidate_values
from micro_rl.algorithms.slots import Method, MethodContext, Target, bellman
from micro_rl.core.setting import AUTHORS, Setting, check_values
from micro_rl.core.sizes import ModelSizes
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Models
from micro_rl.errors import UserError

SUMMARY = "the reward of model rows less the spread of the elites' Bellman estimates"
PAPER = "ICML 2023, proceedings.mlr.press/v202/sun23q"


@dataclass(frozen=True)
class Options:
    """MOBILE's own settings."""

    penalty: Annotated[float, Setting(minimum=0, source=f"{AUTHORS}: 0.1 to 5 by task")] = 0.5
    """c: how many standard deviations over the elites a model row pays; 0 is SAC on the model."""
    num_samples: Annotated[int, Setting(minimum=0, source=AUTHORS)] = 10
    """Next states drawn from each elite; 0 = its mean."""


class InconsistencyTarget(Target):
    """y = r - c std_i v_i + gamma d V(s'), the standard deviation with n - 1.

    As the authors' code has it: the deviation is that of the values v_i, without gamma, and terminals pay it too.
    """

    penalty: Scalar
    draws: int = eqx.field(static=True)

    def noise(self, key: Key[Array, ""], rows: Transition, models: Models) -> CandidateNoise:
        return candidate_noise(key, rows, models.elites.size, self.draws)

    def refuse(self, sizes: ModelSizes) -> None:
        if sizes.elites < 2:
            raise UserError("num_elites: 1 has no spread; MOBILE needs 2 or more")

    def __call__(
        self, rows: Transition, next_value: Float[Array, " rows"], context: MethodContext, noise: CandidateNoise
    ) -> tuple[Float[Array, " rows"], dict[str, Array]]:
        values = candidate_values(context, context.models.elites, rows, noise)
        inconsistency = jnp.std(values, axis=0, ddof=1)
        y = bellman(rows, next_value, context.discount) - self.penalty * inconsistency
        return y, {"inconsistency": jnp.mean(inconsistency)}


def build(options: Options) -> Method:
    """The method with these coefficients."""
    check_values(options)
    return Method(target=InconsistencyTarget(jnp.asarray(options.penalty, jnp.float32), options.num_samples))
