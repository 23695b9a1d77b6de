"""Every estimator against what can be computed by hand or in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micro_rl.core.networks import MLP
from micro_rl.core.types import Scaling, Transition
from micro_rl.dynamics import support
from micro_rl.policy import Policy
from micro_rl.trust import fqe, importance, trial
from micro_rl.trust.actors import Judged, Parted, judged
from micro_rl.trust.current import own_actions_at, own_actions_next
from micro_rl.trust.difference import difference, spread, tail_error, worst_tenth
from micro_rl.trust.rollouts import Collected
from micro_rl.trust.self_test import LEVEL, self_test
from tests.trust import line_world


def test_conformal_quantile_by_hand():
    """Of 9 values the greatest is passed with probability 9/10; of 8 there is none that is."""
    assert support.quantile(np.arange(9.0), 0.9) == 8.0
    assert support.quantile(np.arange(8.0), 0.9) == float("inf")
    assert support.quantile(np.arange(99.0), 0.9) == 89.0


def test_a_conformal_limit_covers():
    random = np.random.default_rng(0)
    covered = [random.exponential() <= support.quantile(random.exponential(size=30), 0.9) for _ in range(4000)]
    assert 0.9 - 0.015 < np.mean(covered) < 0.935


def test_distance_and_excess_by_hand():
    """Four references at 0, 1, 2, 3 of one observation and action alike; units are their own deviation."""
    x = np.repeat(np.arange(4.0), 4)[:, None].astype(np.float32)
    log = Transition(*map(jnp.asarray, (x, x, x[:, 0], x, np.ones(16, np.float32))))
    known = support.reference(log, np.arange(16))
    std = np.arange(4.0).std()
    far = support.distance(known, jnp.asarray([[1.0, 1.0], [3.0, 5.0]]))
    assert far[0] == pytest.approx(0, abs=1e-3)
    assert far[1] == pytest.approx(np.sqrt((2 / std) ** 2 / 2), rel=1e-3)
    assert support.excess(known, jnp.asarray([[2.0], [5.0], [-1.0]])).tolist() == pytest.approx([0, 2 / std, 1 / std])


def test_targets_by_hand():
    """r + d (h - 1) q', over h: a last step pays its reward alone, a terminal one too."""
    rows = Transition(
        jnp.zeros((3, 1)), jnp.zeros((3, 1)), jnp.array([1.0, 1.0, 1.0]), jnp.zeros((3, 1)), jnp.array([1.0, 1.0, 0.0])
    )
    wanted = fqe.targets(
        rows, jnp.array([5.0, 5.0, 5.0]), jnp.array([1.0, 4.0, 4.0]), jnp.asarray(0.0), jnp.asarray(10.0)
    )
    assert wanted.tolist() == pytest.approx([1.0, (1 + 3 * 5) / 4, 0.25])
    capped = fqe.targets(rows, jnp.array([50.0] * 3), jnp.array([2.0] * 3), jnp.asarray(0.0), jnp.asarray(10.0))
    assert capped.tolist() == pytest.approx([10.0, 10.0, 0.5])


def test_fqe_finds_the_value_of_a_tiny_chain():
    """Two states; action 1 goes to the good one (reward 1), action -1 to the bad (reward 0). Always going pays h."""
    random = np.random.default_rng(0)
    state, action = random.choice([-1.0, 1.0], 400), random.choice([-1.0, 1.0], 400)
    log = Transition(
        jnp.asarray(state[:, None], jnp.float32),
        jnp.asarray(action[:, None], jnp.float32),
        jnp.asarray(action > 0, jnp.float32),
        jnp.asarray(action[:, None], jnp.float32),
        jnp.ones(400),
    )
    going, staying = jnp.ones((400, 1)), -jnp.ones((400, 1))
    values = fqe.evaluate(
        log,
        jnp.stack([going, staying]),
        fqe.Variants(jnp.array([0, 1]), jnp.tile(jnp.arange(400), (2, 1))),
        jnp.array([[[-1.0], [1.0]]] * 2),
        jnp.array([[[1.0], [1.0]], [[-1.0], [-1.0]]]),
        jax.random.split(jax.random.key(0)),
        length=5,
        updates=800,
    )
    assert np.asarray(values[0]).tolist() == pytest.approx([5, 5], abs=0.4)
    assert np.asarray(values[1]).tolist() == pytest.approx([0, 0], abs=0.4)


