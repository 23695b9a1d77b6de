"""Five systems with known optimal values and hand-made models of them, each wrong (or right) in one way.

All share s' = 0.5 s + g(a) + noise and r = s, with one action in [-1, 1] and gamma 0.9, and no end. V is linear in s,
so that only g matters: the best policy takes the action at which g is largest, wherever it is. g is linear between
the actions -1, 0.25 and 1. Logs reach up to the action 0.25, where the model begins to be wrong, or to 1.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from micro_rl.algorithms.model_based import micro, mobile, mopo, morel, sac_on_model
from micro_rl.core.networks import MLP
from micro_rl.core.types import Problem, Transition
from micro_rl.dynamics.ensemble import Ensemble, Members
from tests.probes import plain_units

KEEP, DISCOUNT = 0.5, 0.9
SLOPE = 1 / (1 - DISCOUNT * KEEP)
"""dV/ds of every policy whose action does not depend on the state."""
KNOTS = np.array([-1.0, 0.25, 1.0])
MEMBERS = 5
NOISE = 0.05
"""Standard deviation of next states and rewards where nothing else is said."""
MOST_APART = 0.01
"""Members keep up to so much more or less of the state: some disagreement, everywhere the same, as fits have it."""
APART = np.linspace(-MOST_APART, MOST_APART, MEMBERS)
SHARPNESS = 50.0
"""How sharp the bend is: swish(50 x) / 50 is max(x, 0) to within 0.006."""

Heights = tuple[float, float, float]
HILL: Heights = (-0.5, 0.5, -0.5)
CLIMB: Heights = (-0.5, 0.125, 0.5)


class System(NamedTuple):
    """A truth, what the five members say instead, and how far the log reaches: g by its heights at the knots."""

    title: str
    truth: Heights
    members: tuple[Heights, ...]
    reach: float = 0.25
    last_noise: float = NOISE
    """Standard deviation of s' at the action 1; its logarithm is linear from the action 0.25 on."""

    def step(self, action: np.ndarray) -> np.ndarray:
        """g of the truth."""
        return np.interp(action, KNOTS, self.truth)

    def predicted(self, action: np.ndarray) -> np.ndarray:
        """g of every member: [member, *action]."""
        return np.stack([np.interp(action, KNOTS, heights) for heights in self.members])

    def noise(self, action: np.ndarray) -> np.ndarray:
        """Standard deviation of s'."""
        return np.exp(np.interp(action, KNOTS, np.log([NOISE, NOISE, self.last_noise])))

    def value(self, step: float | np.ndarray) -> float | np.ndarray:
        """V(0) of a policy that takes one action for ever, from the g of that action."""
        return SLOPE * DISCOUNT * step / (1 - DISCOUNT)

    @property
    def optimum(self) -> float:
        """V*(0)."""
        return float(self.value(max(self.truth)))


SYSTEMS: dict[str, System] = {
    "optimist": System(
        "one over-optimistic member", HILL, (HILL,) * 4 + ((-0.5, 0.5, 6.0),)
    ),
    "pessimist": System(
        "one over-pessimistic member", CLIMB, (CLIMB,) * 4 + ((-0.5, 0.125, -0.25),)
    ),
    "agreement": System(
        "all members agree and are wrong", HILL, ((-0.5, 0.5, 1.5),) * MEMBERS
    ),
    "noise": System(
        "noise without disagreement", CLIMB, (CLIMB,) * MEMBERS, last_noise=0.8
    ),
    "plenty": System(
        "plenty of data, all members right", HILL, (HILL,) * MEMBERS, reach=1.0
    ),
}  # fmt: skip


def best_by_iteration(system: System, sweeps: int = 200) -> float:
    """V*(0) by value iteration on a grid; the noise has mean 0 and V is linear, so it is left out."""
    states, actions = np.linspace(-4, 4, 81), np.linspace(-1, 1, 201)
    following = KEEP * states[:, None] + system.step(actions)[None]
    value = np.zeros_like(states)
    for _ in range(sweeps):
        value = states + DISCOUNT * np.interp(following, states, value).max(1)
    return float(np.interp(0.0, states, value))


