"""Rollouts of whole windows, counted by hand on models that count their steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.core.expression import parse
from micro_rl.core.types import Transition
from micro_rl.dynamics.known_reward import KnownReward
from micro_rl.dynamics.support import reference
from micro_rl.dynamics.termination_rules import ByRule, never
from micro_rl.trust.actors import Judged, plain
from micro_rl.trust.early import EarlyJudge
from micro_rl.trust.judge import Judge
from micro_rl.trust.rollouts import Starts, roll_out
from tests.probes import plain_units, pointing_ensemble, steady_actor
from tests.trust import line_world

ACTOR = Judged(steady_actor([0.0], obs=1), jnp.ones(1), jnp.zeros(1), jnp.zeros(1))


def judge_of(changes: list[list[float]], rewards: list[float], allowed: float = np.inf, **changed) -> Judge:
    """Members that step by so much and pay so much; the log has been from 0 to 10, everywhere."""
    x = np.linspace(0, 10, 400, dtype=np.float32)[:, None]
    log = Transition(*map(jnp.asarray, (x, 0 * x, x[:, 0], x, np.ones(400, np.float32))))
    known = jax.tree.map(lambda leaf: jnp.stack([leaf] * len(rewards)), reference(log, np.arange(400)))
    units = plain_units(1, 1)._replace(**changed)
    limits = jnp.asarray(1.0 if np.isfinite(allowed) else jnp.inf), jnp.asarray(allowed)
    return Judge(pointing_ensemble(changes, rewards, act=1), known, jnp.asarray([0.5, 0.05, 9.0]), *limits, units, 1)


def windows(judge: Judge, rule=never, starts=(0.0, 0.0), ends=(-9.0, 9.0), length=6, **more):
    rewards = jnp.asarray(ends[0]), jnp.asarray(ends[1])
    first = Starts(jnp.asarray(starts)[:, None])
    return roll_out(judge, ACTOR, first, rewards, ByRule(rule), jax.random.key(0), length=length, **more)


def test_six_rewards_of_one_count_in_raw_units():
    collected = windows(judge_of([[1.0]] * 2, [1.0] * 2, reward_scale=jnp.asarray(4.0)))
    np.testing.assert_allclose(collected.total, 24.0, atol=1e-3)
    np.testing.assert_allclose(collected.known, 24.0, atol=1e-3)
    assert np.asarray(collected.lived).tolist() == [[6, 6], [6, 6]]


def test_a_member_keeps_its_rollout_from_start_to_end():
    """Members that pay 1 and 3 give windows of 6 and 18, never a mixture."""
    collected = windows(judge_of([[1.0]] * 2, [1.0, 3.0]))
    np.testing.assert_allclose(collected.total, [[6, 6], [18, 18]], atol=1e-3)


def test_the_reward_of_the_step_that_ends_an_episode_counts_and_no_later_one():
    collected = windows(judge_of([[1.0]] * 2, [1.0] * 2), rule=lambda observation: observation[..., 0] > 2.5)
    np.testing.assert_allclose(collected.total, 3.0, atol=1e-3)


def test_no_member_pays_more_than_the_log_ever_did():
    np.testing.assert_allclose(windows(judge_of([[1.0]] * 2, [5.0] * 2), ends=(0.0, 2.0)).total, 12.0, atol=1e-3)


def test_what_is_known_as_a_formula_is_paid_in_full_though_no_row_ever_paid_it():
    """From 0 in steps of 1, six of them: 1 + 2 + 3 and three times 100, where members pay 5 and the log at most 2."""
    formula = KnownReward(parse("next_x * (next_x < 3.5) + 100 * (next_x > 3.5)", ["next_x"]), ("x",), ("u",))
    judge = judge_of([[1.0]] * 2, [5.0] * 2, reward_scale=jnp.asarray(4.0))
    np.testing.assert_allclose(windows(judge, ends=(0.0, 2.0), known_reward=formula).total, 306.0, atol=1e-2)


def test_a_rollout_is_unknown_once_it_has_left_the_log_for_longer_than_true_windows_do():
    """From 8 in steps of 1: at 9 and 10 inside; from 11 on outside; one step outside is allowed."""
    collected = windows(judge_of([[1.0]] * 2, [1.0] * 2, allowed=1.0), starts=(8.0, 2.0))
    assert np.asarray(collected.outside)[0].tolist() == [4, 0]
    assert np.asarray(collected.unknown)[0].tolist() == [3, 0]
    np.testing.assert_allclose(np.asarray(collected.known)[0], [3, 6], atol=1e-3)


def test_steps_that_break_the_limits_are_counted():
    collected = windows(judge_of([[1.0]] * 2, [1.0] * 2), limits=lambda observation: observation[..., 0] > 3.5)
    assert np.asarray(collected.violations)[0].tolist() == [3, 3]


def test_exogenous_columns_come_from_the_log():
    judge = judge_of([[1.0]] * 2, [1.0] * 2)
    replayed = jnp.full((6, 2, 1), 5.0)
    starts = Starts(jnp.zeros((2, 1)), replayed, jnp.asarray([True]))
    rewards = jnp.asarray(-9.0), jnp.asarray(9.0)
    collected = roll_out(
        judge, ACTOR, starts, rewards, ByRule(never), jax.random.key(0), length=6, limits=lambda o: o[..., 0] != 5.0
    )
    assert np.asarray(collected.violations).max() == 0


def test_a_run_is_followed_by_its_windows_less_those_of_the_log():
    """Members that stand still and pay 0: the difference is what the log lost."""
    dataset = line_world.log(episodes=40)
    early = EarlyJudge(dataset)
    apart = early(
        plain(steady_actor([0.0], obs=1), 1),
        pointing_ensemble([[0.0]] * 2, [0.0] * 2, act=1),
        plain_units(1, 1),
        ByRule(never),
        jax.random.key(0),
    )
    assert early.length == 5
    assert apart.difference == pytest.approx(-early.measured, rel=0.2)
    assert apart.low < apart.difference < apart.high