def test_the_current_policy_acts_itself_where_the_log_goes_on():
    """Rows 4, 5 and 7 of a log: after 4 comes 5, after 5 a row that is not there, and 7 is the last."""
    state, following = jnp.array([[1.0], [2.0], [3.0]]), jnp.array([[2.0], [2.5], [3.5]])
    log = Transition(state, state, jnp.zeros(3), following, jnp.ones(3))
    number, actions, imitated = np.array([4, 5, 7]), np.array([[0.1], [0.2], [0.3]]), jnp.array([[9.0], [8.0], [7.0]])
    then = own_actions_next(log, number, actions, imitated)
    assert then.ravel().tolist() == pytest.approx([0.2, 8.0, 7.0])
    first = own_actions_at(np.array([7, 6, 4, 9]), number, actions, jnp.array([[9.0], [8.0], [7.0], [6.0]]))
    assert first.ravel().tolist() == pytest.approx([0.3, 8.0, 0.1, 6.0])


def test_rows_that_another_episode_follows_do_not_go_on():
    log = Transition(jnp.array([[1.0], [5.0]]), jnp.zeros((2, 1)), jnp.zeros(2), jnp.array([[2.0], [6.0]]), jnp.ones(2))
    then = own_actions_next(log, np.arange(2), np.array([[0.1], [0.2]]), jnp.array([[9.0], [8.0]]))
    assert then.ravel().tolist() == pytest.approx([9.0, 8.0])


def test_importance_by_hand():
    """One step, two windows with weights 3 and 1: (3 x 10 + 1 x 2) / 4, and 16 / 10 windows."""
    ratios = np.log(np.array([[3.0], [1.0]]))
    weighted = importance.estimate(ratios, np.array([[10.0], [2.0]]), np.ones((2, 1), bool))
    assert weighted.value == pytest.approx(8.0)
    assert weighted.first == weighted.last == pytest.approx(16 / 10)


def test_importance_of_what_made_the_log_is_its_mean():
    rewards = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    weighted = importance.estimate(np.zeros((3, 2)), rewards, np.ones((3, 2), bool))
    assert weighted.value == pytest.approx(7.0) and weighted.last == pytest.approx(3.0)
    ended = np.array([[True, False], [True, True], [True, True]])
    assert importance.estimate(np.zeros((3, 2)), rewards, ended).value == pytest.approx((1 + 7 + 11) / 3)


def test_log_ratios_by_hand():
    """Action 1, policy there, behaviour at 0, deviation 0.5: (1 - 0) / (2 x 0.25)."""
    one, zero = np.ones((1, 1, 1)), np.zeros((1, 1, 1))
    assert importance.log_ratios(one, one, zero, np.array([0.5])).tolist() == [[pytest.approx(2.0)]]


def test_noise_of_parts_that_do_not_differ_is_not_explained():
    """Predicted to the last digit: parts that differ by their own noise alone test nothing."""
    measured = np.array([1.0, 1.2, 0.9, 1.1, 1.0, 0.8, 1.2, 1.0, 0.9, 1.1])
    alike = self_test(measured, measured, np.full(10, 0.1))
    assert not alike.differ and alike.explained == 0.0
    assert self_test(measured, measured, np.full(10, 0.01)).explained == pytest.approx(1.0)


def test_a_judge_that_ranks_parts_the_wrong_way_round_does_not_make_them_alike():
    """Parts differ by their own noise, not by what the judge gets wrong of them."""
    measured = 10 * np.arange(10.0)
    reversed_ = self_test(measured[::-1], measured, np.ones(10))
    assert reversed_.differ and reversed_.correlation == pytest.approx(-1) and reversed_.explained < 0
    assert self_test(measured[::-1], measured, np.full(10, 20.0)).differ is False


def test_what_is_beyond_the_noise_is_found_part_by_part():
    """Half of the parts have no noise at all: residuals of 1 there are not explained by noise of 10 elsewhere."""
    random = np.random.default_rng(0)
    noise = np.tile([1e-9, 10.0], 10)
    measured = 1000 * np.arange(20.0)
    left = random.normal(size=20) * np.hypot(noise, 1.0)
    test = self_test(measured + left, measured, noise)
    assert 0.3 < test.unexplained < 10 and test.width < 5
    scaled = np.abs(measured - test.slope * test.predicted - np.mean(measured - test.predicted)) / test.deviation
    assert np.mean(scaled**2) == pytest.approx(1.0, rel=0.3)


