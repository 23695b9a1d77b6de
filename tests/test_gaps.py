"""The choices for MICRO's f, by hand and in their limits."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from micro_rl.algorithms.model_based import micro
from micro_rl.algorithms.model_based.gaps import (
    MeanLessKthSmallest,
    MeanLessMinimum,
    MeanLessSoftMinimum,
    NextValueLessMinimum,
)
from micro_rl.errors import UserError

VALUES = jnp.asarray([[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]])
NEXT = jnp.asarray([4.0, 4.0])


def soft(softness: float) -> MeanLessSoftMinimum:
    return MeanLessSoftMinimum(jnp.asarray(softness))


def test_gaps_by_hand():
    np.testing.assert_allclose(MeanLessMinimum()(VALUES, NEXT), [2.0, 0.0])
    np.testing.assert_allclose(MeanLessKthSmallest(2)(VALUES, NEXT), [1.0, 0.0])
    np.testing.assert_allclose(NextValueLessMinimum()(VALUES, NEXT), [3.0, -1.0])
    entropic = -2 * np.log(np.mean(np.exp(-np.asarray([1.0, 2.0, 6.0]) / 2)))
    np.testing.assert_allclose(soft(2.0)(VALUES, NEXT), [3 - entropic, 0.0], rtol=1e-5, atol=1e-5)


def test_the_first_smallest_is_the_minimum():
    np.testing.assert_array_equal(MeanLessKthSmallest(1)(VALUES, NEXT), MeanLessMinimum()(VALUES, NEXT))


def test_a_soft_minimum_lies_between_the_minimum_and_the_mean():
    np.testing.assert_allclose(soft(1e-3)(VALUES, NEXT), MeanLessMinimum()(VALUES, NEXT), atol=0.01)
    np.testing.assert_allclose(soft(1e4)(VALUES, NEXT), 0.0, atol=0.01)


@given(arrays.arrays(np.float32, (4, 3), elements=st.floats(-50, 50, width=32)), st.floats(0.1, 100))
def test_softness_only_ever_lowers_the_gap(values: np.ndarray, softness: float):
    hard, softer = (gap(jnp.asarray(values), jnp.zeros(3)) for gap in (MeanLessMinimum(), soft(softness)))
    assert (np.asarray(softer) <= np.asarray(hard) + 1e-3).all()
    assert (np.asarray(softer) >= -1e-3).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"softness": 1.0}, "softness: 1.0 does nothing without gap soft-min"),
        ({"k": 1}, "k: 1 does nothing without gap kth"),
        ({"radius": 1.0}, "radius: 1.0 does nothing without candidates l2"),
        ({"ball_steps": 3}, "ball_steps: 3 does nothing"),
        ({"gap": "soft-min"}, "softness: gap soft-min needs one above 0"),
        ({"gap": "kth"}, "k: gap kth needs one of at least 1"),
        ({"gap": "kth", "k": 0}, "k: 0 is not a whole number of at least 1"),
        ({"gap": "soft-min", "softness": 0.0}, "softness: 0.0 is not positive"),
        ({"candidates": "l2", "radius": -1.0}, "radius: -1.0 is not 0 or more"),
        ({"candidates": "l2"}, "radius: a ball .l2. needs one"),
        ({"candidates": "l2", "radius": 1.0, "gap": "value-min"}, "has neither gap nor draws"),
        ({"candidates": "l2", "radius": 1.0, "k": 2}, "k: 2 does nothing"),
        ({"candidates": "linf", "radius": 1.0, "ball_steps": 0}, "ball_steps: 0 is not a whole number of at least 1"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        micro.build(micro.Options(**options))
