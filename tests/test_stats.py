"""Statistics against hand-computed cases, rliable's formulas written another way, and known coverage."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats as scipy_stats

from micro_rl.errors import UserError
from micro_rl.reports import stats
from micro_rl.reports.stats import interval_ends

X = np.array([[1.0, 2.0], [2.0, 2.0], [1.0, 1.0], [2.0, 1.0]])
Y = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
NAN = np.nan
AGGREGATES = [stats.mean, stats.median, stats.iqm, stats.optimality_gap, stats.cvar]

scores_2d = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 4)),
    elements=st.floats(-200, 200).map(lambda value: round(value, 3)),
)


def simulated(runs: int, tasks: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(50, 10, (runs, tasks))


def test_the_numbers_in_rliables_own_tests() -> None:
    for aggregate in (stats.mean, stats.median, stats.iqm):
        assert aggregate(X) == 1.5
        assert aggregate(Y) == 2
    assert stats.probability_of_improvement(X, Y) == pytest.approx(1 / 3)


def test_aggregates_by_hand() -> None:
    """Task means 20, 0 and 70; of the nine scores two are cut at each end, which leaves 0, 10, 10, 20 and 30."""
    scores = np.array([[10.0, 0.0, 10.0], [20.0, 0.0, 50.0], [30.0, 0.0, 150.0]])
    assert stats.mean(scores) == 30
    assert stats.median(scores) == 20
    assert stats.iqm(scores) == 14
    assert stats.optimality_gap(scores) == pytest.approx(100 - 220 / 9)
    assert stats.optimality_gap(scores, 50.0) == pytest.approx(50 - 170 / 9)
    assert stats.cvar(scores, 4 / 9) == 2.5
    assert stats.cvar(scores, 0.5) == pytest.approx((10 + 0.5 * 10) / 4.5)


@given(scores_2d)
def test_aggregates_by_rliables_formulas(scores: np.ndarray) -> None:
    np.testing.assert_allclose(stats.mean(scores), np.mean(np.mean(scores, axis=0)), atol=1e-9)
    np.testing.assert_allclose(stats.median(scores), np.median(np.mean(scores, axis=0)), atol=1e-9)
    np.testing.assert_allclose(stats.iqm(scores), scipy_stats.trim_mean(scores.ravel(), 0.25), atol=1e-9)
    np.testing.assert_allclose(stats.optimality_gap(scores), 100 - np.minimum(scores, 100).mean(), atol=1e-9)


@given(scores_2d, st.integers(1, 5), st.randoms(use_true_random=False))
def test_probability_of_improvement_is_mann_and_whitneys(scores: np.ndarray, runs: int, random) -> None:
    other = np.random.default_rng(random.randrange(2**32)).choice(scores.ravel(), (runs, scores.shape[1]))
    pairs = zip(scores.T, other.T, strict=True)
    expected = [scipy_stats.mannwhitneyu(x, y).statistic / (len(x) * len(y)) for x, y in pairs]
    assert stats.probability_of_improvement(scores, other) == pytest.approx(np.mean(expected))
    both = stats.probability_of_improvement(scores, other) + stats.probability_of_improvement(other, scores)
    assert both == pytest.approx(1)


@given(scores_2d, st.randoms(use_true_random=False))
def test_order_of_runs_and_tasks_is_nothing(scores: np.ndarray, random) -> None:
    generator = np.random.default_rng(random.randrange(2**32))
    mixed = generator.permuted(scores, axis=0)[:, generator.permutation(scores.shape[1])]
    for statistic in AGGREGATES:
        assert statistic(mixed) == pytest.approx(statistic(scores))


@given(scores_2d, st.floats(0.01, 1))
def test_what_lies_between_what(scores: np.ndarray, share: float) -> None:
    for statistic in (stats.mean, stats.median, stats.iqm):
        assert scores.min() - 1e-9 <= statistic(scores) <= scores.max() + 1e-9
    assert scores.min() - 1e-9 <= stats.cvar(scores, share) <= stats.mean(scores) + 1e-9
    assert stats.cvar(scores, 1.0) == pytest.approx(scores.mean())
    assert stats.cvar(scores, 1e-6) == pytest.approx(scores.min())


@given(scores_2d)
def test_profiles_fall_from_one_to_zero(scores: np.ndarray) -> None:
    thresholds = np.array([-1e3, *np.linspace(-200, 200, 9), 1e3])
    for profile in (stats.performance_profile, stats.average_score_profile):
        heights = profile(scores, thresholds)
        assert (np.diff(heights) <= 0).all()
        assert heights[0] == 1 and heights[-1] == 0
    np.testing.assert_allclose(
        stats.performance_profile(scores, thresholds), [(scores > threshold).mean() for threshold in thresholds]
    )


def test_profiles_by_hand() -> None:
    """A score equal to the threshold is not above it."""
    thresholds = np.array([0.5, 1.0, 1.5, 2.0])
    np.testing.assert_allclose(stats.performance_profile(X, thresholds), [1, 0.5, 0.5, 0])
    np.testing.assert_allclose(stats.average_score_profile(X + np.array([0, 1]), thresholds), [1, 1, 0.5, 0.5])


def test_missing_runs_by_hand() -> None:
    """Task means 15 and 40. All present: 10, 20, 40; one run fewer of the first task."""
    scores = np.array([[NAN, 40.0], [10.0, 40.0], [20.0, 40.0]])
    assert stats.mean(scores) == 27.5
    assert stats.median(scores) == 27.5
    assert stats.iqm(scores) == pytest.approx((20 + 40 + 40) / 3)
    assert stats.optimality_gap(scores, 30.0) == pytest.approx(30 - (15 + 30) / 2)
    assert stats.cvar(scores, 0.4) == 15
    np.testing.assert_allclose(stats.performance_profile(scores, np.array([15.0])), [(0.5 + 1) / 2])
    assert stats.probability_of_improvement(scores, np.array([[15.0, 40.0]])) == 0.5
    bounds = stats.interval(stats.mean, scores)
    assert bounds == (27.5, 25, 30)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.array([[1.0, NAN], [2.0, NAN]]), "no run of task 1"),
        (np.array([[np.inf]]), "infinite"),
        (np.zeros((0, 2)), r"scores \(0, 2\)"),
    ],
)
def test_scores_that_mean_nothing_are_refused(scores: np.ndarray, message: str) -> None:
    for statistic in [*AGGREGATES, partial(stats.interval, stats.mean), stats.t_interval]:
        with pytest.raises(UserError, match=message):
            statistic(scores)


@pytest.mark.parametrize("statistic", [*AGGREGATES, stats.t_interval, partial(stats.interval, stats.mean)])
def test_lists_are_scores_too(statistic) -> None:
    assert statistic(X.tolist()) == statistic(X)
    with pytest.raises(UserError, match="no array of numbers"):
        statistic([[1.0, 2.0], [3.0]])


@pytest.mark.parametrize(
    "statistic",
    [
        stats.probability_of_improvement,
        stats.average_rank,
        stats.rank_distribution,
        stats.paired,
        partial(stats.interval, lambda x, y: x.mean() - y.mean(), paired=True, whole_rows=True),
    ],
)
def test_lists_are_compared_too(statistic) -> None:
    np.testing.assert_equal(statistic(X.tolist(), X[::-1].tolist()), statistic(X, X[::-1]))


def test_curves_and_profiles_of_lists() -> None:
    """Half of the four runs of both tasks are above 1; a rise from 1 to 3 over a width of 2 is 2 high on average."""
    assert stats.performance_profile(X.tolist(), [1.0]) == stats.average_score_profile(X[:1].tolist(), [1.0]) == 0.5
    assert stats.cvar([1.0, 2.0], 0.5) == 1
    assert stats.area_under_curve([0.0, 2.0], [1.0, 3.0]) == 2
    assert stats.efficiency_curve([[[1.0, 2.0]], [[3.0, 4.0]]]).point.tolist() == [2, 3]


@pytest.mark.parametrize(("x", "y"), [([0.0, 1.0], [1.0, 1.0, 2.0]), ([0.0, 1.0], [[1.0], [2.0]])])
def test_a_curve_has_a_height_for_each_place(x: Any, y: Any) -> None:
    with pytest.raises(UserError, match="as many heights as x has points, 2, needed"):
        stats.area_under_curve(np.array(x), np.array(y))


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(UserError, match="scores of 2 and 1 tasks"):
        stats.probability_of_improvement(X, Y[:, :1])
    with pytest.raises(UserError, match="pairs need as many"):
        stats.paired(X, Y)
    with pytest.raises(UserError, match="share 0"):
        stats.cvar(X, 0.0)
    with pytest.raises(UserError, match="x with 2 points"):
        stats.area_under_curve(np.array([1.0, 1.0]), np.array([1.0, 1.0]))
    with pytest.raises(UserError, match="confidence 95"):
        stats.interval(stats.mean, X, confidence=95.0)
    with pytest.raises(UserError, match="choose percentile"):
        stats.interval(stats.mean, X, ends="exact")
    with pytest.raises(UserError, match="bca"):
        stats.interval(stats.mean, X, ends="bca", resample_tasks=True)


def test_area_under_curve_by_hand() -> None:
    """A triangle's area 10 and a rectangle's 10, over a width of 3."""
    assert stats.area_under_curve(np.array([1.0, 3.0, 4.0]), np.array([0.0, 10.0, 10.0])) == pytest.approx(20 / 3)
    assert stats.area_under_curve(np.array([0.0, 9.0]), np.array([[1.0, 3.0], [5.0, 5.0]])).tolist() == [2, 5]


def test_cvar_of_one_cell_by_hand() -> None:
    """The worst 10 % of 15 returns are one and a half of them."""
    returns = np.arange(15.0)[::-1].copy()
    assert stats.cvar(returns) == pytest.approx((0 + 0.5 * 1) / 1.5)
    assert stats.cvar(returns[:, None]) == stats.cvar(returns)


def test_average_rank_by_hand() -> None:
    """The first beats the second in both tasks; the third wins one task, and ties with the second in the other."""
    first, second, third = np.array([[3.0, 3.0]]), np.array([[1.0, 1.0]]), np.array([[5.0, 1.0]])
    np.testing.assert_allclose(stats.average_rank(first, second, third), [1.5, 2.75, 1.75])
    places = stats.rank_distribution(first, second, third)
    np.testing.assert_allclose(places, [[0.5, 0.5, 0], [0, 0.25, 0.75], [0.5, 0.25, 0.25]], atol=0.02)
    np.testing.assert_allclose(places.sum(1), 1)
    assert stats.average_rank(first, first).tolist() == [1.5, 1.5]
    assert stats.average_rank(first).tolist() == [1]


def test_ranks_of_draws_average_to_the_exact_rank() -> None:
    methods = [simulated(4, 3, seed) + seed for seed in range(4)]
    places = stats.rank_distribution(*methods)
    np.testing.assert_allclose(places @ [1, 2, 3, 4], stats.average_rank(*methods), atol=0.03)
    np.testing.assert_allclose(places.sum(0), 1)


def test_the_bootstrap_of_two_runs_by_hand() -> None:
    """Of 0 and 1 a resample has the mean 0, 1/2 or 1 with probabilities 1/4, 1/2, 1/4."""
    scores = np.array([[0.0], [1.0]])
    assert stats.interval(stats.mean, scores, confidence=0.6) == (0.5, 0, 1)
    assert stats.interval(stats.mean, scores, confidence=0.4) == (0.5, 0.5, 0.5)


def test_the_bootstrap_has_the_known_spread() -> None:
    """The bootstrap's standard error of the mean is sqrt(sum over tasks of var / n) / tasks, var over n."""
    scores = simulated(12, 5)
    bounds = stats.interval(stats.mean, scores, confidence=0.6827, resamples=40_000)
    error = np.sqrt((scores.var(0) / 12).sum()) / 5
    assert (bounds.high - bounds.low) / 2 == pytest.approx(error, rel=0.03)


