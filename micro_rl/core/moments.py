"""Mean and variance of what Gaussian inputs become: in ReLU networks, under tanh, and as the least of several.

Moment matching as of MOMBO (arXiv 2406.04088): the units of every layer are taken for independent Gaussians. An affine
layer is exact where its inputs are independent, as those of the first one are; what units behind it share is lost, so
means come out well and variances badly. For those a network's expected slope is the better guide (`through`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from micro_rl.core.networks import MLP

SMALLEST = 1e-18
"""A variance counts as at least this where something is divided by its root."""
FARTHEST = 30.0
"""Deviations from 0, past which a Gaussian has one sign: beyond 14, float32's exp(-x^2 / 2) is 0."""
NODES = np.linspace(-4, 4, 16, dtype=np.float32)
WEIGHTS = np.exp(-0.5 * NODES**2) / np.exp(-0.5 * NODES**2).sum()
"""E[g(Z)] is about the sum of WEIGHTS g(NODES): of tanh it is nearer than Gauss and Hermite's with as many nodes."""


class Moments(NamedTuple):
    """Means, and variances in the same units squared."""

    mean: Float[Array, "*shape"]
    variance: Float[Array, "*shape"]


def deviation(variance: Array) -> Array:
    """The root of a variance, with a slope that is finite at 0."""
    return jnp.sqrt(jnp.maximum(variance, SMALLEST))


def tail(b: Array) -> tuple[Array, Array]:
    """Phi(-b) and phi(b) of b >= 0, the former within 1e-7: Abramowitz and Stegun 26.2.17, half as dear as erfc."""
    p = jnp.exp(-0.5 * b**2) * (2 * jnp.pi) ** -0.5
    x = 1 / (1 + 0.2316419 * b)
    polynomial = 0.319381530 + x * (-0.356563782 + x * (1.781477937 + x * (-1.821255978 + x * 1.330274429)))
    return p * x * polynomial, p


def rectified(x: Moments) -> tuple[Moments, Array]:
    """relu(X) of X ~ N(m, s^2), and its expected slope P(X > 0).

    With b = |m / s|, t = Phi(-b), p = phi(b), k = p - b t:
    mean = relu(m) + s k, variance = s^2 ([m > 0] (1 - 2 t) + (b^2 + 1) t - b p - k^2).
    These are E[relu(X)] = m Phi(m / s) + s phi(m / s) and E[relu(X)^2] - E[relu(X)]^2 with what cancels left out.
    """
    s, up = deviation(x.variance), x.mean > 0
    b = jnp.minimum(jnp.abs(x.mean) / s, FARTHEST)
    t, p = tail(b)
    k = p - b * t
    share = jnp.where(up, 1 - 2 * t, 0.0) + (b**2 + 1) * t - b * p - k**2
    return Moments(jax.nn.relu(x.mean) + s * k, x.variance * jnp.maximum(share, 0.0)), jnp.where(up, 1 - t, t)


class Passage(NamedTuple):
    """A ReLU network passed by Gaussians: its outputs, and the expected slope of every hidden unit."""

    outputs: Moments
    slopes: tuple[Float[Array, "*stack rows units"], ...]


def through(net: MLP, x: Moments) -> Passage:
    """Pass layer by layer: W m + b and W^2 s^2, then `rectified`.

    Args:
        net: One network, or a stack of equal ones; its own product multiplies the matrices.
        x: Of its inputs, independent: [rows, in], or [stack, rows, in].

    Returns:
        Outputs [*stack, rows, out], exact for one layer, and what `expected_slope` needs.
    """
    slopes = []
    *hidden, last = zip(net.weights, net.biases, strict=True)
    for weight, bias in hidden:
        x, slope = rectified(_affine(net, x, weight, bias))
        slopes.append(slope)
    return Passage(_affine(net, x, *last), tuple(slopes))


def _affine(net: MLP, x: Moments, weight: Array, bias: Array) -> Moments:
    return Moments(net.product(x.mean, weight) + bias[..., None, :], net.product(x.variance, weight**2))


def expected_slope(
    net: MLP, passage: Passage, outer: Float[Array, "*stack rows out"]
) -> Float[Array, "*stack rows in"]:
    """E[d (outer . outputs) / d inputs], hidden units again taken for independent: backwards, W^T (slope ...)."""
    for weight, slope in zip(net.weights[:0:-1], passage.slopes[::-1], strict=True):
        outer = slope * net.product(outer, jnp.swapaxes(weight, -1, -2))
    return net.product(outer, jnp.swapaxes(net.weights[0], -1, -2))


def squashed(x: Moments) -> Moments:
    """tanh(X) by quadrature; mean and variance are within 0.002 up to deviations of 2."""
    nodes, weights = (jnp.asarray(part).reshape((1,) * x.mean.ndim + (-1,)) for part in (NODES, WEIGHTS))
    y = jnp.tanh(x.mean[..., None] + deviation(x.variance)[..., None] * nodes)
    mean = jnp.sum(weights * y, axis=-1)
    return Moments(mean, jnp.sum(weights * (y - mean[..., None]) ** 2, axis=-1))


def least(x: Moments) -> Moments:
    """min_i X_i over the first axis, independent Gaussians, two at a time (Clark, Operations Research 9, 1961).

    min(X, Y) = X - relu(D) with D = X - Y, and cov(X, relu(D)) = var(X) P(D > 0). It is exact for two; what it gives
    is taken for Gaussian where the next one joins it.
    """

    def lesser(so_far: Moments, other: Moments) -> Moments:
        excess, lower = rectified(Moments(so_far.mean - other.mean, so_far.variance + other.variance))
        variance = so_far.variance * (1 - 2 * lower) + excess.variance
        return Moments(so_far.mean - excess.mean, jnp.maximum(variance, 0.0))

    first, *others = (Moments(x.mean[i], x.variance[i]) for i in range(x.mean.shape[0]))
    for other in others:
        first = lesser(first, other)
    return first
