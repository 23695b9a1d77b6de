"""Draws in cheaper forms are the draws that they stand for."""

import jax
import numpy as np
import pytest
from scipy import stats

from micro_rl.core.random import normal, orders


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4, 5), (0, 3)])
def test_normal_numbers_are_those_of_jax_to_the_bit(shape: tuple[int, ...]):
    key = jax.random.key(3)
    np.testing.assert_array_equal(normal(key, shape), jax.random.normal(key, shape))


def test_every_row_has_an_order_of_its_own_and_every_place_is_as_likely():
    drawn = np.asarray(orders(jax.random.key(0), (6000, 5)))
    assert (np.sort(drawn, axis=1) == np.arange(5)).all()
    met = np.stack([np.bincount(column, minlength=5) for column in drawn.T])
    assert stats.chisquare(met.ravel()).pvalue > 1e-3
    codes = np.unique(drawn @ 5 ** np.arange(5), return_counts=True)[1]
    assert codes.size == 120
    assert stats.chisquare(codes).pvalue > 1e-3
