"""The probes themselves, their closed forms against simulation; and what methods make of them."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.model_based import mobile
from micro_rl.core.networks import sample
from micro_rl.dynamics.ensemble import predict
from runs import probes as training
from runs.probes_page import PROBES
from tests.hills import SYSTEMS
from tests.lines import Line, evaluate_policy, model_rows
from tests.probes import pointing_ensemble, steady_actor, tiny_dataset


@pytest.mark.parametrize("action", [0.0, 0.7, -1.0])
def test_the_lines_value_is_its_discounted_return(action: float):
    line = Line()
    state, total = np.array([-1.0, 0.0, 2.0]), np.zeros(3)
    for step in range(400):
        total += line.discount**step * (state + line.price * action)
        state = line.keep * state + line.push * action + line.drift
    # The first action's price is paid at once and comes back from the next step on.
    np.testing.assert_allclose(total, line.value(np.array([-1.0, 0.0, 2.0])), atol=1e-9)


def test_the_lines_model_is_the_line_but_for_its_errors():
    line = Line()
    mean, _ = predict(line.ensemble([0.0, 0.5]), jnp.asarray([[2.0]]), jnp.asarray([[-1.0]]))
    true = [line.keep * 2 - line.push + line.drift, 2 - line.price]
    np.testing.assert_allclose(mean[:, 0], [true, [true[0] + 0.5, true[1]]], rtol=1e-5)


def test_model_rows_hold_every_members_answer():
    rows = model_rows(Line().ensemble([0.0, 0.5]))
    half = rows.reward.shape[0] // 2
    np.testing.assert_array_equal(rows.observation[:half], rows.observation[half:])
    np.testing.assert_allclose(rows.next_observation[half:] - rows.next_observation[:half], 0.5, rtol=1e-5)


def test_a_steady_actor_is_steady():
    actor = steady_actor([0.4, -0.2], obs=3)
    action, _ = sample(actor, jax.random.normal(jax.random.key(0), (5, 3)), jnp.zeros((5, 2)))
    np.testing.assert_allclose(action, np.tile([0.4, -0.2], (5, 1)), rtol=1e-6)


def test_pointing_members_point():
    mean, std = predict(pointing_ensemble([[1.0, 2.0]], [3.0], act=1, std=0.1), jnp.ones((1, 2)), jnp.ones((1, 1)))
    np.testing.assert_allclose(mean[0, 0], [2.0, 3.0, 3.0], rtol=1e-6)
    np.testing.assert_allclose(std, 0.1, rtol=1e-4)


def test_the_tiny_log_is_made_of_whole_episodes():
    log = tiny_dataset(1e6)
    assert log.lengths.tolist() == [30] * 10
    inside = np.flatnonzero(~log.timeouts)
    np.testing.assert_array_equal(log.observations[inside + 1], log.next_observations[inside])
    assert np.abs(log.observations[:, 2]).max() > 1e6


@pytest.mark.parametrize("errors", [[0.0, 0.0, 0.3], [0.0, 0.0, -0.3], [0.3, 0.3, 0.3]])
def test_mobile_pays_for_the_spread_whichever_side_it_is_on(errors: list[float]):
    line, states, penalty = Line(), np.linspace(-1, 2, 5), 0.6
    method = mobile.build(mobile.Options(penalty=penalty, num_samples=0))
    each_step = line.slope * (line.discount * np.mean(errors) - penalty * np.std(errors, ddof=1))
    evaluation = evaluate_policy(line, method, line.ensemble(errors), states)
    np.testing.assert_allclose(evaluation, line.value(states) + each_step / (1 - line.discount), rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_trained_policies_do_what_the_equations_foresee(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The ends of docs/results/probes.md: SAC is fooled, MICRO is not but pays, and both fail where members agree."""
    monkeypatch.setattr(training, "OUT", tmp_path)
    probes = {probe.title: probe for probe in PROBES}
    sac, micro = (training.cells(probes[title]) for title in ("SAC on the model", "MICRO, beta 1"))
    mean = lambda cells, name: float(np.mean([cell["value"] for cell in cells[name]]))  # noqa: E731
    best = {name: system.optimum for name, system in SYSTEMS.items()}
    assert mean(sac, "optimist") < 0 < best["optimist"] - 1 < mean(micro, "optimist")
    assert mean(micro, "pessimist") < best["pessimist"] - 3 < best["pessimist"] - 1 < mean(sac, "pessimist")
    assert max(mean(sac, "agreement"), mean(micro, "agreement")) < -7
    assert mean(micro, "noise") < best["noise"] - 3
    assert min(mean(sac, "plenty"), mean(micro, "plenty")) > best["plenty"] - 0.5
