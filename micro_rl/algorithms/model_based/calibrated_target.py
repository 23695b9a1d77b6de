"""MICRO's target where the uncertainty set is calibrated: a ball about what the elites expect (`calibrated_set`)."""

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, PyTree, Scalar

from micro_rl.algorithms.model_based.balls import L2, descend, state_value
from micro_rl.algorithms.slots import MethodContext, Target, bellman
from micro_rl.core.types import Transition
from micro_rl.dynamics.calibrated_set import CalibratedSet
from micro_rl.dynamics.ensemble import Models


class CalibratedTarget(Target):
    """y = r + gamma d (V(s') - beta f(s, a)), f = V(m) - the smallest V in C(s, a), m its centre.

    With `steps` 0 the smallest value is bounded to first order, V(m) - size |grad V(m)| in the set's own norm: one
    gradient. Otherwise projected gradient descent looks for it.
    """

    needs_held_out: ClassVar[bool] = True
    beta: Scalar
    level: float = eqx.field(static=True)
    steps: int = eqx.field(static=True)
    calibrated: CalibratedSet | None = None

    def calibrated_by(self, measure: Callable[[float], CalibratedSet]) -> "CalibratedTarget":
        return replace(self, calibrated=measure(self.level))

    def noise(self, key: Key[Array, ""], rows: Transition, models: Models) -> PyTree:
        return ()

    def __call__(
        self, rows: Transition, next_value: Float[Array, " rows"], context: MethodContext, noise: PyTree
    ) -> tuple[Float[Array, " rows"], dict[str, Array]]:
        assert self.calibrated is not None, "set when the model is there"
        unit = self.calibrated.unit
        centre, size = self.calibrated.around(context.models.elites, rows)
        centre = jnp.where(unit[None] > 0, centre, rows.next_observation)
        length = size * jnp.sqrt(jnp.sum(unit > 0).astype(size.dtype))  # of the root mean square as a Euclidean norm
        f = self._steepest_fall(context, centre, length) if self.steps == 0 else self._fall(context, centre, length)
        y = bellman(rows, next_value - self.beta * f, context.discount)
        return y, {"conservative_term": jnp.mean(f)}

    def _steepest_fall(self, context: MethodContext, centre: Array, length: Array) -> Float[Array, " rows"]:
        assert self.calibrated is not None
        slope = jax.grad(lambda states: jnp.sum(state_value(context, states)))(centre)
        return length * jnp.linalg.norm(slope * self.calibrated.unit[None], axis=-1)

    def _fall(self, context: MethodContext, centre: Array, length: Array) -> Float[Array, " rows"]:
        assert self.calibrated is not None
        units = jnp.diag(self.calibrated.unit)[None]
        at_centre, lowest = descend(context, centre, units, L2(), length[:, None], self.steps)
        return at_centre - lowest