def test_tasks_drawn_too_add_the_spread_between_tasks() -> None:
    scores = np.array([[0.0, 30.0, 60.0]] * 4)
    fixed = stats.interval(stats.mean, scores)
    drawn = stats.interval(stats.mean, scores, resample_tasks=True)
    assert fixed == (30, 30, 30)
    assert drawn == (30, 0, 60)


@pytest.mark.parametrize("ends", ["percentile", "basic"])
def test_ends_are_scipys_for_one_task(ends: str) -> None:
    scores = np.random.default_rng(1).exponential(10, (15, 1))
    ours = stats.interval(stats.mean, scores, ends=ends, resamples=40_000)
    theirs = scipy_stats.bootstrap((scores[:, 0],), np.mean, method=ends, n_resamples=40_000, rng=0).confidence_interval
    np.testing.assert_allclose(ours[1:], theirs, atol=0.3)


def test_bca_is_scipys_for_two_samples() -> None:
    """SciPy's samples are our tasks."""
    scores = np.random.default_rng(2).exponential(10, (12, 2))
    ours = stats.interval(stats.mean, scores, ends="bca", resamples=20_000)
    middle = stats.interval(stats.mean, scores, ends="bc", resamples=20_000)
    plain = stats.interval(stats.mean, scores, resamples=20_000)

    def mean_of_two(one, other, axis):
        return (one.mean(axis) + other.mean(axis)) / 2

    theirs = scipy_stats.bootstrap(
        tuple(scores.T), mean_of_two, method="BCa", n_resamples=20_000, rng=0
    ).confidence_interval
    np.testing.assert_allclose(ours[1:], theirs, atol=0.3)
    assert plain.high < middle.high < ours.high


