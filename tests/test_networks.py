"""Networks against numbers worked out by hand, by SciPy and by numerical integration."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from micro_rl.core.constants import LOG_STD_MAX, LOG_STD_MIN
from micro_rl.core.networks import MLP, gaussian, normal_mlp, q_values, sample, uniform_mlp
from tests.probes import linear, linear_critics


def actor_with(mean: list[float], log_std: list[float]) -> MLP:
    """The same Gaussian at every observation of width 1."""
    return linear(np.zeros((1, 2 * len(mean))), [*mean, *log_std])


ORIGIN = jnp.zeros((1, 1))


def test_two_layers_by_hand():
    net = MLP((jnp.asarray([[1.0, -1.0]]), jnp.asarray([[2.0], [3.0]])), (jnp.asarray([0.0, 1.0]), jnp.ones(1)))
    # x = 2: hidden relu(2, -1) = (2, 0), so 4 + 1; x = -2: relu(-2, 3) = (0, 3), so 9 + 1.
    assert net(jnp.asarray([[2.0], [-2.0]]), jax.nn.relu).ravel().tolist() == [5.0, 10.0]


def test_a_stack_is_its_networks_side_by_side():
    stack = uniform_mlp(jax.random.key(0), (3, 8, 2), (4,))
    x = jax.random.normal(jax.random.key(1), (5, 3))
    together = stack(x, jax.nn.relu)
    assert together.shape == (4, 5, 2)
    for i in range(4):
        alone = jax.tree.map(lambda leaf: leaf[i], stack)  # noqa: B023
        np.testing.assert_allclose(together[i], alone(x, jax.nn.relu), rtol=1e-5, atol=1e-6)


def test_first_weights_are_uniform_within_the_fan_in():
    net = uniform_mlp(jax.random.key(0), (16, 400, 3))
    for weight, bias, fan_in in zip(net.weights, net.biases, (16, 400), strict=True):
        assert float(jnp.abs(weight).max()) <= fan_in**-0.5
        assert float(jnp.abs(bias).max()) <= fan_in**-0.5
    bound = 16**-0.5
    first = np.asarray(net.weights[0]).ravel()
    assert stats.kstest(first, stats.uniform(-bound, 2 * bound).cdf).pvalue > 1e-3


def test_first_dynamics_weights_are_normal_and_biases_zero():
    net = normal_mlp(jax.random.key(0), (25, 300), (2,))
    weights = np.asarray(net.weights[0]).ravel()
    assert stats.kstest(weights, stats.norm(0, 1 / (2 * 5)).cdf).pvalue > 1e-3
    assert not np.asarray(net.biases[0]).any()
    assert not np.array_equal(net.weights[0][0], net.weights[0][1])


@given(st.floats(-2, 2), st.floats(-3, 1), st.floats(-3, 3))
def test_log_probability_is_the_change_of_variables(mean: float, log_std: float, noise: float):
    action, log_prob = sample(actor_with([mean], [log_std]), ORIGIN, jnp.asarray([[noise]]))
    u = mean + np.exp(log_std) * noise
    expected = stats.norm.logpdf(u, mean, np.exp(log_std)) - 2 * np.log(1 / np.cosh(u))
    assert float(action[0, 0]) == pytest.approx(np.tanh(u), abs=1e-5)
    assert float(log_prob[0]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("mean", "log_std"), [(0.0, -1.0), (0.8, 0.0), (-1.0, 0.5)])
def test_density_over_actions_integrates_to_one(mean: float, log_std: float):
    noise = jnp.linspace(-8, 8, 20_001)[:, None]
    action, log_prob = sample(actor_with([mean], [log_std]), jnp.zeros((len(noise), 1)), noise)
    density, at = np.exp(np.asarray(log_prob, np.float64)), np.asarray(action[:, 0], np.float64)
    assert np.trapezoid(density, at) == pytest.approx(1, abs=2e-3)


def test_dimensions_add_up():
    noise = jnp.asarray([[0.3, -1.2]])
    _, both = sample(actor_with([0.1, -0.4], [0.2, -0.5]), ORIGIN, noise)
    _, first = sample(actor_with([0.1], [0.2]), ORIGIN, noise[:, :1])
    _, second = sample(actor_with([-0.4], [-0.5]), ORIGIN, noise[:, 1:])
    assert float(both[0]) == pytest.approx(float(first[0] + second[0]), rel=1e-5)


@pytest.mark.parametrize("mean", [-1e3, -30.0, 30.0, 1e3])
def test_saturated_actions_have_a_finite_log_probability_and_slope(mean: float):
    def log_prob(mean):
        actor = linear(jnp.zeros((1, 2)), jnp.stack([mean, jnp.zeros(())]))
        action, value = sample(actor, ORIGIN, jnp.ones((1, 1)))
        return value[0], action[0, 0]

    (value, action), slope = jax.value_and_grad(log_prob, has_aux=True)(jnp.asarray(mean))
    assert abs(float(action)) == 1.0
    u = mean + 1.0
    # Far out log(1 - tanh(u)^2) is log 4 - 2 |u|.
    exact = -0.5 * (1 + np.log(2 * np.pi)) + 2 * abs(u) - np.log(4)
    assert float(value) == pytest.approx(exact, rel=1e-5)
    assert float(slope) == pytest.approx(2 * np.sign(mean), rel=1e-5)


def test_log_deviation_is_clamped():
    _, log_std = gaussian(actor_with([0.0, 0.0], [-99.0, 99.0]), ORIGIN)
    assert log_std[0].tolist() == [LOG_STD_MIN, LOG_STD_MAX] == [-5.0, 2.0]


def test_every_critic_values_every_row():
    critics = linear_critics([[1.0, 2.0], [3.0, -1.0], [0.0, 0.0]], [0.0, 1.0, 7.0])
    values = q_values(critics, jnp.asarray([[2.0], [0.5]]), jnp.asarray([[1.0], [-1.0]]))
    assert values.tolist() == [[4.0, -1.5], [6.0, 3.5], [7.0, 7.0]]
