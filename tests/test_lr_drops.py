"""The fit's learning rate drops where patience runs out, and the fit ends where it does so after the last drop."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.buffer import rows_of
from micro_rl.core.types import Transition
from micro_rl.dynamics.fit_epoch import FitState, compiled_epoch, compiled_start, learning_rate, unfinished
from micro_rl.training.fitting import problem_of
from tests.probes import tiny_dataset, tiny_plan

SIZES = tiny_plan(model_lr=1e-2, model_lr_drops=2, patience=2, max_fit_epochs=40).settings.fit_sizes()


@pytest.fixture(scope="module")
def log() -> Transition:
    return rows_of(problem_of(tiny_dataset(), tiny_plan().settings).log)


def begun(log: Transition, drops: int = SIZES.lr_drops) -> FitState:
    """A fit that will never improve on what it has."""
    state = compiled_start(log, sizes=SIZES._replace(lr_drops=drops), key=jax.random.key(0))
    return state._replace(patience=state.patience._replace(error=jnp.zeros(SIZES.ensemble_size)))


def test_it_drops_twice_and_then_the_fit_is_over(log: Transition):
    state, seen = begun(log), []
    while bool(unfinished(state, SIZES)):
        state, *_ = compiled_epoch(state, log, sizes=SIZES, key=jax.random.key(1))
        assert state.drops is not None
        seen.append((int(state.drops), int(state.patience.stale), round(float(learning_rate(state, SIZES)), 6)))
    assert seen == [(0, 1, 0.01), (1, 0, 0.003), (1, 1, 0.003), (2, 0, 0.0009), (2, 1, 0.0009), (2, 2, 0.0009)]


def test_a_dropped_rate_is_what_the_steps_are_taken_with(log: Transition):
    dropped = begun(log)._replace(drops=jnp.asarray(1, jnp.int32))
    lower = SIZES._replace(lr=0.3 * SIZES.lr, lr_drops=0)
    plain = begun(log, drops=0)
    assert plain.drops is None and learning_rate(plain, lower) == lower.lr
    states = [
        compiled_epoch(state, log, sizes=sizes, key=jax.random.key(1))[0]
        for state, sizes in ((dropped, SIZES), (plain, lower))
    ]
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), *(state.members for state in states))