def test_self_test_of_perfect_predictions():
    measured = np.arange(10.0)
    test = self_test(measured, measured, np.full(10, 0.1))
    assert test.slope == 1 and test.unexplained == 0 and test.explained == pytest.approx(1)
    assert test.width == pytest.approx(1.645, abs=1e-3) and test.level == LEVEL and test.differ


def test_self_test_finds_what_all_members_get_wrong():
    """Residuals of deviation 1 where the estimator claims 0.1; an offset that all share cancels."""
    random = np.random.default_rng(0)
    predicted = 10 * np.arange(10.0)
    test = self_test(predicted, predicted + 50 + random.normal(size=10), np.full(10, 0.1))
    assert 0.5 < test.unexplained < 2
    shifted = self_test(predicted, predicted + 50, np.full(10, 0.1))
    assert shifted.unexplained == 0 and shifted.explained == pytest.approx(1)


def test_a_slope_counts_where_it_explains_something():
    """Twice too far apart: halved. Apart by noise where the parts do not differ: nothing is learned from that."""
    measured = np.arange(10.0)
    assert self_test(2 * measured, measured, np.full(10, 0.1)).slope == pytest.approx(0.5)
    alike = np.array([0.0, 0, 1, 1, 0, 0, 1, 1, 0, 1])
    noise = self_test(np.tile([0.0, 10.0], 5), alike, np.full(10, 5.0))
    assert noise.slope == 1 and noise.explained < 0


def test_few_folds_promise_less():
    assert self_test(np.arange(4.0), np.arange(4.0), np.ones(4)).level == pytest.approx(0.8)


def test_intervals_of_the_self_test_cover():
    """Residuals and a new difference from one distribution, of which the estimator knows a third of the deviation."""
    random = np.random.default_rng(0)
    covered = []
    for _ in range(1500):
        truth = 3 * random.normal(size=10)
        test = self_test(truth + random.normal(size=10), truth, np.full(10, 0.3))
        deviation = np.hypot(0.3, test.unexplained)
        covered.append(abs(random.normal()) <= test.width * deviation)
    assert np.mean(covered) > 0.88


def random_policy(random: np.random.Generator, observations: int, actions: int) -> Policy:
    """Two layers, units of its own."""
    first = random.normal(size=(observations, 8)), random.normal(size=8)
    last = random.normal(size=(8, 2 * actions)) / 3, random.normal(size=2 * actions)
    return Policy(
        [first, last],
        observation_mean=random.normal(size=observations),
        observation_std=random.uniform(0.5, 2, observations),
        action_mid=random.normal(size=actions),
        action_half=random.uniform(0.5, 2, actions),
    )


def collected(total: np.ndarray, known: np.ndarray | None = None, unknown: float = 0.0) -> Collected:
    zeros = np.zeros_like(total)
    return Collected(total, total if known is None else known, zeros + unknown, zeros, zeros, zeros + 10)  # type: ignore[arg-type]


def test_difference_by_hand():
    """Members say 1 and 3: mean 2, deviation sqrt(2) sqrt(1 + 1/2); no chance, nothing unknown."""
    policy, base = collected(np.array([[2.0, 2.0], [4.0, 4.0]])), collected(np.ones((2, 2)))
    apart = difference(policy, base, (-5.0, 5.0), 1.0, 0.0, 1.0, 2)
    assert apart.mean == 2 and apart.deviation == pytest.approx(np.sqrt(3))
    assert (apart.low, apart.high) == pytest.approx((2 - np.sqrt(3), 2 + np.sqrt(3)))


def test_unknown_steps_count_both_ways():
    """Two of ten steps unknown, none of the baseline's: they are worth between -5 and 5 each, not the 1 promised."""
    policy = collected(np.full((2, 3), 10.0), np.full((2, 3), 8.0), 2.0)
    apart = difference(policy, collected(np.zeros((2, 3))), (-5.0, 5.0), 1.0, 0.0, 1.0, 2)
    assert (apart.low, apart.mean, apart.high) == pytest.approx((8 - 10, 10, 8 + 10))
    usual = difference(policy, collected(np.zeros((2, 3)), None, 2.0), (-5.0, 5.0), 1.0, 0.0, 1.0, 2)
    assert (usual.low, usual.high) == (10, 10)


