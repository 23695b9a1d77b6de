"""MICRO's target where the uncertainty set is a ball around the stored next state."""

import equinox as eqx
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, PyTree, Scalar

from micro_rl.algorithms.model_based.balls import Ball, worst_in_ball
from micro_rl.algorithms.slots import MethodContext, Target, bellman
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Models


class BallTarget(Target):
    """y = r + gamma d (V(s') - beta f(s, a)), f = V(s') - the smallest V in a ball around s'."""

    beta: Scalar
    radius: Scalar
    ball: Ball
    steps: int = eqx.field(static=True)

    def noise(self, key: Key[Array, ""], rows: Transition, models: Models) -> PyTree:
        return ()

    def __call__(
        self, rows: Transition, next_value: Float[Array, " rows"], context: MethodContext, noise: PyTree
    ) -> tuple[Float[Array, " rows"], dict[str, Array]]:
        centre, lowest = worst_in_ball(context, rows, self.ball, self.radius, self.steps)
        f = centre - lowest
        y = bellman(rows, next_value - self.beta * f, context.discount)
        return y, {"conservative_term": jnp.mean(f)}