def test_bca_of_profiles_and_of_pairs() -> None:
    thresholds = np.array([-1e3, 40.0, 55.0, 1e3])
    profile = stats.interval(partial(stats.performance_profile, thresholds=thresholds), simulated(6, 3), ends="bca")
    assert profile.low.shape == (4,)
    assert profile.low[0] == profile.high[0] == 1 and profile.low[-1] == profile.high[-1] == 0
    scores, other = simulated(6, 3), simulated(6, 3, 1)
    difference = stats.takes_batches(lambda x, y: stats.mean(x) - stats.mean(y))
    apart = stats.interval(stats.mean, scores - other, ends="bca")
    both = stats.interval(difference, scores, other, paired=True, ends="bca")
    np.testing.assert_allclose(both, apart)


def test_any_function_of_scores_has_an_interval() -> None:
    """Batched and one by one the same numbers; strata are the columns."""
    returns, few = simulated(20, 4), 600
    one_by_one = stats.interval(lambda scores: stats.cvar(scores), returns, resamples=few)
    assert one_by_one == stats.interval(stats.cvar, returns, resamples=few)
    worst = stats.interval(lambda scores: scores.mean(0).min(), returns)
    assert worst.low <= worst.point <= worst.high
    strengths = np.array([0.5, 1.0, 1.5, 2.0])
    area = stats.takes_batches(lambda scores: stats.area_under_curve(strengths, scores.mean(-2)))
    one_by_one = stats.interval(lambda scores: area(scores), returns, resamples=few)
    np.testing.assert_allclose(one_by_one, stats.interval(area, returns, resamples=few))


