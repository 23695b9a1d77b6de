"""How far rounding to float32 can move what a network gives: a bound that it cannot pass, and what is to be expected.

The bound is the standard one (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 2002, chapters 2
and 3). A float32 operation is off by a share u = 2^-24 of its result, and a term that goes through n of them by
gamma(n) = n u / (1 - n u) of itself, whatever the order of a sum. A dot product of n terms w x and a bias b is then off
by gamma(n + 1) (|w| |x| + |b|): much, where large terms cancel. Underflow is left out: it moves nothing by 10^-5.
"""

from typing import NamedTuple

import numpy as np

from micro_rl.core.numpy_network import FURTHEST
from micro_rl.core.shapes import Bool, Float64
from micro_rl.policy import Policy

UNIT = float(np.finfo(np.float32).eps) / 2
"""The share of its result that a float32 operation is off at most."""
SPREAD = 3
"""Standard deviations of independent roundings that are expected at most."""


class Layer(NamedTuple):
    """Of one layer: what it may add to the difference, and which of its units are surely above 0, or below."""

    own: Float64[np.ndarray, "step unit"]
    above: Bool[np.ndarray, "step unit"]
    below: Bool[np.ndarray, "step unit"]


def gamma(operations: int) -> float:
    """The share of a term that so many roundings in a row may be off."""
    return operations * UNIT / (1 - operations * UNIT)


def of_standardised(
    core: Float64[np.ndarray, "*rows column"],
    center: Float64[np.ndarray, " column"],
    scale: Float64[np.ndarray, " column"],
) -> Float64[np.ndarray, "*rows column"]:
    """By how much a float32 value may be standardised wrongly, its center subtracted in two parts.

    Two subtractions, a division and the scale's own rounding make gamma(4). Of the center u^2 is lost by its second
    part, and as much where the first subtraction leaves that part.

    Args:
        core: the exact values, standardised, as they are clipped.
        center: what is subtracted, raw units.
        scale: what is divided by.
    """
    return gamma(4) * np.abs(core) + (1 + gamma(3)) * 2 * UNIT**2 * np.abs(center) / scale


def bound(policy: Policy, seen: Float64[np.ndarray, "step window"]) -> Float64[np.ndarray, "step out"]:
    """By how much the last layer's outputs of a policy and its export can be apart, both in float32.

    Forward goes how far each unit can be from its exact value, and with it the terms that it adds up. Backward goes by
    how much an output can follow a unit: as the weights and active units between them say, where a unit surely is
    active or not, and else as any slope of the ReLU between 0 and 1 allows.

    Args:
        policy: the policy, without a history of its own (`pure`).
        seen: the windows, raw units, numbers of float32.
    """
    inputs, layers = _forward(policy, seen)
    reach = np.broadcast_to(np.eye(layers[-1].own.shape[1]), (len(seen), *2 * layers[-1].own.shape[1:]))
    open_, total = np.zeros_like(reach), layers[-1].own
    for (weight, _), before in zip(policy.layers[:0:-1], layers[-2::-1], strict=True):
        reach, open_ = _through(reach, open_, weight)
        above, below = before.above[:, None], before.below[:, None]
        unsure = np.where(below, 0, open_ + np.abs(reach) / 2)
        reach, open_ = np.where(above, reach, np.where(below, 0, reach / 2)), np.where(above, open_, unsure)
        total = total + _followed(reach, open_, before.own)
    return total + _followed(*_through(reach, open_, policy.layers[0][0]), inputs)


def expected(policy: Policy, seen: Float64[np.ndarray, "step window"]) -> Float64[np.ndarray, "step out"]:
    """By how much rounding will hardly move them: SPREAD standard deviations of it. No bound, but near to what happens.

    Every input and every unit is off by a step of float32, times the sum of all magnitudes that it adds up. These
    errors are taken for independent, and reach the outputs through the weights of active units behind them.
    """
    hidden = _core(policy, seen)
    own, active = [2 * UNIT * np.abs(hidden)], [np.ones(hidden.shape, bool)]
    for weight, bias in policy.layers:
        own.append(2 * UNIT * (np.abs(hidden) @ np.abs(weight) + np.abs(bias)))
        hidden = np.maximum(hidden @ weight + bias, 0)
        active.append(hidden > 0)
    variance = np.square(own.pop())
    reach = np.broadcast_to(np.eye(variance.shape[1]), (len(seen), *2 * variance.shape[1:]))
    for (weight, _), error, on in zip(policy.layers[::-1], own[::-1], active[-2::-1], strict=True):
        reach = (reach @ weight.T.astype(np.float64)) * on[:, None, :]
        variance = variance + (np.square(reach) @ np.square(error)[..., None])[..., 0]
    return SPREAD * np.sqrt(variance)


def _core(policy: Policy, seen: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.clip((seen - policy.observation_mean) / policy.observation_std, -FURTHEST, FURTHEST)


def _forward(policy: Policy, seen: np.ndarray) -> tuple[np.ndarray, list[Layer]]:
    """By how much the inputs can be apart, and every layer."""
    hidden, layers = _core(policy, seen), []
    radius = of_standardised(hidden, policy.observation_mean, policy.observation_std)
    inputs = radius + gamma(2) * np.abs(hidden)  # the policy's own are rounded once, of float64
    for weight, bias in policy.layers:
        terms = (np.abs(hidden) + radius) @ np.abs(weight.astype(np.float64)) + np.abs(bias)
        own, values = gamma(len(weight) + 1) * terms, hidden @ weight.astype(np.float64) + bias
        radius = radius @ np.abs(weight.astype(np.float64)) + own
        layers.append(Layer(2 * own, values > radius, values < -radius))
        hidden = np.maximum(values, 0)
    return inputs, layers


def _through(reach: np.ndarray, open_: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How the outputs follow what comes before a layer; `open_` is how much more or less it may be."""
    exact = weight.T.astype(np.float64)
    return reach @ exact, open_ @ np.abs(exact)


def _followed(reach: np.ndarray, open_: np.ndarray, error: np.ndarray) -> np.ndarray:
    return ((np.abs(reach) + open_) @ error[..., None])[..., 0]
