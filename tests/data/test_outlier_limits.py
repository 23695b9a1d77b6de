"""From where on a value is an outlier, and what becomes of its rows."""

import numpy as np
import pytest

from micro_rl.data import outliers
from micro_rl.data.checks.presentable import presentable
from micro_rl.data.outliers import NONE, limits
from tests.data.noise import log

NOISE = np.random.default_rng(0).uniform(-1, 1, 5000)


@pytest.mark.parametrize(
    ("extra", "rewards", "expected"),
    [
        ([999], False, (-np.inf, 1)),
        ([-999], False, (-1, np.inf)),
        ([-9999, 9999], False, (-1, 1)),
        ([12345], False, (-np.inf, 1)),
        ([190], False, (-np.inf, np.inf)),  # not a hundred widths
        ([210], False, (-np.inf, 1)),
        ([210], True, (-np.inf, np.inf)),  # no code, and a reward may be worth much
        ([999], True, (-np.inf, 1)),
        ([210] * 10, False, (-np.inf, 1)),
        ([210] * 11, False, (-np.inf, np.inf)),  # more than a handful
        ([1e15], True, (-np.inf, 1)),
        ([9e14], True, (-np.inf, np.inf)),
        ([np.nan, np.inf, 999], False, (-np.inf, 1)),
    ],
)
def test_from_where_on_a_value_is_absurd(extra, rewards, expected):
    ends = {1: NOISE.max(), -1: NOISE.min()}
    assert limits(np.concatenate([NOISE, extra]), rewards) == tuple(ends.get(side, side) for side in expected)


@pytest.mark.parametrize(
    ("width", "rewards", "absurd"), [(249, False, True), (250, False, False), (90, True, True), (91, True, False)]
)
def test_a_code_stands_three_widths_away_and_among_rewards_ten(width, rewards, absurd):
    values = np.concatenate([np.linspace(0, 30, 2000), [width, 999]])
    assert limits(values, rewards) == ((-np.inf, width) if absurd else NONE)


def test_too_few_values_have_no_outlier():
    assert limits(np.array([*range(8), 9999.0])) == NONE
    assert limits(np.array([*range(10), 9999.0])) == (-np.inf, 9)


def test_a_row_of_an_outlier_is_told_and_counted():
    observations = log().observations.copy()
    observations[[31, 60], 1] = -9999
    whole = log(observations=observations)
    assert whole.outliers is not None
    assert np.flatnonzero(whole.outliers.rows).tolist() == [30, 31, 59, 60]
    assert np.flatnonzero(whole.outliers.window).tolist() == [31, 60]
    [problem] = outliers.described(
        whole.outliers,
        whole.columns,
        (whole.observations, whole.actions, whole.rewards, whole.next_observations),
    )
    assert (problem.text, problem.rows, problem.columns) == (
        "observation 1 is far from all other values in 2 rows (31, 60), as -9999 in row 31: a code for a missing "
        "value, or a unit that changed? 4 rows that hold or lead to such a value are not learned from, and no scale is "
        "taken from them",
        (31, 60),
        (1,),
    )
    clean = presentable(whole)
    assert np.abs(clean.observations).max() <= 1 and np.abs(clean.next_observations).max() <= 1.02
    assert (clean.observations != whole.observations).sum() == 2


@pytest.mark.parametrize("value", [-9999.0, 9999.0])
def test_an_outlier_that_only_a_next_observation_holds(value):
    after = log().next_observations.copy()
    after[49, 1] = value
    whole = log(next_observations=after)
    assert whole.outliers is not None and np.flatnonzero(whole.outliers.rows).tolist() == [49]
    assert not whole.outliers.observations.any() and not whole.outliers.window.any()
    [note] = [note for note in whole.notes if "far from all other" in note]
    assert note.startswith(f"next observation 1 is far from all other values in 1 row (49), as {value:g} in row 49: ")


def test_how_near_is_near_hangs_on_the_columns_own_span():
    """Five below a column that is a hundredth wide is far; in one a hundred wide nothing is."""
    narrow = np.concatenate([np.linspace(0, 0.01, 2000), [-5.0]])
    assert limits(narrow) == (0, np.inf)
    assert limits(np.concatenate([np.linspace(0, 100, 2000), [-5.0]])) == NONE
