"""The first update at which a number is bad: by hand, and as the compiled epochs tell it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms import epoch, log_epoch
from micro_rl.algorithms.coefficients import coefficients
from micro_rl.core.first_bad import first_bad, first_bad_of_each
from micro_rl.core.types import Keys
from micro_rl.dynamics.fit_epoch import compiled_start, finish_fit
from micro_rl.dynamics.termination_rules import ByRule, never
from micro_rl.training.fitting import problem_of
from tests.probes import tiny_plan


@pytest.mark.parametrize(
    ("values", "limit", "first"),
    [
        ([1.0, -2.0, 3.0], np.inf, 0),
        ([1.0, np.nan, np.nan], np.inf, 2),
        ([1.0, 2.0, -np.inf], np.inf, 3),
        ([np.inf, 0.0], np.inf, 1),
        ([1.0, -9.0, np.nan], 5.0, 2),
        ([1.0, 4.9], 5.0, 0),
    ],
)
def test_the_first_bad_value_by_hand(values: list[float], limit: float, first: int):
    assert int(first_bad(jnp.asarray(values), limit)) == first


def test_only_terms_with_a_limit_may_not_be_large():
    large = jnp.asarray([1.0, 1e20])
    assert first_bad_of_each({"q": large, "loss": large}, {"q": 1e6}) == {"q": 2, "loss": 0}


@pytest.fixture(scope="module")
def run() -> Any:
    """An epoch of two turns on the tiny log's model, for these coefficients and limit."""
    plan = tiny_plan(rollout_every=10)
    problem, settings, keys = problem_of(plan.dataset, plan.settings), plan.settings, Keys.of(0)
    model = finish_fit(compiled_start(problem.log, sizes=settings.fit_sizes(), key=keys.fit))
    method: Any = plan.method

    def epoch_with(value_limit: float, **changes: float) -> dict[str, int]:
        state = epoch.compiled_start(problem, model, method, settings.sizes(), 1.0, keys)
        c = coefficients(settings, 1)._replace(**{name: jnp.float32(rate) for name, rate in changes.items()})
        where = {"sizes": settings.sizes(), "ends": ByRule(never), "value_limit": value_limit}
        _, logged, first = epoch.compiled_epoch(state, method, problem, c, keys.epochs, **where)
        assert set(first) == set(logged) | {epoch.MODEL_ROWS}
        return {name: int(number) for name, number in first.items()}

    return epoch_with


def test_a_good_epoch_has_none(run: Any):
    assert set(run(1e9).values()) == {0}


def test_each_term_goes_when_the_update_reaches_it(run: Any):
    first = run(1e9, critic_lr=np.nan)  # the critics are lost in the first update, after their own loss
    assert (first["loss/actor"], first["loss/critic"], first["q/target"]) == (1, 2, 2)
    assert first["entropy"] == 2  # of the actor that the first update has lost
    assert first["rollout/reward"] == first[epoch.MODEL_ROWS] == 11  # the second turn's rollouts, with that actor
    assert first["rollout/length"] == first["buffer/rows"] == 0


def test_values_past_the_limit_are_bad(run: Any):
    first = run(1e-9)
    assert {name for name, number in first.items() if number} == {"q/real", "q/model", "q/target"}


def test_without_a_model_too():
    plan = tiny_plan(method="td3_bc", policy_delay=2)
    problem, settings, keys = log_epoch.problem_of(plan.dataset, plan.settings), plan.settings, Keys.of(0)
    method: Any = plan.method
    firsts = []
    for rate in (settings.critic_lr, np.nan):
        state = log_epoch.compiled_start(problem, method, settings.sizes(), 1.0, keys)
        c = coefficients(settings, 1)._replace(critic_lr=jnp.asarray(rate))
        _, logged, first = log_epoch.compiled_epoch(state, method, problem, c, keys.epochs, sizes=settings.sizes())
        assert set(first) == set(logged)
        firsts.append(jax.device_get(first))
    assert not any(firsts[0].values())
    assert all(number in (1, 3) for number in firsts[1].values())  # a call makes two updates
