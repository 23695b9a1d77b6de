"""What the critics say of a log's starts, by hand."""

import jax.numpy as jnp
import pytest

from micro_rl.algorithms.value_estimates import critic_estimate
from tests.probes import linear_critics, plain_units, steady_actor


def test_the_critics_estimate_is_the_least_of_them_in_raw_units():
    critics = linear_critics([[1.0, 0.0], [2.0, 0.0]], [0.5, 0.0])  # s + 0.5 and 2 s: at 0 and 1 the least are 0, 1.5
    units = plain_units(1, 1)._replace(reward_scale=jnp.asarray(4.0))
    starts = jnp.asarray([[0.0], [1.0]])
    assert float(critic_estimate(steady_actor([0.0], obs=1), critics, units, starts)) == pytest.approx(4 * 0.75)