@pytest.mark.parametrize("statistic", AGGREGATES)
def test_batches_are_the_same_one_by_one(statistic) -> None:
    batch = np.stack([simulated(5, 3, seed) for seed in range(4)])
    batch[1, 2, 0] = batch[3, :2, 2] = NAN
    np.testing.assert_allclose(statistic(batch), [statistic(each) for each in batch])


def test_equal_seeds_give_equal_intervals() -> None:
    first, again, other = (stats.interval(stats.iqm, simulated(5, 3), seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_pairs_are_drawn_together() -> None:
    """A constant difference has no spread, where the methods by themselves have much."""
    scores = simulated(5, 3)
    apart = stats.takes_batches(lambda x, y: stats.iqm(x) - stats.iqm(y))
    matched = stats.interval(apart, scores + 7, scores, paired=True)
    np.testing.assert_allclose(matched, 7)
    free = stats.interval(apart, scores + 7, scores)
    assert free.low < 6 < 8 < free.high
    scores[0, 0] = NAN
    np.testing.assert_allclose(stats.interval(apart, scores + 7, simulated(5, 3), paired=True).point, 7)


def test_whole_rows_are_drawn_in_all_tasks_at_once() -> None:
    """The interval of a mean is then that of the rows' own means; a row with a hole is left out."""
    scores = simulated(10, 4)
    holed = np.vstack([scores, [[NAN, 1.0, 2.0, 3.0]]])
    together = stats.interval(stats.mean, holed, whole_rows=True)
    assert np.allclose(together, stats.interval(stats.mean, scores.mean(1, keepdims=True)))
    lower = np.vstack([[[NAN, 1.0, 2.0, 3.0]], scores - 7])
    upper = np.vstack([[[1.0, 2.0, 3.0, 4.0]], scores])
    lower[-1, 0], apart = NAN, lambda x, y: stats.mean(x) - stats.mean(y)
    np.testing.assert_allclose(stats.interval(apart, upper, lower, paired=True, whole_rows=True), 7)
    with pytest.raises(UserError, match="in every run a task is missing"):
        stats.interval(stats.mean, holed[-1:], whole_rows=True)
    with pytest.raises(UserError, match="no whole rows"):
        stats.interval(stats.mean, scores, whole_rows=True, ends="bca")


def test_what_rows_have_in_common_is_no_longer_forgotten() -> None:
    """Episodes begin alike in all nine cells: drawn apart in each, the interval held the truth 46 times in 100."""
    random, held = np.random.default_rng(0), []
    for seed in range(100):
        episodes = random.normal(size=(30, 1)) + 0.5 * random.normal(size=(30, 9))
        low, high = stats.interval(stats.mean, episodes, resamples=300, seed=seed, whole_rows=True)[1:]
        held.append(low <= 0 <= high)
    assert np.mean(held) == pytest.approx(0.93, abs=0.05)


def test_one_run_has_no_interval() -> None:
    for scores in (simulated(1, 3), np.array([[1.0, 2.0], [3.0, NAN]])):
        for bounds in (stats.interval(stats.iqm, scores), stats.t_interval(scores)):
            assert np.isfinite(bounds.point)
            assert np.isnan([bounds.low, bounds.high]).all()
    profile = stats.interval(partial(stats.performance_profile, thresholds=np.zeros(2)), simulated(1, 3))
    assert np.isnan(profile.low).tolist() == [True, True]


def test_efficiency_curve_is_an_interval_at_each_moment() -> None:
    scores = np.stack([simulated(4, 3), simulated(4, 3) + 10], axis=-1)
    curve = stats.efficiency_curve(scores)
    np.testing.assert_allclose(curve.point, [stats.iqm(scores[..., 0]), stats.iqm(scores[..., 0]) + 10])
    np.testing.assert_allclose(curve.high[1], stats.interval(stats.iqm, scores[..., 1]).high)
    np.testing.assert_allclose(np.diff(curve.low), 10)


def test_t_interval_is_students_for_one_task_and_welchs_for_two() -> None:
    scores = simulated(6, 1)
    low, high = scipy_stats.ttest_1samp(scores[:, 0], 0).confidence_interval()
    np.testing.assert_allclose(stats.t_interval(scores), (scores.mean(), low, high))
    two = np.concatenate([simulated(6, 1), 3 * simulated(6, 1, 1)], axis=1)
    two[4:, 0] = NAN
    low, high = scipy_stats.ttest_ind(two[:4, 0], -two[:, 1], equal_var=False).confidence_interval()
    np.testing.assert_allclose(stats.t_interval(two)[1:], (low / 2, high / 2))
    assert stats.t_interval(np.ones((3, 2))) == (1, 1, 1)


def test_paired_by_hand() -> None:
    """Differences 1, 2, 3: of the eight choices of signs two are as far from zero."""
    base = simulated(3, 1)
    outcome = stats.paired(base + np.array([[1.0], [2.0], [3.0]]), base)
    assert outcome.difference.point == pytest.approx(2)
    assert (outcome.flip_p, outcome.wilcoxon_p, outcome.pairs, outcome.smallest_p) == (0.25, 0.25, 3, 0.25)
    assert outcome.caution.startswith("3 pairs: p cannot be below 0.25, however large the difference")


@pytest.mark.parametrize(("pairs", "smallest"), [(1, 1.0), (2, 0.5), (5, 0.0625)])
def test_few_pairs_are_said(pairs: int, smallest: float) -> None:
    outcome = stats.paired(np.full((pairs, 1), 1e9), np.zeros((pairs, 1)))
    assert outcome.flip_p == outcome.wilcoxon_p == outcome.smallest_p == smallest
    assert f"below {smallest:g}" in outcome.caution
    assert outcome.caution.endswith("a single pair" if pairs == 1 else "however large the difference")
    assert not stats.paired(np.ones((6, 1)), np.zeros((6, 1))).caution
    assert stats.paired(np.ones((1, 6)), np.zeros((1, 6))).caution == "no interval, since a task has a single pair"


@pytest.mark.parametrize(("pairs", "shape"), [(2, (2, 1)), (9, (9, 1)), (9, (9, 2)), (10, (10, 1)), (10, (12, 2))])
def test_few_pairs_have_students_interval_and_many_the_bootstraps(pairs: int, shape: tuple[int, int]) -> None:
    """The fewest that a task has count: of two tasks with twelve pairs one lacks two."""
    apart = simulated(*shape)
    apart[pairs:, 0] = NAN
    expected = stats.t_interval(apart) if pairs < 10 else stats.interval(stats.mean, apart)
    assert stats.paired(apart, np.zeros(shape)).difference == expected


@pytest.mark.parametrize("shape", [(8, 1), (4, 3), (2, 5)])
def test_paired_tests_are_scipys(shape: tuple[int, int]) -> None:
    scores, other = simulated(*shape) + 3, simulated(*shape, 1)
    outcome = stats.paired(scores, other)
    flip = scipy_stats.permutation_test(
        (scores.ravel(), other.ravel()), lambda x, y: (x - y).mean(), permutation_type="samples", vectorized=False
    )
    assert outcome.flip_p == pytest.approx(flip.pvalue)
    wilcoxon: Any = scipy_stats.wilcoxon(scores.ravel(), other.ravel())
    assert outcome.wilcoxon_p == pytest.approx(wilcoxon.pvalue)


def test_random_flips_come_near_the_normal_limit() -> None:
    scores, other = simulated(40, 2) + 2, simulated(40, 2, 1)
    apart = (scores - other).ravel()
    normal = 2 * scipy_stats.norm.sf(abs(apart.sum()) / np.sqrt((apart**2).sum()))
    assert stats.paired(scores, other).flip_p == pytest.approx(normal, abs=0.01)


def test_pairs_with_a_missing_half_are_left_out() -> None:
    scores, other = simulated(4, 2), simulated(4, 2, 1)
    scores[0, 0] = other[1, 1] = NAN
    outcome = stats.paired(scores, other)
    assert outcome.pairs == 6
    assert outcome.difference.point == pytest.approx(np.nanmean(scores - other))
    assert stats.paired(scores, scores)[1:3] == (1, 1)


def test_no_difference_is_rarely_called_one() -> None:
    """Under the null the exact test rejects at 5 % in at most 5 % of the cases; here 400 of them."""
    random = np.random.default_rng(3)
    p = [stats.paired(*random.normal(0, 1, (2, 7, 1)), resamples=1).flip_p for _ in range(400)]
    assert np.mean(np.array(p) <= 0.05) < 0.08
    assert np.mean(np.array(p) <= 0.5) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(("runs", "least", "most"), [(3, 0.72, 0.90), (10, 0.88, 0.97), (30, 0.92, 0.98)])
def test_coverage_of_the_bootstrap(runs: int, least: float, most: float) -> None:
    """Of 400 data sets of three tasks; docs/guides/statistics.md has the table. With three runs it is too narrow."""
    random = np.random.default_rng(runs)
    bounds = [stats.interval(stats.mean, random.normal(0, 1, (runs, 3)), resamples=500) for _ in range(400)]
    assert least < np.mean([low < 0 < high for _, low, high in bounds]) < most


@pytest.mark.parametrize("runs", [2, 3, 10])
def test_coverage_of_students_interval(runs: int) -> None:
    random = np.random.default_rng(runs)
    bounds = [stats.t_interval(random.normal(0, 1, (runs, 1))) for _ in range(600)]
    assert np.mean([low < 0 < high for _, low, high in bounds]) == pytest.approx(0.95, abs=0.025)


def test_the_page_names_everything() -> None:
    page = (Path(__file__).parent.parent / "docs" / "guides" / "statistics.md").read_text()
    types = {"Interval", "Paired"}
    assert [name for name in set(stats.__all__) - types if f"`{name}" not in page] == []


def test_the_signs_of_fifteen_pairs_are_all_tried():
    """All differences are 1: of the 2^15 choices of signs two are as far from zero, fewer than any 9,999 can show."""
    ones = np.ones((15, 1))
    assert stats.paired(ones, np.zeros((15, 1)), resamples=10).flip_p == pytest.approx(2.0**-14)


@pytest.mark.parametrize(("point", "expected"), [(1.0, 0.0), (-1.0, 0.0)])
def test_the_corrected_ends_are_finite_where_every_resample_lies_on_one_side(point: float, expected: float):
    low, high = interval_ends.ends(np.zeros(10), point, 0.95, "bc")
    assert (low, high) == (expected, expected)
