"""Moments of Gaussians through a ReLU, tanh, a network and a minimum, against exact values, integrals and draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from micro_rl.core import moments
from micro_rl.core.moments import Moments
from micro_rl.core.networks import rounded_product, uniform_mlp
from tests.probes import linear

least, rectified, squashed, through = map(
    jax.jit, (moments.least, moments.rectified, moments.squashed, moments.through)
)
PHI_0 = 0.3989423


@pytest.mark.parametrize(
    ("mean", "variance", "rectified_mean", "rectified_variance"),
    [
        (0.0, 1.0, PHI_0, 0.5 - PHI_0**2),
        (0.0, 4.0, 2 * PHI_0, 4 * (0.5 - PHI_0**2)),
        (1.0, 1.0, 1.0833155, 0.7510876),  # Phi(1) + phi(1), and 2 Phi(1) + phi(1) less its square
        (-1.0, 1.0, 0.0833155, 0.0683991),
        (1000.0, 0.25, 1000.0, 0.25),
        (-1000.0, 0.25, 0.0, 0.0),
        (3.0, 0.0, 3.0, 0.0),
        (-3.0, 0.0, 0.0, 0.0),
        (0.0, 0.0, 0.0, 0.0),
    ],
)
def test_a_rectified_gaussian_by_hand(mean, variance, rectified_mean, rectified_variance):
    y, _ = rectified(Moments(jnp.asarray(mean), jnp.asarray(variance)))
    np.testing.assert_allclose(y, (rectified_mean, rectified_variance), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("mean", [-6.0, -2.5, -0.3, 0.01, 0.7, 4.0, 12.0])
@pytest.mark.parametrize("deviation", [0.05, 0.8, 3.0])
def test_a_rectified_gaussian_by_integration(mean: float, deviation: float):
    def moment(power: int) -> float:
        ends = (max(0.0, mean - 10 * deviation), max(0.0, mean + 10 * deviation))
        return integrate.quad(lambda x: x**power * stats.norm.pdf(x, mean, deviation), *ends, epsabs=1e-12)[0]

    y, slope = rectified(Moments(jnp.asarray(mean), jnp.asarray(deviation**2)))
    np.testing.assert_allclose(slope, stats.norm.cdf(mean / deviation), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(y.mean, moment(1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y.variance, moment(2) - moment(1) ** 2, rtol=1e-4, atol=1e-6)


def test_a_layer_is_exact_and_a_stack_has_its_networks_side_by_side():
    net = linear([[[1.0], [-2.0]], [[3.0], [0.5]]], [[0.5], [-1.0]])
    y = through(net, Moments(jnp.asarray([[2.0, 1.0]]), jnp.asarray([[0.25, 4.0]]))).outputs
    np.testing.assert_allclose(y.mean[:, 0, 0], [0.5, 5.5])
    np.testing.assert_allclose(y.variance[:, 0, 0], [0.25 + 16.0, 2.25 + 1.0])


def test_one_hidden_layer_is_near_10_000_draws_in_mean_and_a_tenth_of_its_deviation():
    net = uniform_mlp(jax.random.key(1), (4, 64, 1), (2,))
    mean, deviation = jax.random.normal(jax.random.key(2), (2, 6, 4))
    noise = jax.random.normal(jax.random.key(3), (10_000, 6, 4))
    drawn = jax.jit(jax.vmap(lambda z: net(mean + deviation * z, jax.nn.relu)))(noise)[..., 0]
    y = through(net, Moments(mean, deviation**2)).outputs
    np.testing.assert_allclose(y.mean[..., 0], drawn.mean(0), atol=4 * float(drawn.std(0).max()) / 100)


def test_no_variance_leaves_a_network_as_it_is():
    net, x = uniform_mlp(jax.random.key(1), (4, 32, 32, 2)), jax.random.normal(jax.random.key(2), (6, 4))
    y = through(net, Moments(x, jnp.zeros_like(x))).outputs
    np.testing.assert_allclose(y.mean, net(x, jax.nn.relu), rtol=1e-6, atol=1e-7)
    assert not y.variance.any()


def test_a_networks_own_product_is_used():
    net = uniform_mlp(jax.random.key(1), (4, 32, 1))
    x = Moments(*jax.random.uniform(jax.random.key(2), (2, 6, 4)))
    exact, rounded = through(net, x), through(type(net)(net.weights, net.biases, rounded_product), x)
    for near, far in zip(rounded.outputs, exact.outputs, strict=True):
        assert 0 < np.abs(near - far).max() < 0.02 * np.abs(far).max()


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.0), (0.4, 0.3), (-1.5, 1.0), (0.3, 2.0)])
def test_tanh_by_integration(mean: float, deviation: float):
    y = squashed(Moments(jnp.asarray(mean), jnp.asarray(deviation**2)))
    if deviation == 0:
        np.testing.assert_allclose(y, (np.tanh(mean), 0.0), atol=1e-7)
        return
    x = np.linspace(-8, 8, 4001)
    weights, values = stats.norm.pdf(x) / stats.norm.pdf(x).sum(), np.tanh(mean + deviation * x)
    exact = weights @ values
    np.testing.assert_allclose(y, (exact, weights @ (values - exact) ** 2), atol=0.002)


def test_the_lesser_of_two_is_exact():
    y = least(Moments(jnp.asarray([1.0, 1.0]), jnp.asarray([0.5, 1.5])))
    # D ~ N(0, 2): E min = 1 - sqrt(2) phi(0); E min^2 = mean of the second moments - 2 sqrt(2) phi(0).
    smallest = 1 - 2**0.5 * PHI_0
    np.testing.assert_allclose(y, (smallest, 2.0 - 2**1.5 * PHI_0 - smallest**2), rtol=1e-5)


def test_the_least_of_five_equal_ones_and_of_five_others():
    y = least(Moments(jnp.zeros(5), jnp.ones(5)))
    assert float(y.mean) == pytest.approx(-1.16296, rel=0.01)
    mean, deviation = np.array([0.3, -0.5, 1.0, 0.1, -0.2]), np.array([0.2, 0.5, 0.1, 1.0, 0.7])
    drawn = (mean + deviation * np.random.default_rng(0).normal(size=(100_000, 5))).min(1)
    y = least(Moments(jnp.asarray(mean), jnp.asarray(deviation**2)))
    np.testing.assert_allclose(y.mean, drawn.mean(), rtol=0.01)
    np.testing.assert_allclose(y.variance, drawn.var(), rtol=0.1)


def test_without_variance_the_least_is_the_minimum():
    y = least(Moments(jnp.asarray([[2.0, 1.0], [1.0, 3.0], [1.0, 2.0]]), jnp.zeros((3, 2))))
    np.testing.assert_allclose(y, ([1.0, 1.0], [0.0, 0.0]), atol=1e-8)


@jax.jit
@jax.grad
def slopes(x: Moments) -> jax.Array:
    three = Moments(x.mean * jnp.ones(3), x.variance * jnp.ones(3))
    return jnp.stack([*rectified(x)[0], *squashed(x), *least(three)]).sum()


@pytest.mark.parametrize("variance", [0.0, 1e-30, 1.0])
@pytest.mark.parametrize("mean", [0.0, -2.0, 1e6])
def test_slopes_are_finite(mean: float, variance: float):
    assert all(np.isfinite(slope) for slope in slopes(Moments(jnp.asarray(mean), jnp.asarray(variance))))
