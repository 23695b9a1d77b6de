"""The probes of support: limits from a system's own log, the plateau by hand, and a tiny cell of either kind."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.model_based import micro
from micro_rl.algorithms.support import Halt
from micro_rl.dynamics.ensemble import predict
from runs import edge_of_reach, probe_training, support_probes_page
from runs.probe_training import SETTINGS, limits_of, settings_with, with_limits
from tests.hills import SYSTEMS, log_of, model_of
from tests.plateau import DISCOUNT, Plateau
from tests.plateau import model_of as plateau_model
from tests.probes import call, steady_actor


def test_the_plateaus_model_is_the_truth():
    plateau = Plateau()
    state = jnp.asarray([[0.0, 0.0], [0.5, -1.7], [2.5, 0.0], [-4.0, 5.0]])
    action = jnp.asarray([[1.0, -1.0], [0.0, 0.3], [-1.0, 1.0], [0.0, 0.0]])
    mean, std = jax.jit(predict)(plateau_model(plateau), state, action)
    mean, reward = np.asarray(mean), jax.jit(plateau.reward)(state)
    np.testing.assert_allclose(mean[0, :, :2], 1.1 * np.asarray(state) + 0.25 * np.asarray(action), atol=1e-5)
    np.testing.assert_allclose(mean[0, :, 2], reward, atol=1e-5)
    np.testing.assert_allclose(reward, [1, 1, 0, -3], atol=1e-3)
    np.testing.assert_array_equal(mean[0], mean[-1])
    np.testing.assert_allclose(std, 1e-3, rtol=1e-3)


def test_three_steps_lead_to_where_nothing_is_ever_learned():
    plateau = Plateau()
    assert [plateau.reach(steps) for steps in range(4)] == pytest.approx([1, 1.35, 1.735, 2.1585])
    # Rows begin within reach of two steps, where every reward is 1; the last of them end beyond.
    corner = jnp.full((1, 2), plateau.reach(2))
    assert float(plateau.reward(corner)[0]) == pytest.approx(1, abs=1e-5)
    assert float(plateau.reward(jnp.full((1, 2), plateau.reach(3)))[0]) < 0.5


def test_nobody_has_more_than_the_most_and_who_stays_has_it_all_but_a_little():
    plateau = Plateau()
    grid = jnp.linspace(-4, 4, 4001)
    assert float(jnp.max(plateau.reward(jnp.stack([grid, grid], -1)))) <= (1 - DISCOUNT) * plateau.most + 1e-6
    start = jnp.zeros((3, 2))
    assert float(edge_of_reach.true_value(plateau, steady_actor([0.0, 0.0], 2), start)) == pytest.approx(100, abs=0.01)
    # To the right: 0, 0.25, 0.525, 0.8275, 1.16, 1.53, 1.93 (1 each), 2.3718, 2.8590, and from 3.39 on -1 for ever.
    known = sum(DISCOUNT**step for step in range(7)) + 0.2564 * DISCOUNT**7 - 0.7179 * DISCOUNT**8
    away = edge_of_reach.true_value(plateau, steady_actor([1 - 1e-7, 0.0], 2), start)
    assert float(away) == pytest.approx(known - DISCOUNT**9 / (1 - DISCOUNT), abs=0.05)


@pytest.mark.parametrize("name", ["agreement", "plenty"])
def test_limits_are_the_logs_own(name: str):
    log = log_of(SYSTEMS[name])
    limits = limits_of(log)
    assert limits.limit(0.99) == pytest.approx(1, abs=0.1)
    assert np.mean(limits.scores <= limits.limit(0.99)) >= 0.99
    assert (limits.breadth > 0.8) == (name == "plenty")  # three actions in eight lie beyond the other log
    assert limits.least_reward == pytest.approx(float(jnp.min(probe_training.transitions(log).reward)))


def test_unknown_is_what_the_log_never_did():
    """Halt on the agreement's model: the promised action ends the episode, the log's own does not."""
    system = SYSTEMS["agreement"]
    log, settings = log_of(system), settings_with({"support": "halt"})
    method = with_limits(micro.build(micro.Options()), settings, log, log_of(system, 500, seed=1), model_of(system))
    assert isinstance(method.support, Halt)
    rows = probe_training.transitions(log)
    taken = rows._replace(action=jnp.full_like(rows.action, 0.9))
    halted, unknown = call(method.support, taken)
    assert bool(jnp.all(unknown)) and float(jnp.max(halted.discount)) == 0
    assert float(jnp.mean(call(method.support, probe_training.transitions(log_of(system, 500, seed=2)))[1])) < 0.03


def test_the_set_holds_what_it_promises_of_the_log_and_not_what_the_members_promise():
    system = SYSTEMS["agreement"]
    model, log = model_of(system), log_of(system)
    measured = probe_training.calibrated_set(model, log, log_of(system, 1000, seed=1), 0.95)
    rows = probe_training.transitions(log_of(system, 2000, seed=2))
    centre, size = measured.around(model, rows)
    assert float(np.mean(np.abs(rows.next_observation - centre)[:, 0] <= size)) == pytest.approx(0.95, abs=0.02)


def test_a_tiny_cell_of_the_edge(monkeypatch: pytest.MonkeyPatch):
    tiny = {"hidden_sizes": (8,), "updates_per_epoch": 5, "batch_size": 16, "rollout_batch_size": 20}
    monkeypatch.setattr(probe_training, "SETTINGS", SETTINGS | tiny)
    believed, true = edge_of_reach.trained(edge_of_reach.Cell("tiny", settings={"support": "truncate"}), 2, 3)
    assert believed.shape == true.shape == (2, 3)
    assert np.all(np.isfinite(believed)) and np.all(true <= Plateau().most)


def test_every_part_is_probed_at_both_betas():
    titles = [probe.title for probe in support_probes_page.PROBES]
    assert len(set(titles)) == len(titles) == 2 * len(support_probes_page.PARTS)
    assert {"MICRO, beta 0.5", "MICRO, beta 1, support halt", "MICRO, beta 0.5, calibrated set"} <= set(titles)