def model_of(system: System) -> Ensemble:
    """The members as networks of one hidden layer: s and a by swish(x) - swish(-x) = x, and the bend."""
    into = np.array([[1.0, -1.0, 0, 0, 0], [0, 0, 1.0, -1.0, SHARPNESS]])
    bend = np.array([0, 0, 0, 0, -SHARPNESS * KNOTS[1]])
    count = len(system.members)
    apart = np.linspace(-MOST_APART, MOST_APART, count)
    out, bias = np.zeros((count, 5, 4)), np.zeros((count, 4))
    for member, heights in enumerate(system.members):
        first, second = np.diff(heights) / np.diff(KNOTS)
        out[member, :2, 0] = np.array([1, -1]) * (KEEP - 1 + apart[member])
        out[member, 2:, 0] = first, -first, (second - first) / SHARPNESS
        out[member, :2, 1] = 1, -1
        out[member, 4, 2] = 2 * np.log(system.last_noise / NOISE) / (KNOTS[2] - KNOTS[1]) / SHARPNESS
        bias[member] = heights[0] + first, 0, 2 * np.log(NOISE), 2 * np.log(NOISE)
    layers = ((np.tile(into, (count, 1, 1)), np.tile(bend, (count, 1))), (out, bias))
    weights, biases = (tuple(jnp.asarray(x, jnp.float32) for x in column) for column in zip(*layers, strict=True))
    wide = jnp.full(2, 20.0)
    return Ensemble(Members(MLP(weights, biases), wide, -wide), jnp.zeros(2), jnp.ones(2), jnp.zeros(2), jnp.ones(2))


def log_of(system: System, rows: int = 2000, seed: int = 0) -> Problem:
    """A log of the truth: states in [-2, 2] and actions in [-1, reach], each uniform; another seed has other rows."""
    rng = np.random.default_rng(seed)
    state, action = rng.uniform(-2, 2, rows), rng.uniform(-1, system.reach, rows)
    following = KEEP * state + system.step(action) + system.noise(action) * rng.normal(size=rows)
    columns = (state[:, None], action[:, None], state + NOISE * rng.normal(size=rows), following[:, None])
    observation, taken, reward, after = (jnp.asarray(column, jnp.float32) for column in columns)
    log = Transition(observation, taken, reward, after, jnp.ones(rows))
    return Problem(log, plain_units(1, 1))


# What a method's own equations say it will do, known before it is run.


def mean_gap(values: Float[np.ndarray, "member action"], noise: np.ndarray, draws: int) -> np.ndarray:
    """E[mean_i x_i - min_i x_i], x_i normal about `values` with the deviation noise / sqrt(draws)."""
    x = _scattered(values, noise, draws)
    return (x.mean(0) - x.min(0)).mean(0)


def mean_deviation(values: Float[np.ndarray, "member action"], noise: np.ndarray, draws: int) -> np.ndarray:
    """E[std_i x_i] of the same, with n - 1."""
    return _scattered(values, noise, draws).std(0, ddof=1).mean(0)


def _scattered(values: np.ndarray, noise: np.ndarray, draws: int) -> Float[np.ndarray, "member draw action"]:
    z = np.random.default_rng(0).normal(size=(MEMBERS, 2000, 1))
    return values[:, None] + noise / np.sqrt(draws) * z


def foreseen(system: System, options: object) -> float | None:
    """The action that maximises what the method believes of a model row; None where no closed form is at hand.

    In units of dV/ds: SAC sees the members' mean, MICRO the mean less beta f, MOBILE less c / gamma deviations; MOPO
    pays its reward now, so by the slope; MOReL is barred from where members are further apart than on the log.
    """
    action = np.linspace(-1, 1, 401)
    predicted, noise = system.predicted(action), system.noise(action)
    values = predicted.mean(0)
    match options:
        case sac_on_model.Options():
            pass
        case micro.Options():
            values = values - options.beta * mean_gap(predicted, noise, options.num_samples)
        case mobile.Options():
            values = values - options.penalty / DISCOUNT * mean_deviation(predicted, noise, options.num_samples)
        case mopo.Options():
            values = values - options.penalty / (DISCOUNT * SLOPE) * np.hypot(noise, NOISE)
        case morel.Options():
            on_log = 2 * np.ptp(APART)
            values = np.where(np.ptp(predicted, axis=0) > on_log * options.threshold, -np.inf, values)
        case _:
            return None
    return float(action[np.argmax(values)])
