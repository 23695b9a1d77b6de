"""Rollouts in hand-made ensembles: who serves a row, when it stops, and in which units that is decided."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from micro_rl.algorithms.rollout import RowRules, in_blocks, rollout, sample_ensemble
from micro_rl.algorithms.slots import AsPredicted, RolloutTransform
from micro_rl.core.types import Rollout, Scaling, Transition
from micro_rl.dynamics.termination_rules import ByRule, never
from tests.probes import plain_units, pointing_ensemble, steady_actor

MEMBERS, ELITES, ROWS = 5, 3, 300
AS_PREDICTED = AsPredicted()
NEVER = ByRule(never)
compiled = jax.jit(rollout, static_argnums=(1, 7))
compiled_sample = jax.jit(sample_ensemble)


def numbered_starts(rows: int) -> jax.Array:
    """Each start carries its number in the first column and 0 in the second."""
    return jnp.asarray(np.stack([np.arange(rows), np.zeros(rows)], axis=-1), jnp.float32)


def rolled(
    key: int, rows: int = ROWS, length: int = 2, ends=NEVER, transform: RolloutTransform = AS_PREDICTED, scaling=None
):
    """A rollout in which each member gives its own number as the reward and adds 1 to the second column."""
    ensemble = pointing_ensemble([[0.0, 1.0]] * MEMBERS, list(range(MEMBERS)), act=1)
    return compiled(
        ensemble,
        ELITES,
        steady_actor([0.25], obs=2, log_std=-5.0),
        RowRules(transform, ()),
        ends,
        scaling or plain_units(2, 1),
        numbered_starts(rows),
        length,
        jax.random.key(key),
    )


def servers(key: int) -> np.ndarray:
    """Which elite served each start at each step: [step, start]."""
    rows = rolled(key).rows
    reward = np.asarray(rows.reward).reshape(2, ROWS)
    start = np.asarray(rows.observation)[:, 0].reshape(2, ROWS).round().astype(int)
    return np.take_along_axis(reward.round().astype(int), np.argsort(start, axis=1), axis=1)


def test_each_step_shares_the_rows_equally_among_the_elites():
    for step in servers(0):
        assert np.bincount(step).tolist() == [ROWS // ELITES] * ELITES


def test_a_start_meets_every_elite_equally_often_and_anew_at_every_step():
    first, second = servers(0)
    table = np.zeros((ELITES, ELITES))
    np.add.at(table, (first, second), 1)
    probability = float(np.asarray(stats.chi2_contingency(table)[1]))
    assert probability > 1e-3
    by_start = np.stack([servers(key)[0] for key in range(40)])
    meetings = np.stack([(by_start == elite).sum(0) for elite in range(ELITES)])
    assert stats.chisquare(meetings.ravel()).pvalue > 1e-3


def test_every_step_goes_on_from_the_one_before():
    rows = rolled(0, length=3).rows
    steps = np.asarray(rows.observation).reshape(3, ROWS, 2)
    for number, step in enumerate(steps):
        assert sorted(step[:, 0].round().astype(int).tolist()) == list(range(ROWS))
        np.testing.assert_allclose(step[:, 1], number, atol=1e-3)
    np.testing.assert_allclose(rows.next_observation, np.add(rows.observation, [[0.0, 1.0]]), atol=1e-3)
    assert np.asarray(rows.discount).all()
    assert rolled(0, length=3).valid.all()


def test_actions_are_the_policys():
    np.testing.assert_allclose(np.asarray(rolled(0).rows.action), 0.25, atol=0.05)
    assert np.unique(np.asarray(rolled(0).rows.action)).size > ROWS


def second_past_13(observation):
    return observation[..., 1] > 13.0


def test_a_row_stops_where_the_rule_says_so_in_raw_units():
    # Raw = 10 + 2 core, and the core value grows by 1: raw 12, 14 (past 13: ends), 16, 18.
    units = plain_units(2, 1)
    units = Scaling(jnp.full(2, 10.0), jnp.full(2, 2.0), units.action_mid, units.action_half, units.reward_scale)
    rollout = rolled(0, length=4, ends=ByRule(second_past_13), scaling=units)
    assert np.asarray(rollout.valid).reshape(4, ROWS).all(1).tolist() == [True, True, False, False]
    assert np.asarray(rollout.valid).reshape(4, ROWS).any(1).tolist() == [True, True, False, False]
    discount = np.asarray(rollout.rows.discount).reshape(4, ROWS)
    assert discount[0].all()
    assert not discount[1].any()


def second_about_2(observation):
    return (observation[..., 1] > 1.5) & (observation[..., 1] < 2.5)


def test_a_row_that_ended_stays_ended_although_its_state_is_healthy_again():
    """The second column goes 1, 2 (ends), 3, 4."""
    rollout = rolled(0, length=4, ends=ByRule(second_about_2))
    valid = np.asarray(rollout.valid).reshape(4, ROWS)
    assert valid.all(1).tolist() == valid.any(1).tolist() == [True, True, False, False]


def first_below_9_5(observation):
    return observation[..., 0] < 9.5


def test_only_the_rows_that_end_stop():
    rollout = rolled(0, length=3, ends=ByRule(first_below_9_5))
    number = np.asarray(rollout.rows.observation)[:, 0].round().reshape(3, ROWS)
    valid = np.asarray(rollout.valid).reshape(3, ROWS)
    assert valid[0].all()
    for step in (1, 2):
        np.testing.assert_array_equal(valid[step], number[step] >= 10)


class HaltEvenElites(RolloutTransform):
    """Ends a row that an elite of even number served, for the reward 7."""

    def __call__(self, ensemble, method_state, rows: Transition) -> Transition:
        even = jnp.round(rows.reward) % 2 == 0
        return rows._replace(reward=jnp.where(even, 7.0, rows.reward), discount=jnp.where(even, 0.0, rows.discount))


def test_a_methods_transform_may_end_rows_and_change_rewards():
    rollout = rolled(0, transform=HaltEvenElites())
    reward, valid = (np.asarray(x).reshape(2, ROWS) for x in (rollout.rows.reward, rollout.valid))
    start = np.asarray(rollout.rows.observation)[:, 0].round().reshape(2, ROWS)
    assert (np.isclose(reward[0], 7) | np.isclose(reward[0], 1, atol=1e-3)).all()
    halted = start[0][np.isclose(reward[0], 7)]
    np.testing.assert_array_equal(valid[1], ~np.isin(start[1], halted))


def shares(rows: int, elites: int) -> np.ndarray:
    ensemble = pointing_ensemble([[0.0]] * elites, list(range(elites)), act=1)
    nowhere = jnp.zeros((rows, 1))
    outcome = np.asarray(compiled_sample(ensemble, nowhere, nowhere, jax.random.key(0)))
    assert outcome.shape == (rows, 2)
    return np.bincount(outcome[:, 1].round().astype(int), minlength=elites)


@pytest.mark.parametrize(("rows", "elites"), [(10, 5), (7, 1), (6, 3)])
def test_shares_are_equal(rows: int, elites: int):
    assert (shares(rows, elites) == rows // elites).all()


@pytest.mark.parametrize(("rows", "elites"), [(6, 5), (11, 5), (100, 7)])
def test_shares_differ_by_one_at_most_where_they_cannot_be_equal(rows: int, elites: int):
    assert np.ptp(shares(rows, elites)) <= 1


def test_noise_has_the_deviation_that_the_model_says():
    ensemble = pointing_ensemble([[0.5]], [1.0], act=1, std=0.3)
    ones, zeros = jnp.ones((4000, 1)), jnp.zeros((4000, 1))
    outcome = np.asarray(compiled_sample(ensemble, ones, zeros, jax.random.key(0)))
    assert stats.kstest(outcome[:, 0], stats.norm(1.5, 0.3).cdf).pvalue > 1e-3
    assert stats.kstest(outcome[:, 1], stats.norm(1.0, 0.3).cdf).pvalue > 1e-3


def echo(branches, key: jax.Array) -> Rollout:
    """Rows as they come, with the block's own random number as the reward."""
    observation, alive = branches
    reward = jnp.full(alive.shape, jax.random.uniform(key))
    return Rollout(Transition(observation, observation, reward, observation, jnp.ones(alive.shape)), alive)


