"""TD3+BC by hand: its target, its two losses, the order and number of its steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.model_free import td3, td3_bc
from micro_rl.core.networks import action_error, gaussian, mode
from micro_rl.core.optim import polyak_update
from micro_rl.core.settings import Settings
from micro_rl.errors import UserError
from tests.probes import coefficients, linear_critics, log_rows, steady_actor

SIZES = Settings(hidden_sizes=(8,)).sizes()


def learner(slow_action: float) -> td3.Learner:
    """Q_1 = s + 2 a, Q_2 = 3."""
    critics, slow = linear_critics([[1.0, 2.0], [0.0, 0.0]], [0.0, 3.0]), steady_actor([slow_action], obs=1)
    return td3.begin(steady_actor([0.0], obs=1), critics)._replace(slow_actor=slow)


def test_the_target_by_hand():
    batch = log_rows([0] * 4, [0] * 4, reward=[1] * 4, following=[0.5, 0.5, 5.0, 0.5], discount=[1, 1, 1, 0])
    noise = jnp.asarray([[1.0], [10.0], [-1.0], [0.0]])
    y = td3_bc.build(td3_bc.Options()).targets(learner(0.7), batch, noise, coefficients(discount=0.9))
    # a' = 0.9; 1 (cut at the bound); 0.5, where Q_2 = 3 is the smaller; the last row ends.
    np.testing.assert_allclose(y, [1 + 0.9 * 2.3, 1 + 0.9 * 2.5, 1 + 0.9 * 3, 1], rtol=1e-5)


def test_noise_is_cut_at_its_limit():
    actor, limits = steady_actor([0.1], obs=1), (jnp.asarray(0.2), jnp.asarray(0.5))
    action = td3.smoothed(actor, jnp.zeros((3, 1)), jnp.asarray([[1.0], [9.0], [-9.0]]), *limits)
    np.testing.assert_allclose(action[:, 0], [0.3, 0.6, -0.4], rtol=1e-5)


def test_the_actors_loss_by_hand():
    batch = log_rows([2.0, -5.0], [0.5, -0.5])
    loss = td3_bc.actor_loss(steady_actor([0.5], obs=1), learner(0.0).critics, batch, jnp.asarray(2.5))
    # Q_1 = s + 2 * 0.5 is 3 and -4: mean -0.5, mean size 3.5; the squared errors are 0 and 1.
    np.testing.assert_allclose(loss, 0.5 + 2.5 * 0.5 / 3.5, rtol=1e-5)


def test_no_gradient_flows_through_the_weight_and_weight_0_is_cloning():
    batch, critics = log_rows([2.0, -5.0], [0.9, -0.5]), learner(0.0).critics
    actor = steady_actor([0.3], obs=1)

    def gradient(weight: float):
        return jax.grad(td3_bc.actor_loss)(actor, critics, batch, jnp.asarray(weight))

    cloning = jax.grad(action_error)(actor, batch.now.observation, batch.now.action)
    jax.tree.map(np.testing.assert_array_equal, gradient(0.0), cloning)
    # dQ_1/da is 2 everywhere and mean|Q_1| = 3.5, so the pull of the critics on the mean's bias is as follows.
    pull = gradient(7.0).biases[-1][0] - cloning.biases[-1][0]
    np.testing.assert_allclose(pull, -7.0 * 2.0 / ((2.6 + 4.4) / 2) * (1 - 0.3**2), rtol=1e-5)


def test_the_actor_is_pulled_back_from_actions_the_log_has_not():
    batch = log_rows([0.0], [0.2]).now
    far, near = (jax.grad(action_error)(steady_actor([a], obs=1), batch.observation, batch.action) for a in (0.9, -0.9))
    assert far.biases[-1][0] > 0  # descent lowers the action
    assert near.biases[-1][0] < 0


def test_two_steps_of_the_critics_then_one_of_the_actor_and_of_the_slow_copies():
    method, c = td3_bc.build(td3_bc.Options(policy_delay=2)), coefficients()
    agent = method.start(jax.random.key(0), 1, 1, SIZES, 1.0)
    given = log_rows([0.1, 0.2, 0.3, 0.4], [0, 0.5, -0.5, 1], reward=[1, 2, 3, 4], following=[1, 1, 1, 1])
    moved, logged = jax.jit(lambda agent: method.update(agent, given, jax.random.key(1), c))(agent)
    assert (int(moved.actor_moments.count), int(moved.critic_moments.count)) == (1, 2)
    expected = (
        polyak_update(agent.slow_actor, moved.actor, c.tau),
        polyak_update(agent.slow_critics, moved.critics, 0.005),
    )
    close = (moved.slow_actor, moved.slow_critics)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), close, expected)
    assert set(logged) == {"loss/critic", "loss/actor", "q/real", "q/target"}
    _, log_std = gaussian(moved.actor, given.now.observation)
    np.testing.assert_array_equal(log_std, -5.0)
    assert (np.abs(mode(moved.actor, given.now.observation)) < 1).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alpha": -1.0}, "alpha: -1.0 is not a number of at least 0"),
        ({"noise_clip": float("nan")}, "noise_clip: nan is not a number of at least 0"),
        ({"policy_delay": 0}, "policy_delay: 0 is not a number of at least 1"),
    ],
)
def test_options_that_cannot_work_are_refused(changes, message: str):
    with pytest.raises(UserError, match=f"^{message}$"):
        td3_bc.build(td3_bc.Options(**changes))
