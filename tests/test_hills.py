"""The systems' known values, their hand-made models, and what the methods' equations foresee in them."""

import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.model_based import combo, micro, mobile, mopo, morel, sac_on_model
from micro_rl.dynamics.ensemble import predict
from runs.probes_page import LOGS
from tests.hills import APART, DISCOUNT, KEEP, NOISE, SYSTEMS, best_by_iteration, foreseen, log_of, mean_gap, model_of


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_optimum_is_what_value_iteration_finds(name: str):
    assert SYSTEMS[name].optimum == pytest.approx(best_by_iteration(SYSTEMS[name]), abs=1e-6)


def test_an_actions_value_is_its_discounted_return():
    system, state, total = SYSTEMS["optimist"], 0.0, 0.0
    for step in range(400):
        total += DISCOUNT**step * state
        state = KEEP * state + float(system.step(np.array(0.7)))
    assert total == pytest.approx(system.value(system.step(np.array(0.7))))


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_models_say_what_the_systems_state(name: str):
    system = SYSTEMS[name]
    action = np.array([-1.0, -0.3, 0.1, 0.5, 0.8, 1.0])
    mean, std = predict(model_of(system), jnp.full((6, 1), 2.0), jnp.asarray(action, jnp.float32)[:, None])
    # Near its knot the bend is a little rounded.
    np.testing.assert_allclose(mean[..., 0], system.predicted(action) + 2 * (KEEP + APART[:, None]), atol=2e-3)
    np.testing.assert_allclose(mean[..., 1], 2.0, atol=1e-5)
    np.testing.assert_allclose(std[..., 0], np.tile(system.noise(action), (5, 1)), rtol=1e-2)
    np.testing.assert_allclose(std[..., 1], NOISE, rtol=1e-3)


@pytest.mark.parametrize(("one", "other"), [("optimist", "agreement"), ("pessimist", "noise")])
def test_systems_of_one_truth_have_the_same_log(one: str, other: str):
    """So a method without a model is run on one of them only."""
    assert {one, other} & set(LOGS)
    for column, same in zip(log_of(SYSTEMS[one]).log, log_of(SYSTEMS[other]).log, strict=True):
        np.testing.assert_array_equal(column, same)


@pytest.mark.parametrize("name", SYSTEMS)
def test_where_the_log_reaches_the_members_are_right(name: str):
    system = SYSTEMS[name]
    log = log_of(system).log
    mean, _ = predict(model_of(system), log.observation, log.action)  # pyright: ignore[reportAttributeAccessIssue]
    error = np.asarray(mean[..., 0] - log.next_observation[None, :, 0])  # pyright: ignore[reportAttributeAccessIssue]
    assert np.abs(error.mean()) < 0.01
    if system.reach < 1:
        assert error.std() == pytest.approx(NOISE, rel=0.1)
        assert float(log.action.max()) <= system.reach  # pyright: ignore[reportAttributeAccessIssue]
    else:
        assert float(log.action.max()) > 0.99  # pyright: ignore[reportAttributeAccessIssue]


def best_action(name: str, options: object) -> float:
    action = foreseen(SYSTEMS[name], options)
    assert action is not None
    return action


MICRO, STRICT = micro.Options(beta=0.5), micro.Options(beta=1.0)


def test_one_optimist_fools_sac_and_mopo_and_no_method_that_asks_the_members():
    assert best_action("optimist", sac_on_model.Options()) == best_action("optimist", mopo.Options()) == 1.0
    for options in (MICRO, STRICT, mobile.Options(0.62, num_samples=1), morel.Options()):
        assert best_action("optimist", options) == pytest.approx(0.25, abs=0.03)


def test_one_pessimist_costs_those_who_ask_the_members():
    assert best_action("pessimist", sac_on_model.Options()) == 1.0
    for options in (MICRO, STRICT, mobile.Options(1.24, num_samples=1), morel.Options()):
        assert best_action("pessimist", options) < 0.4
    assert 0.4 < best_action("pessimist", mobile.Options(0.62, num_samples=1)) < 0.9


def test_members_that_agree_fool_everyone_who_asks_them():
    others = (mobile.Options(1.24, num_samples=1), mopo.Options(), morel.Options())
    for options in (sac_on_model.Options(), MICRO, STRICT, *others):
        assert best_action("agreement", options) == 1.0


def test_noise_is_taken_for_disagreement_unless_many_draws_average_it():
    actions = [best_action("noise", micro.Options(beta=0.5, num_samples=draws)) for draws in (1, 10, 100)]
    assert actions[0] < 0.7 < actions[1] <= actions[2] == 1.0
    f = mean_gap(np.zeros((5, 1)), np.array([0.8]), 1)
    assert float(f[0]) == pytest.approx(1.163 * 0.8, rel=0.02)


@pytest.mark.parametrize(
    "options", [sac_on_model.Options(), MICRO, STRICT, mobile.Options(0.62), mopo.Options(), morel.Options()]
)
def test_with_plenty_of_data_nobody_should_lose(options: object):
    assert best_action("plenty", options) == pytest.approx(0.25, abs=0.01)


def test_what_has_no_closed_form_is_not_foreseen():
    assert foreseen(SYSTEMS["plenty"], combo.Options()) is None