def test_worst_tenth_and_spread():
    assert worst_tenth(np.arange(20.0)) == 0.5 and worst_tenth(np.arange(5.0)) == 0.0
    assert spread(np.array([[1.0, 3.0]]), 2) == pytest.approx((0.0, np.sqrt(2) / np.sqrt(2)))
    assert spread(np.array([[1.0, 3.0]]), 1) == pytest.approx((0.0, np.sqrt(2))), "windows that overlap tell less"


def test_every_part_of_the_log_has_its_own_actor():
    """Two actors without weights: one does 0.5, the other -0.5, each in the rows of its own part."""
    net = MLP((jnp.zeros((2, 1, 2)),), (jnp.arctanh(jnp.array([[0.5, 0.0], [-0.5, 0.0]])),))
    two = Judged(net, jnp.ones((2, 1)), jnp.zeros((2, 1)), jnp.array([[0.0], [0.1]]))
    parted = Parted(two, jnp.array([1, 0, 1]))
    acts = parted.act(jnp.zeros((3, 1)), jnp.array([[1.0], [1.0], [-1.0]]))
    np.testing.assert_allclose(acts[:, 0], [-0.4, 0.5, -0.6], rtol=1e-6)


def test_the_error_of_worst_tenths_is_that_of_many_samples():
    """Of 300 normal values the mean of the lowest 30 has a standard error of 0.110, by simulation."""
    random = np.random.default_rng(0)
    first, second = random.normal(size=(2, 300))
    assert tail_error(first, np.zeros(300), 300) == pytest.approx(0.11, rel=0.3)
    assert tail_error(first, np.zeros(300), 75) == pytest.approx(0.22, rel=0.3), "as many tell as do not overlap"
    assert tail_error(first, first, 300) == 0.0, "what both share cancels"
    assert tail_error(first, second, 300) == pytest.approx(0.11 * 2**0.5, rel=0.3)


@given(st.integers(1, 3), st.integers(0, 1000))
def test_a_judged_actor_is_the_policy(history, seed):
    """In the judge's other units, over its longer windows, to float32."""
    random = np.random.default_rng(seed)
    policy = random_policy(random, observations=3, actions=2)
    width = history * 3 + (history - 1) * 2
    mid, half = random.normal(size=2), random.uniform(0.5, 2, 2)
    scaling = Scaling(
        np.concatenate([np.tile(random.normal(size=3), history), np.zeros(width - 3 * history)]),
        np.concatenate([np.tile(random.uniform(0.5, 2, 3), history), np.ones(width - 3 * history)]),
        mid,
        half,
        np.ones(()),
    )
    actor = judged(policy, scaling, history)
    window = random.normal(size=(7, width))
    core = (window - np.asarray(scaling.observation_mean)) / np.asarray(scaling.observation_std)
    action = actor.act(jnp.asarray(core, jnp.float32), jnp.zeros((7, 2)))
    expected = np.clip((policy(window[:, :3]) - mid) / half, -1, 1)
    np.testing.assert_allclose(action, expected, atol=2e-5)


def test_the_trial_may_be_looked_at_after_every_window():
    """Windows without any gain: at most 5 in 100 trials ever call them better or worse."""
    random = np.random.default_rng(0)
    counts = np.arange(1, 501)
    margins = np.array([trial.margin(int(count), 1.0) for count in counts])
    means = np.cumsum(random.normal(size=(1000, 500)), axis=1) / counts
    assert (np.abs(means) > margins).any(1).mean() <= 0.055


def test_the_trial_ends_where_the_gain_shows():
    planned = trial.plan(0.5, -10.0, 1.0)
    assert trial.margin(planned.most_windows, 1.0) <= 0.5 < trial.margin(planned.most_windows - 1, 1.0)
    assert planned.decide[-1] == (planned.most_windows, pytest.approx(trial.margin(planned.most_windows, 1.0)))


def test_the_known_systems_own_figures():
    assert line_world.true_return(line_world.policy(0.0), np.array([0.5]), 4) == pytest.approx(-2.0)
