"""The model's estimate of a return, counted by hand on a model that counts its steps."""

import jax
import jax.numpy as jnp
import pytest

from micro_rl.algorithms.value_estimates import critic_estimate, model_estimate
from micro_rl.dynamics.termination_rules import ByRule, never
from tests.probes import linear_critics, plain_units, pointing_ensemble, steady_actor

COUNTER = pointing_ensemble([[1.0]] * 2, [1.0] * 2, act=1)
"""s' = s + 1 with reward 1, by both members."""


def past_2_5(observation):
    return observation[..., 0] > 2.5


def estimate(rule, reward_scale: float) -> float:
    units = plain_units(1, 1)._replace(reward_scale=jnp.asarray(reward_scale))
    starts, key = jnp.zeros((5, 1)), jax.random.key(0)
    actor = steady_actor([0.0], obs=1)
    return float(model_estimate(actor, COUNTER, units, starts, key, ends=ByRule(rule), horizon=6))


def test_six_rewards_of_one_count_in_raw_units():
    assert estimate(never, 4.0) == pytest.approx(24.0, abs=1e-3)


def test_the_reward_of_the_step_that_ends_an_episode_counts_and_no_later_one():
    assert estimate(past_2_5, 1.0) == pytest.approx(3.0, abs=1e-3)


def test_the_critics_estimate_is_the_least_of_them_in_raw_units():
    critics = linear_critics([[1.0, 0.0], [2.0, 0.0]], [0.5, 0.0])  # s + 0.5 and 2 s: at 0 and 1 the least are 0, 1.5
    units = plain_units(1, 1)._replace(reward_scale=jnp.asarray(4.0))
    starts = jnp.asarray([[0.0], [1.0]])
    assert float(critic_estimate(steady_actor([0.0], obs=1), critics, units, starts)) == pytest.approx(4 * 0.75)
