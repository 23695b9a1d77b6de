"""Intervals that hold for the best of many: by hand, and by simulation."""

from statistics import NormalDist

import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.trust import best_of
from micro_rl.trust.difference import spread
from micro_rl.trust.estimates import Estimates
from micro_rl.trust.evidence import Standard
from micro_rl.trust.rollouts import Collected
from micro_rl.trust.self_test import SelfTest

WIDTH = NormalDist().inv_cdf(0.95)


def test_one_policy_alone_needs_nothing_more():
    assert best_of.widening(np.array([[4.0]])) == 1.0
    assert best_of.widening(np.diag([4.0, 0.0])) == 1.0  # the other is the baseline itself


def test_errors_that_are_the_same_count_once_and_independent_ones_as_sidak_says():
    shared = np.ones((8, 8))
    assert best_of.widening(shared) == pytest.approx(1.0, abs=0.02)
    sidak = NormalDist().inv_cdf((1 + 0.9 ** (1 / 8)) / 2) / WIDTH
    assert best_of.widening(np.eye(8)) == pytest.approx(sidak, abs=0.02)


def test_it_does_not_depend_on_units():
    errors = np.array([[2.0, 0.5], [0.5, 1.0]])
    scale = np.diag([1.0, 1000.0])
    assert best_of.widening(scale @ errors @ scale) == pytest.approx(best_of.widening(errors))


def test_the_diagonal_is_what_each_policy_has_alone():
    apart = np.random.default_rng(0).normal(size=(3, 5, 40))
    errors = best_of.covariance(apart, 0.3, 20)
    for own, variance in zip(apart, np.diag(errors), strict=True):
        assert variance == pytest.approx(np.hypot(np.hypot(*spread(own, 20)), 0.3) ** 2)


def test_the_interval_of_the_chosen_one_holds_after_the_choice():
    """Twenty policies as good as the baseline, of which the best looking is taken."""
    random, count, trials = np.random.default_rng(1), 20, 2000
    errors = 0.3 * np.ones((count, count)) + 0.7 * np.eye(count)
    estimates = random.multivariate_normal(np.zeros(count), errors, trials)
    best = estimates.max(1)
    assert np.mean(np.abs(best) <= WIDTH) < 0.7
    assert np.mean(np.abs(best) <= WIDTH * best_of.widening(errors)) >= 0.9


def _tested(unexplained: float) -> SelfTest:
    ten = np.zeros(10)
    return SelfTest(ten, ten, ten, ten, 1.0, unexplained, WIDTH, 0.9, 0.9, 0.9)


@pytest.mark.parametrize("alone", [True, False])
def test_the_estimators_that_decide_say_how_much_wider(alone: bool):
    """By the model four policies err alike, by FQE each in its own way."""
    random = np.random.default_rng(0)
    shared = jnp.asarray(random.normal(size=(10, 50)))
    rollouts = [Collected(*[shared + policy] * len(Collected._fields)) for policy in range(4)]
    nothing = Collected(*[jnp.zeros((10, 50))] * len(Collected._fields))
    values = [10 * random.normal(size=(5, 50)) for _ in range(4)]
    standard = Standard(
        Estimates(nothing, np.zeros((5, 50))), None, _tested(0.0), _tested(0.0), imitation=0.0, alone=alone
    )
    wider = best_of.widening_of(rollouts, values, standard, 50)
    if alone:
        assert wider == pytest.approx(1.0, abs=0.02)
    else:
        assert wider == best_of.widening(best_of.covariance(np.stack(values), 0.0, 50)) > 1.2
