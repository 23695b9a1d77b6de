"""Behaviour cloning finds the policy behind the actions."""

import jax
import jax.numpy as jnp
import numpy as np

from micro_rl.algorithms.export import export
from micro_rl.algorithms.model_free import bc
from micro_rl.core.constants import LOG_STD_MIN
from micro_rl.core.networks import MLP, action_error, gaussian
from micro_rl.core.types import Scaling, Transition


def linear_log(rows: int) -> Transition:
    """Actions 0.5 s0 - 0.3 s1 and 0.2 s1."""
    observation = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (rows, 2)), jnp.float32)
    action = observation @ jnp.asarray([[0.5, 0.0], [-0.3, 0.2]])
    ones = jnp.ones(rows)
    return Transition(observation, action, ones, observation, ones)


def test_recovers_a_linear_policy() -> None:
    log = linear_log(2000)
    actor, errors = bc.clone(log, jax.random.key(0), 3e-3, updates=800, batch=64, hidden=(32,))
    assert errors.shape == (800,)
    assert errors[:10].mean() > 0.02 and errors[-100:].mean() < 1e-4
    units = np.ones(2, np.float32)
    scaling = Scaling(3 * units, 2 * units, 0 * units, 5 * units, np.ones((), np.float32))
    policy = export(actor, jax.tree.map(jnp.asarray, scaling), None)
    core = np.array([0.4, -0.6])
    np.testing.assert_allclose(policy(core * 2 + 3), 5 * np.array([0.38, -0.12]), atol=0.1)


def test_the_error_by_hand() -> None:
    actor = MLP((jnp.zeros((2, 4)),), (jnp.asarray([np.arctanh(0.5), 0.0, 9.0, 9.0], jnp.float32),))
    rows = Transition(*map(jnp.asarray, ([[1.0, 2.0]], [[-1.0, 0.5]], [0.0], [[0.0, 0.0]], [1.0])))
    np.testing.assert_allclose(action_error(actor, rows.observation, rows.action), (1.5**2 + 0.5**2) / 2, rtol=1e-6)


def test_an_update_lowers_the_error_and_leaves_the_spread() -> None:
    log = linear_log(100)
    cloner = bc.start(jax.random.key(0), 2, 2, (16,))
    moved, before = jax.jit(bc.update)(cloner, log, jnp.asarray(1e-3))
    np.testing.assert_allclose(before, action_error(cloner.actor, log.observation, log.action), rtol=1e-6)
    assert action_error(moved.actor, log.observation, log.action) < before
    _, log_std = gaussian(moved.actor, log.observation)
    np.testing.assert_array_equal(log_std, LOG_STD_MIN)
