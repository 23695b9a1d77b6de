"""The bound on rounding: by hand, never passed by any order of summing, and near to what is to be expected."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micro_rl.core.numpy_network import FURTHEST
from micro_rl.deploy.rounding import UNIT, bound, expected, gamma, of_standardised
from micro_rl.deploy.single import tables_of
from micro_rl.deploy.trial import draw
from micro_rl.policy import Policy
from tests.deploy.policies import random_policy


def summed(policy: Policy, seen: np.ndarray, orders: Sequence[np.ndarray]) -> np.ndarray:
    """The last layer's outputs as C computes them, but each layer's inputs added up in this order."""
    tables, values = tables_of(policy), seen.astype(np.float32)
    with np.errstate(over="ignore"):
        core = ((values - tables["mean_high"]) - tables["mean_low"]) / tables["deviation"]
    hidden, outputs = np.clip(core, np.float32(-FURTHEST), np.float32(FURTHEST)), []
    for (weight, bias), order in zip(policy.layers, orders, strict=True):
        output = np.broadcast_to(bias, (len(hidden), len(bias)))
        for unit in order:
            output = output + hidden[:, unit, None] * weight[unit]
        outputs.append(output)
        hidden = np.maximum(output, 0)
    return outputs[-1]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    hidden=st.lists(st.integers(1, 12), max_size=3),
    gain=st.sampled_from([0.5, 1.0, 10.0]),
    offset=st.sampled_from([0.0, 1.0, 1e3, 1e6]),
)
def test_no_order_passes_the_bound(seed: int, hidden: list[int], gain: float, offset: float):
    policy, rng = random_policy(seed, hidden=hidden, gain=gain, offset=offset), np.random.default_rng(seed)
    seen = draw(policy, 60, seed=seed, single=True).observations
    one, other = (
        summed(policy, seen, [rng.permutation(len(weight)) for weight, _ in policy.layers]).astype(np.float64)
        for _ in range(2)
    )
    own = np.concatenate(policy.distribution(seen), -1)
    limit = bound(policy, seen)
    assert (np.abs(one - other) <= limit).all() and (expected(policy, seen) <= 3 * limit).all()
    within = np.abs(one) < 1  # log standard deviations are clipped
    assert (np.abs(one - own)[within] <= limit[within]).all()


def test_by_hand():
    """Two inputs of (1, 2) deviations, weights 3 and -1 and a bias of 0.5: terms of 3 + 2 + 0.5."""
    policy = Policy(
        [(np.array([[3.0, 3.0], [-1.0, -1.0]]), np.array([0.5, 0.5]))],
        observation_mean=[0.0, 4.0],
        observation_std=[2.0, 4.0],
        action_mid=[0.0],
        action_half=[1.0],
    )
    inputs = gamma(4) * np.array([1, 2]) + 2 * UNIT**2 * np.array([0, 1])
    terms = gamma(3) * (5.5 + inputs @ [3, 1])
    right = 2 * terms + (inputs + gamma(2) * np.array([1, 2])) @ [3, 1]
    assert bound(policy, np.array([[2.0, 12.0]])) == pytest.approx(np.full((1, 2), right), rel=1e-6)
    assert of_standardised(np.ones(1), np.full(1, 1e9), np.ones(1)) == pytest.approx(gamma(4) + 2e9 * UNIT**2, rel=1e-6)
    assert gamma(3) == pytest.approx(3 * 2**-24)


def test_a_unit_that_may_be_active_or_not_counts_in_full():
    """Its value is 0 but for rounding: an output may follow it, or not, by half of either at the most."""
    policy = Policy(
        [(np.array([[1.0], [-1.0]]), np.zeros(1)), (np.array([[1.0, 1.0]]), np.zeros(2))],
        observation_mean=[0.0, 0.0],
        observation_std=[1.0, 1.0],
        action_mid=[0.0],
        action_half=[1.0],
    )
    seen = np.array([[1.0, 1.0], [1.0, 0.5], [0.5, 1.0]])
    on_edge, above, below = bound(policy, seen)[:, 0]
    assert on_edge > 2 * (gamma(3) + gamma(6)) and above > below and below < 3 * UNIT
