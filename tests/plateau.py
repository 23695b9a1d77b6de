"""A plane that runs away, and an exact model of it: in reach of short rollouts every reward is the same.

s' = growth s + 0.25 a for each of two coordinates, actions in [-1, 1]. The reward is `level` while both coordinates lie
within 2, falls by 2 for each coordinate between 2 and 3, and stays there. The log has states within 1. Whoever goes
inwards stays inside for ever, from every state of the log, and has level / (1 - gamma); nothing in reach of three steps
tells anybody that there is an outside.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from micro_rl.core.networks import MLP
from micro_rl.core.types import Problem, Transition
from micro_rl.dynamics.ensemble import Ensemble, Members
from tests.probes import plain_units

PUSH, WIDTH, EDGE, FALL = 0.25, 1.0, 2.0, 2.0
"""Of an action; of the log; where the plateau ends; and how far it falls over the next unit."""
DISCOUNT = 0.99
MEMBERS = 5
STD = 1e-3
"""What the members say of chance, of which the truth has none."""
SHARPNESS = 50.0
SIDES = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
FURTHEST = 100.0
"""Beyond, nothing changes any more: a state that runs away is cut here."""


class Plateau(NamedTuple):
    """How much further each step goes by itself, and the reward inside."""

    growth: float = 1.1
    level: float = 1.0

    def step(self, state: Float[Array, "rows 2"], action: Float[Array, "rows 2"]) -> Float[Array, "rows 2"]:
        """s'."""
        return self.growth * state + PUSH * action

    def reward(self, state: Float[Array, "rows 2"]) -> Float[Array, " rows"]:
        """r(s), its bends as round as those of the model's units."""
        out = state @ jnp.asarray(SIDES.T, jnp.float32) - EDGE
        return self.level - FALL * jnp.sum(ramp(out) - ramp(out - 1), axis=-1)

    @property
    def inside(self) -> float:
        """What a policy that stays inside is worth."""
        return self.level / (1 - DISCOUNT)

    @property
    def most(self) -> float:
        """More than this no policy is worth: swish dips below 0 by 0.2785 / sharpness, in each coordinate."""
        return (self.level + 2 * FALL * 0.27847 / SHARPNESS) / (1 - DISCOUNT)

    def reach(self, steps: int) -> float:
        """How far out rollouts of so many steps can get from the log's states."""
        furthest = WIDTH
        for _ in range(steps):
            furthest = self.growth * furthest + PUSH
        return furthest


def ramp(x: Array) -> Array:
    """max(x, 0), a little rounded: swish."""
    return x / (1 + jnp.exp(-SHARPNESS * x))


def model_of(plateau: Plateau) -> Ensemble:
    """Members that all say the truth: the state and the actions by swish(x) - swish(-x) = x, and the bends."""
    pairs, bends = 8, 2 * len(SIDES)
    into, bias = np.zeros((4, pairs + bends)), np.zeros(pairs + bends)
    out, out_bias = np.zeros((pairs + bends, 6)), np.zeros(6)
    for column in range(4):
        into[column, 2 * column : 2 * column + 2] = 1, -1
        out[2 * column : 2 * column + 2, column % 2] = np.array([1, -1]) * (plateau.growth - 1 if column < 2 else PUSH)
    into[:2, pairs:] = SHARPNESS * np.tile(SIDES, (2, 1)).T
    bias[pairs:] = -SHARPNESS * np.repeat([EDGE, EDGE + 1], len(SIDES))
    out[pairs:, 2] = FALL / SHARPNESS * np.repeat([-1, 1], len(SIDES))
    out_bias[2], out_bias[3:] = plateau.level, 2 * np.log(STD)
    weights, biases = (
        tuple(jnp.asarray(np.stack([layer] * MEMBERS), jnp.float32) for layer in layers)
        for layers in ((into, out), (bias, out_bias))
    )
    wide, units = jnp.full(3, 30.0), (jnp.zeros(4), jnp.ones(4), jnp.zeros(3), jnp.ones(3))
    return Ensemble(Members(MLP(weights, biases), wide, -wide), *units)


def log_of(plateau: Plateau, rows: int = 2000, seed: int = 0) -> Problem:
    """A log of the truth: states within 1 and actions, each uniform."""
    rng = np.random.default_rng(seed)
    state = jnp.asarray(rng.uniform(-WIDTH, WIDTH, (rows, 2)), jnp.float32)
    action = jnp.asarray(rng.uniform(-1, 1, (rows, 2)), jnp.float32)
    log = Transition(state, action, plateau.reward(state), plateau.step(state, action), jnp.ones(rows))
    return Problem(log, plain_units(2, 2))
