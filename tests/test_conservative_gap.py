"""The conservative gap of CQL and COMBO part by part: its rows, densities, and where actions are drawn."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.conservative import conservative_gap
from micro_rl.algorithms.model_based import combo
from micro_rl.core.types import Batch, Transition
from tests.probes import call, linear, linear_critics, steady_actor

KEY = jax.random.key(0)


def rows_at(state: float, following: float = 0.0, act: int = 1) -> Transition:
    ones = jnp.ones((4, 1))
    return Transition(state * ones, jnp.zeros((4, act)), jnp.zeros(4), following * ones, jnp.ones(4))


def test_combo_looks_at_the_models_rows_as_well_as_the_logs():
    """Q = 3 s: half of the rows 1 further on lift the mean over rows by 3 / 2, and the log's Q not at all."""
    critics, actor = linear_critics([[3.0, 0.0]] * 2, [0.0] * 2), steady_actor([0.0], obs=1)
    push = partial(call, combo.build(combo.Options(cql_weight=1.0)).regularize)
    at_0, at_1 = (float(push(critics, actor, Batch(rows_at(0.0), rows_at(at)), KEY)) for at in (0.0, 1.0))
    assert at_1 - at_0 == pytest.approx(1.5, abs=1e-3)


def test_uniform_actions_have_the_density_of_all_their_coordinates():
    """Q = 0 with two actions: 1 / density is on average the volume 4 for each of the three sources."""
    flat = linear_critics([[0.0, 0.0, 0.0]] * 2, [0.0] * 2)
    rows = rows_at(0.0, act=2)
    gap = jax.jit(partial(conservative_gap, actions=4000))(flat, steady_actor([0.0, 0.0], obs=1), rows, rows, KEY)
    assert float(gap) == pytest.approx(np.log(4 * 12_000), abs=0.05)


def test_a_third_of_the_actions_is_what_the_policy_does_next():
    """The policy acts at tanh(2 s); Q = 100 a, high only where it acts after the step."""
    actor = linear([[2.0, 0.0]], [0.0, -3.0])
    critics = linear_critics([[0.0, 100.0]] * 2, [0.0] * 2)
    gap = jax.jit(partial(conservative_gap, actions=1))
    gaps = [
        float(gap(critics, actor, rows, rows, KEY))
        for rows in (rows_at(-1.0, following=-1.0), rows_at(-1.0, following=1.0))
    ]
    assert gaps[1] > gaps[0] + 5