@jax.jit
def echoed(observation: jax.Array, alive: jax.Array, key: jax.Array) -> Rollout:
    return in_blocks(echo, (observation, alive), ELITES, key)


@pytest.mark.parametrize(("rows", "blocks"), [(1, 1), (4096, 1), (4097, 2), (10_001, 3)])
def test_blocks_lose_no_row_and_draw_for_themselves(rows: int, blocks: int):
    rollout = echoed(numbered_starts(rows), jnp.asarray(np.arange(rows) % 2 == 0), jax.random.key(0))
    number = np.asarray(rollout.rows.observation)[:, 0].astype(int)
    assert sorted(number.tolist()) == list(range(rows))
    np.testing.assert_array_equal(rollout.valid, number % 2 == 0)
    assert np.unique(np.asarray(rollout.rows.reward)).size == blocks


def test_blocks_share_their_rows_equally():
    rollout = rolled(0, rows=10_001, length=2)
    for step in np.asarray(rollout.rows.reward).round().astype(int).reshape(2, -1):
        assert np.ptp(np.bincount(step, minlength=ELITES)) <= 1


def test_runs_side_by_side_draw_what_each_draws_alone():
    run = partial(echoed, numbered_starts(5000), jnp.ones(5000, bool))
    keys = jax.random.split(jax.random.key(0), 2)
    together = jax.vmap(run)(keys)
    alone = jax.tree.map(lambda *rows: np.stack(rows), *map(run, keys))
    jax.tree.map(np.testing.assert_array_equal, together, alone)
