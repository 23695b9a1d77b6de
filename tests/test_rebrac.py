"""ReBRAC by hand: its target with and without a known next action, its actor's loss, its normalised critics."""

import jax
import jax.numpy as jnp
import numpy as np

from micro_rl.algorithms.model_free import rebrac, td3
from micro_rl.core.networks import NormalisedMLP, normalised, q_values, uniform_mlp
from micro_rl.core.settings import Settings
from tests.probes import coefficients, linear_critics, log_rows, steady_actor

SIZES = Settings(hidden_sizes=(8,)).sizes()
CRITICS = linear_critics([[1.0, 2.0], [0.0, 0.0]], [0.0, 3.0])


def learner(slow_action: float) -> td3.Learner:
    slow = steady_actor([slow_action], obs=1)
    return td3.begin(steady_actor([0.0], obs=1), CRITICS)._replace(slow_actor=slow)


def test_the_target_by_hand():
    method = rebrac.build(rebrac.Options(critic_weight=0.5))
    rows = log_rows(
        [0.0] * 3,
        [0.0] * 3,
        reward=[1.0] * 3,
        following=[0.5] * 3,
        discount=[1.0, 1.0, 0.0],
        next_action=[-0.1, 0.0, 0.0],
        continued=[1.0, 0.0, 0.0],
    )
    y = method.targets(learner(0.7), rows, jnp.asarray([[1.0], [1.0], [1.0]]), coefficients(discount=0.9))
    # a' = 0.9 and Q = 2.3; the first row pays for (0.9 + 0.1)^2, the second goes on unseen, the third has ended.
    np.testing.assert_allclose(y, [1 + 0.9 * (2.3 - 0.5), 1 + 0.9 * 2.3, 1.0], rtol=1e-5)


def test_a_target_further_from_the_log_is_lower():
    rows = log_rows([0.0], [0.0], following=[9.0], next_action=[0.0])  # Q_2 = 3 is the smaller whatever is done
    method, c = rebrac.build(rebrac.Options(critic_weight=1.0, policy_noise=0.0)), coefficients()
    near, far = (method.targets(learner(action), rows, jnp.zeros((1, 1)), c) for action in (0.1, 0.9))
    assert far[0] < near[0]


def test_the_actors_loss_by_hand():
    rows = log_rows([2.0, -5.0], [0.5, -0.5])
    loss = rebrac.actor_loss(steady_actor([0.5], obs=1), CRITICS, rows, jnp.asarray(0.1))
    # Q_1 is 3 and -4, the smaller values too; the squared distances are 0 and 1.
    np.testing.assert_allclose(loss, 0.1 * 0.5 + 0.5 / 3.5, rtol=1e-5)


def test_the_actor_is_pulled_back_from_actions_the_log_has_not():
    rows, blind = log_rows([1.0], [0.2]), linear_critics([[1.0, 0.0]] * 2, [0.0] * 2)
    pull = lambda a: jax.grad(rebrac.actor_loss)(steady_actor([a], obs=1), blind, rows, jnp.asarray(0.1))  # noqa: E731
    assert pull(0.9).biases[-1][0] > 0 > pull(-0.9).biases[-1][0]  # descent lowers the one and raises the other


def test_normalised_layers_by_hand():
    net = uniform_mlp(jax.random.key(0), (2, 5, 1), (3,))
    hidden = np.maximum(
        np.einsum("ri,kio->kro", np.ones((4, 2)), net.weights[0]) + np.asarray(net.biases[0])[:, None], 0
    )
    units = (hidden - hidden.mean(-1, keepdims=True)) / np.sqrt(hidden.var(-1, keepdims=True) + 1e-6)
    expected = np.einsum("kro,koq->krq", units, net.weights[1]) + np.asarray(net.biases[1])[:, None]
    ones = jnp.ones((4, 1))
    np.testing.assert_allclose(q_values(normalised(net), ones, ones), expected[..., 0], rtol=1e-4, atol=1e-5)


def test_scales_and_shifts_are_learned():
    method = rebrac.build(rebrac.Options())
    agent = method.start(jax.random.key(0), 1, 1, SIZES, 1.0)
    rows = log_rows([0.1, 0.2], [0.3, -0.4], reward=[1.0, -1.0], next_action=[0.1, 0.1], continued=[1.0, 0.0])
    moved, logged = jax.jit(lambda agent: method.update(agent, rows, jax.random.key(1), coefficients()))(agent)
    assert isinstance(moved.critics, NormalisedMLP) and isinstance(agent.critics, NormalisedMLP)
    assert not np.array_equal(moved.critics.scales[0], agent.critics.scales[0])
    assert not np.array_equal(moved.critics.shifts[0], agent.critics.shifts[0])
    assert float(logged["rows/continued"]) == 0.5
