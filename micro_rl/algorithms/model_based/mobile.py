"""MOBILE (Sun et al., ICML 2023): model rows pay for the members' disagreement on the value of what follows."""

from dataclasses import dataclass
from typing import Annotated, Literal

import equinox as eqx
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, PyTree, Scalar

from micro_rl.algorithms.model_based.candidate_moments import candidate_moments, refuse_normalised
from micro_rl.algorithms.model_based.candidates import candidate_noise, candidate_values
from micro_rl.algorithms.slots import Method, MethodContext, Target, bellman
from micro_rl.core.moments import Moments, deviation
from micro_rl.core.setting import AUTHORS, Setting, check_values
from micro_rl.core.sizes import ModelSizes
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Ensemble, Models
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
    values: Annotated[Literal["draws", "moments", "linear"], Setting(source="the paper; the others are ours")] = "draws"
    """Values by draws, or the deviation's expectation over them: by each elite's moments, or one slope for all."""
    predictions: Annotated[Literal["anew", "stored"], Setting(source=f"{AUTHORS}: anew; stored is ours")] = "anew"
    """Each elite's prediction of a model row: made in every update, or once and stored with the row."""


class InconsistencyTarget(Target):
    """y = r - c std_i v_i + gamma d V(s'), the standard deviation with n - 1.

    As the authors' code has it: the deviation is that of the values v_i, without gamma, and terminals pay it too.
    """

    penalty: Scalar
    draws: int = eqx.field(static=True)
    stores: bool = eqx.field(static=True)

    def stored(self, models: Models) -> Ensemble | None:
        return models.elites if self.stores else None

    def noise(self, key: Key[Array, ""], rows: Transition, models: Models) -> PyTree:
        return candidate_noise(key, rows, models.elites.size, self.draws)

    def refuse(self, sizes: ModelSizes) -> None:
        if sizes.elites < 2:
            raise UserError("num_elites: 1 has no spread; MOBILE needs 2 or more")

    def __call__(
        self, rows: Transition, next_value: Float[Array, " rows"], context: MethodContext, noise: PyTree
    ) -> tuple[Float[Array, " rows"], dict[str, Array]]:
        inconsistency = self.inconsistency(rows, context, noise)
        y = bellman(rows, next_value, context.discount) - self.penalty * inconsistency
        return y, {"inconsistency": jnp.mean(inconsistency)}

    def inconsistency(self, rows: Transition, context: MethodContext, noise: PyTree) -> Float[Array, " rows"]:
        """U = std_i v_i."""
        return jnp.std(candidate_values(context, context.models.elites, rows, noise), axis=0, ddof=1)


class ExpectedInconsistencyTarget(InconsistencyTarget):
    """The same with E[std_i v_i] over the draws behind each v_i, in closed form."""

    shared: bool = eqx.field(static=True)

    def refuse(self, sizes: ModelSizes) -> None:
        super().refuse(sizes)
        refuse_normalised(sizes)

    def noise(self, key: Key[Array, ""], rows: Transition, models: Models) -> PyTree:
        return ()

    def inconsistency(self, rows: Transition, context: MethodContext, noise: PyTree) -> Float[Array, " rows"]:
        return expected_deviation(candidate_moments(context, context.models.elites, rows, self.draws, self.shared))


def expected_deviation(values: Moments) -> Float[Array, " rows"]:
    """E[U] of independent Gaussian v_i over the first axis, U^2 = sum_i (v_i - mean v)^2 / (n - 1).

    With e_i = mu_i - mean mu: E[U^2] = sum e^2 / (n - 1) + mean s^2, exactly; var(U^2) = 4 sum s^2 e^2 / (n - 1)^2 +
    2 (sum s^4 / n^2 + sum_(i != j) s_i^2 s_j^2 / (n (n - 1))^2); and E[U] is about E[U^2]^(1/2) (1 - var / 8 E[U^2]^2).
    """
    n, s2 = values.mean.shape[0], values.variance
    e2 = (values.mean - jnp.mean(values.mean, axis=0, keepdims=True)) ** 2
    square = jnp.sum(e2, axis=0) / (n - 1) + jnp.mean(s2, axis=0)
    s4 = jnp.sum(s2**2, axis=0)
    pairs = jnp.sum(s2, axis=0) ** 2 - s4
    variance = 4 * jnp.sum(s2 * e2, axis=0) / (n - 1) ** 2 + 2 * (s4 / n**2 + pairs / (n * (n - 1)) ** 2)
    root = deviation(square)
    return root * (1 - variance / (8 * root**4))


def build(options: Options) -> Method:
    """The method with these coefficients."""
    check_values(options)
    penalty, stores = jnp.asarray(options.penalty, jnp.float32), options.predictions == "stored"
    if options.values == "draws":
        return Method(target=InconsistencyTarget(penalty, options.num_samples, stores))
    if options.num_samples == 0:
        raise UserError(f"num_samples: 0 draws nothing that values {options.values} could average; give 1 or more")
    shared = options.values == "linear"
    return Method(target=ExpectedInconsistencyTarget(penalty, options.num_samples, stores, shared))
