"""IQL by hand: its three losses, the limits of the expectile, and that no unseen action is ever valued."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.model_free import iql
from micro_rl.core.networks import MLP, gaussian, q_values, state_values
from micro_rl.core.optim import adam_step, init_opt_state
from micro_rl.core.settings import Settings
from micro_rl.errors import UserError
from tests.probes import coefficients, linear, log_rows, steady_actor

SIZES = Settings(hidden_sizes=(8,)).sizes()


def constant_value(value: float):
    return linear([[0.0]], [value])


def test_the_value_loss_by_hand():
    rows, q = log_rows([0.0, 0.0], [0.0, 0.0]).now, jnp.asarray([3.0, 0.0])
    loss, v = iql.value_loss(constant_value(1.0), rows, q, jnp.asarray(0.7))
    np.testing.assert_allclose(loss, (0.7 * 4 + 0.3 * 1) / 2, rtol=1e-6)
    np.testing.assert_array_equal(v, [1.0, 1.0])


def lowest_point(expectile: float, q: np.ndarray) -> float:
    """The V at which the loss is least, by gradient descent on one number."""
    rows = log_rows([0.0] * len(q), [0.0] * len(q)).now

    def slope(v: jax.Array) -> jax.Array:
        def loss(v):
            value = MLP((jnp.zeros((1, 1)),), (v[None],))
            return iql.value_loss(value, rows, jnp.asarray(q, jnp.float32), jnp.asarray(expectile))[0]

        return jax.grad(loss)(v)

    v = jax.jit(lambda: jax.lax.fori_loop(0, 4000, lambda _, v: v - slope(v), jnp.asarray(0.0)))()
    return float(v)


@pytest.mark.parametrize(("expectile", "expected"), [(0.5, 2.0), (0.999, 5.0), (0.001, 0.0)])
def test_an_expectile_of_a_half_is_the_mean_and_towards_1_the_largest(expectile: float, expected: float):
    q = np.array([0.0, 1.0, 2.0, 5.0])
    assert lowest_point(expectile, q) == pytest.approx(expected, abs=0.02)


def test_the_expectile_between_by_hand():
    # Of 0 and 1 at 0.7: 0.7 (1 - v) = 0.3 v.
    assert lowest_point(0.7, np.array([0.0, 1.0])) == pytest.approx(0.7, abs=1e-4)


def test_better_actions_are_cloned_more_and_no_more_than_a_hundredfold():
    weight = iql.cloning_weight(jnp.asarray([0.0, 1.0, -1.0, 50.0]), jnp.asarray(3.0))
    np.testing.assert_allclose(weight, [1.0, np.exp(3.0), np.exp(-3.0), 100.0], rtol=1e-5)


def test_the_cloning_loss_by_hand():
    rows, weight = log_rows([0.0, 0.0], [0.9, 0.5]).now, jnp.asarray([2.0, 1.0])
    loss = iql.cloning_loss((steady_actor([0.5], obs=1), jnp.log(jnp.asarray([0.2]))), rows, weight)
    density = -0.5 * np.log(2 * np.pi) - np.log(0.2)
    np.testing.assert_allclose(loss, -(2 * (density - 0.5 * 2.0**2) + density) / 2, rtol=1e-5)


def test_the_actor_moves_to_the_better_action():
    rows, actor = log_rows([0.0, 0.0], [0.9, -0.9]).now, steady_actor([0.0], obs=1)
    pull = jax.jit(jax.grad(iql.cloning_loss))((actor, jnp.zeros(1)), rows, jnp.asarray([3.0, 1.0]))[0]
    assert pull.biases[-1][0] < 0  # descent raises the action


def test_an_update_is_value_then_actor_then_critics_on_the_new_value():
    method, c = iql.build(iql.Options()), coefficients(discount=0.9)
    agent = method.start(jax.random.key(0), 1, 1, SIZES, 1.0)
    rows = log_rows([0.1, 0.4], [0.2, -0.3], reward=[1.0, 2.0], following=[0.3, 0.5], discount=[1.0, 0.0])
    moved, logged = jax.jit(lambda agent: method.update(agent, rows, jax.random.key(1), c))(agent)

    @jax.jit
    def by_hand(agent):
        q = jnp.min(q_values(agent.slow_critics, rows.now.observation, rows.now.action), axis=0)
        gradient = jax.grad(lambda v: iql.value_loss(v, rows.now, q, method.expectile)[0])(agent.value)
        value, _ = adam_step(agent.value, gradient, init_opt_state(agent.value), c.critic_lr)
        y = rows.now.reward + 0.9 * rows.now.discount * state_values(value, rows.now.next_observation)
        advantage = q - state_values(value, rows.now.observation)
        return value, jnp.mean(y), jnp.mean(jnp.exp(3 * advantage))

    value, target, weight = by_hand(agent)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), moved.value, value)
    np.testing.assert_allclose(logged["q/target"], target, rtol=1e-5)
    np.testing.assert_allclose(logged["cloning_weight"], weight, rtol=1e-5)
    np.testing.assert_array_equal(jax.jit(gaussian)(moved.actor, rows.now.observation)[1], -5.0)
    assert moved.log_std[0] != 0


def test_what_the_policy_would_do_changes_no_value():
    method, c = iql.build(iql.Options()), coefficients()
    agent = method.start(jax.random.key(0), 1, 1, SIZES, 1.0)
    other = agent._replace(actor=method.start(jax.random.key(5), 1, 1, SIZES, 1.0).actor)
    rows = log_rows([0.1, 0.4], [0.2, -0.3])
    update = jax.jit(lambda agent: method.update(agent, rows, jax.random.key(1), c)[0])
    one, two = update(agent), update(other)
    jax.tree.map(np.testing.assert_array_equal, (one.critics, one.value), (two.critics, two.value))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"expectile": 1.0}, "expectile: 1.0 is not below 1"),
        ({"inverse_temperature": -1.0}, "inverse_temperature: -1.0 is not 0 or more"),
    ],
)
def test_options_that_cannot_work_are_refused(changes, message: str):
    with pytest.raises(UserError, match=f"^{message}"):
        iql.build(iql.Options(**changes))
