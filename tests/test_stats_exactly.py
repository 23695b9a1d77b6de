"""Statistics to the last digit: every way of making an interval, recomputed plainly from the same draws."""

from functools import partial

import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.special import ndtr, ndtri

from micro_rl.errors import UserError
from micro_rl.reports import stats
from micro_rl.reports.stats import bootstrap, interval_ends, pairs
from micro_rl.reports.stats.scores import checked, is_batched, same_tasks

NAN = np.nan
TWO = np.ones((2, 1))


def drawn_means(scores: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Means of resamples, one task after the other from the same random numbers in blocks of 250; no run is missing."""
    random, means = np.random.default_rng(seed), []
    for start in range(0, resamples, 250):
        places = (random.random((min(250, resamples - start), *scores.shape)) * len(scores)).astype(int)
        means += [np.mean([scores[rows[:, task], task].mean() for task in range(scores.shape[1])]) for rows in places]
    return np.array(means)


def simulated(runs: int, tasks: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).exponential(10, (runs, tasks))


@pytest.mark.parametrize("resamples", [1, 249, 250, 600])
@pytest.mark.parametrize("ends", ["percentile", "basic", "bc"])
def test_ends_from_the_same_draws(resamples, ends):
    scores = simulated(5, 2)
    means, point = drawn_means(scores, resamples, 3), scores.mean()
    low, high = np.quantile(means, [0.05, 0.95])
    if ends == "basic":
        low, high = 2 * point - high, 2 * point - low
    elif ends == "bc":
        below = ((means < point).mean() + (means <= point).mean()) / 2
        bias = ndtri(np.clip(below, 0.5 / resamples, 1 - 0.5 / resamples))
        low, high = (np.quantile(means, ndtr(2 * bias + ndtri(tail))) for tail in (0.05, 0.95))
    bounds = stats.interval(stats.mean, scores, confidence=0.9, resamples=resamples, seed=3, ends=ends)
    np.testing.assert_allclose(bounds, (point, low, high), rtol=1e-12)


def test_what_is_given_when_nothing_is_said():
    scores = simulated(4, 2)
    plain = stats.interval(stats.mean, scores)
    said = stats.interval(stats.mean, scores, confidence=0.95, resamples=10_000, seed=0, ends="percentile")
    assert plain == said
    blocks = []
    stats.interval(stats.takes_batches(lambda drawn: blocks.append(drawn.shape) or stats.mean(drawn)), scores)
    assert blocks == [(4, 2)] + [(250, 4, 2)] * 40
    many = simulated(10, 2)
    assert stats.paired(many, simulated(10, 2, 1)).difference == stats.interval(
        stats.mean, many - simulated(10, 2, 1), confidence=0.95, resamples=10_000, seed=0
    )
    assert stats.t_interval(scores) == stats.t_interval(scores, confidence=0.95)
    assert stats.optimality_gap(scores) == stats.optimality_gap(scores, 100.0)
    assert stats.cvar(scores) == stats.cvar(scores, 0.1)


def test_missing_runs_are_never_drawn_and_pairs_stay_together():
    scores = np.array([[NAN, 1.0], [10.0, 2.0], [NAN, 3.0], [20.0, NAN]])
    seen = []

    def statistic(one, other):
        seen.append((one, other))
        return 0.0

    stats.interval(statistic, scores, scores + 100, resamples=40, paired=True)
    for one, other in seen[1:]:
        assert np.isfinite(one).sum(0).tolist() == [2, 3]
        assert set(one[:2, 0]) <= {10, 20} and set(one[:3, 1]) <= {1, 2, 3}
        np.testing.assert_array_equal(one + 100, other)
    assert {tuple(one[:2, 0]) for one, _ in seen[1:]} == {(10, 10), (10, 20), (20, 10), (20, 20)}
    seen.clear()
    stats.interval(statistic, scores, scores + 100, resamples=40)
    assert any(not np.array_equal(one + 100, other, equal_nan=True) for one, other in seen[1:])
    assert len(seen) == 41


def test_tasks_are_drawn_whole():
    scores = np.array([[0.0, 30.0], [1.0, 31.0]])
    seen = []
    stats.interval(lambda drawn: seen.append(drawn) or 0.0, scores, resamples=60, resample_tasks=True)
    kinds = {tuple((drawn > 15).all(0)) for drawn in seen}
    assert kinds == {(False, False), (False, True), (True, True), (True, False)}
    assert all(((drawn > 15).all(0) | (drawn < 15).all(0)).all() for drawn in seen)


def test_acceleration_is_the_skewness_of_what_each_run_adds():
    """Of one sample's mean: sum of cubed deviations over the squared ones' 3/2 power, over 6 (Efron, 1987)."""
    scores = simulated(7, 1)
    apart = scores[:, 0] - scores.mean()
    expected = (apart**3).sum() / (apart**2).sum() ** 1.5 / 6
    assert interval_ends.acceleration(stats.mean, [scores], False) == pytest.approx(expected, rel=1e-9)
    assert interval_ends.acceleration(stats.mean, [np.ones((4, 2))], False) == 0
    difference = stats.takes_batches(lambda x, y: stats.mean(x) - stats.mean(y))
    other = simulated(7, 1, 1)
    paired = interval_ends.acceleration(difference, [scores, other], True)
    assert paired == pytest.approx(interval_ends.acceleration(stats.mean, [scores - other], False), rel=1e-9)
    two = [scores, other[:5]]
    parts = [(each[:, 0] - each.mean()) / len(each) * sign for each, sign in zip(two, (1, -1), strict=True)]
    expected = sum((part**3).sum() for part in parts) / sum((part**2).sum() for part in parts) ** 1.5 / 6
    assert interval_ends.acceleration(difference, two, False) == pytest.approx(expected, rel=1e-9)


def test_bca_by_efrons_formula():
    drawn = np.sort(simulated(400, 1)[:, 0])
    bias, skew = ndtri((drawn < 9).mean()), 0.1
    for end, tail in zip(interval_ends.ends(drawn, 9.0, 0.8, "bca", skew), (0.1, 0.9), strict=True):
        moved = bias + ndtri(tail)
        assert end == pytest.approx(np.quantile(drawn, ndtr(bias + moved / (1 - skew * moved))), rel=1e-12)
    low, high = interval_ends.ends(np.stack([drawn, -drawn], 1), np.array([9.0, -9.0]), 0.8, "bc")
    np.testing.assert_allclose(low, [interval_ends.ends(drawn, 9.0, 0.8, "bc")[0], -high[0]])


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: stats.interval(stats.mean, TWO, confidence=1.0), "confidence 1.0, 10000 resamples: between"),
        (lambda: stats.interval(stats.mean, TWO, confidence=0.0), "confidence 0.0, 10000 resamples: between"),
        (lambda: stats.interval(stats.mean, TWO, resamples=0), "confidence 0.95, 0 resamples: between 0 and 1"),
        (lambda: stats.t_interval(TWO, confidence=1.0), "confidence 1.0: between 0 and 1 needed"),
        (lambda: stats.t_interval(TWO, confidence=0.0), "confidence 0.0: between 0 and 1 needed"),
        (lambda: stats.cvar(TWO, 1.01), "share 1.01: above 0 and at most 1 needed"),
        (lambda: stats.area_under_curve(np.ones(1), np.ones(1)), "x with 1 points: two or more, each above the one"),
        (lambda: same_tasks(TWO, np.ones((2, 3))), "scores of 1 and 3 tasks: the same tasks in the same order needed"),
        (
            lambda: bootstrap.matched(TWO, np.ones((3, 1))),
            "scores (2, 1) and (3, 1): pairs need as many runs and tasks",
        ),
        (lambda: checked(np.ones(3)), "scores (3,): [run, task] with at least one of each needed (one task: scores[:"),
        (lambda: checked(np.array([[1, 2, NAN]] * 2)), "scores: no run of task 2 (counted from 0); leave the task out"),
        (
            lambda: checked(np.array([[1, NAN, NAN]] * 2)),
            "scores: no run of task 1 (counted from 0); leave the task out",
        ),
    ],
)
def test_refusals(check, message):
    with pytest.raises(UserError) as refusal:
        check()
    assert str(refusal.value).startswith(message)


def test_boundaries():
    assert stats.cvar(np.array([1.0, 3.0]), 1.0) == 2
    assert stats.cvar(np.array([[1.0, 3.0], [NAN, 5.0]]), 0.5) == pytest.approx((1 + 0.5 * 3) / 1.5)
    assert stats.interval(stats.mean, np.array([[1.0], [1.0]]), resamples=1) == (1, 1, 1)
    assert is_batched(partial(stats.mean)) and not is_batched(lambda scores: 0.0)
    assert stats.iqm(np.array([[9.0], [1.0], [2.0]])) == 4, "of three none is cut"
    assert stats.iqm(np.array([[9.0], [1.0], [2.0], [3.0]])) == 2.5
    assert np.isnan(stats.interval(stats.mean, np.array([[1.0, 2.0]]))[1:]).all()
    curve = stats.efficiency_curve(simulated(4, 6).reshape(4, 2, 3), stats.median, resamples=20)
    np.testing.assert_allclose(curve.point, [stats.median(simulated(4, 6).reshape(4, 2, 3)[..., i]) for i in range(3)])


@pytest.mark.parametrize(("pairs_", "exact"), [(16, True), (17, False)])
def test_up_to_sixteen_pairs_have_all_signs_tried(pairs_, exact):
    values = simulated(pairs_, 1)[:, 0] - 5
    choices = np.array([[1 - 2 * (number >> place & 1) for place in range(pairs_)] for number in range(2**pairs_)])
    share = (np.abs(choices @ values) >= abs(values.sum()) * (1 - 1e-12)).mean()
    found = pairs._flip_p(values, 0)
    assert bool(found == pytest.approx(share, abs=1e-12)) is exact
    assert found == pytest.approx(share, abs=0.02)
    words = {"permutation_type": "samples", "n_resamples": 9_999, "batch": 4096}
    drawn = scipy_stats.permutation_test((values,), np.sum, rng=0, **words)
    assert bool(found == drawn.pvalue) is not exact


def test_flips_weigh_pairs_by_their_tasks():
    """Task means weigh the same: of differences (1, 1, 1) and (-2) the mean over tasks is -1/2."""
    first, second = np.array([[1.0, -2.0], [1.0, NAN], [1.0, NAN]]), np.zeros((3, 2))
    outcome = stats.paired(first, second)
    assert (outcome.pairs, outcome.smallest_p, outcome.difference.point) == (4, 0.125, -0.5)
    signs = np.array([[1 - 2 * (number >> place & 1) for place in range(4)] for number in range(16)])
    sums = np.abs(signs @ [1 / 3, 1 / 3, 1 / 3, -2.0])
    assert outcome.flip_p == pytest.approx((sums >= 1 - 1e-12).mean())
    alone = ", however large the difference; no interval, since a task has a single pair"
    assert outcome.caution == f"4 pairs: p cannot be below 0.125{alone}"
    single = stats.paired(np.ones((1, 1)), np.zeros((1, 1)))
    assert single.caution == f"1 pair: p cannot be below 1{alone}"
    five = stats.paired(np.ones((5, 1)), np.zeros((5, 1)))
    assert five.caution == "5 pairs: p cannot be below 0.0625, however large the difference"
    assert pairs._wilcoxon_p(np.array([0.0, 1.0, -2.0, 3.0])) == pairs._wilcoxon_p(np.array([1.0, -2.0, 3.0])) == 0.75


def test_ranks_of_runs_that_are_there():
    first, second = np.array([[1.0, NAN], [NAN, 9.0]]), np.array([[2.0, 8.0], [3.0, NAN]])
    assert stats.rank_distribution(first, second, draws=50).tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert stats.average_rank(first, second).tolist() == [1.5, 1.5]
    ones = np.ones((1, 1))
    even = stats.rank_distribution(ones, ones, draws=4_000)
    np.testing.assert_allclose(even, 0.5, atol=0.03)
    few, said = (stats.rank_distribution(ones, ones, draws=7, **seed) for seed in ({}, {"seed": 0}))
    assert few.tolist() == said.tolist()
    assert not np.array_equal(even, stats.rank_distribution(ones, ones, draws=4_000, seed=1))
    assert np.unique(stats.rank_distribution(ones, ones) * 10_000 % 1).max() < 1e-6
