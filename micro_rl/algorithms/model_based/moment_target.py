"""MICRO's target where f is what its draws give on average, in closed form."""

import equinox as eqx
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, PyTree, Scalar

from micro_rl.algorithms.model_based.candidate_moments import candidate_moments, refuse_normalised
from micro_rl.algorithms.model_based.gaps import ExpectedGap
from micro_rl.algorithms.slots import MethodContext, Target, bellman
from micro_rl.core.sizes import ModelSizes
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Ensemble, Models


class MomentTarget(Target):
    """y = r + gamma d (V(s') - beta E[f]), where f = mean_i v_i - min_i v_i and v_i is the mean of `draws` values.

    E[f] = mean_i E[v_i] - E[min_i v_i], with the independent Gaussian v_i of `candidate_moments`. Nothing is drawn.
    """

    beta: Scalar
    gap: ExpectedGap
    draws: int = eqx.field(static=True)
    shared: bool = eqx.field(static=True)
    every_member: bool = eqx.field(static=True)
    stores: bool = eqx.field(static=True, default=False)

    def stored(self, models: Models) -> Ensemble | None:
        return self._of(models) if self.stores else None

    def refuse(self, sizes: ModelSizes) -> None:
        refuse_normalised(sizes)

    def noise(self, key: Key[Array, ""], rows: Transition, models: Models) -> PyTree:
        return ()

    def __call__(
        self, rows: Transition, next_value: Float[Array, " rows"], context: MethodContext, noise: PyTree
    ) -> tuple[Float[Array, " rows"], dict[str, Array]]:
        values = candidate_moments(context, self._of(context.models), rows, self.draws, self.shared)
        f = self.gap.expected(values, next_value)
        y = bellman(rows, next_value - self.beta * f, context.discount)
        return y, {"conservative_term": jnp.mean(f)}

    def _of(self, models: Models) -> Ensemble:
        return models.members if self.every_member else models.elites
