"""Exogenous columns: named beside a log, kept by every copy of it, and replayed from it in rollouts."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.model_based.balls import BALLS, Ball, worst_in_ball
from micro_rl.algorithms.model_based.candidates import candidate_noise, candidate_values
from micro_rl.algorithms.rollout import Replayed, RowRules, rollout
from micro_rl.algorithms.slots import AsPredicted, MethodContext
from micro_rl.core.settings import Settings
from micro_rl.core.types import Replay, Transition
from micro_rl.data import Dataset, load, windowed
from micro_rl.data.conversion import convert, form_of
from micro_rl.dynamics.ensemble import Models
from micro_rl.dynamics.measure import measure
from micro_rl.dynamics.termination_rules import ByRule, never
from micro_rl.training.fitting import problem_of
from tests.data.test_loading import refused
from tests.probes import linear_critics, linear_ensemble, plain_units, pointing_ensemble, steady_actor

LINES = ["t,level,weather,valve", *(f"{t},{t / 10},{10 * t},{0.1 * (t % 3)}" for t in [0, 1, 2, 3, 4, 50, 51, 52])]
TOML = 'time = "t"\nobservations = ["level", "weather"]\nactions = ["valve"]\nreward = "-level"\nexogenous = ["wea*"]\n'


@pytest.fixture
def tank(tmp_path):
    path = tmp_path / "tank.csv"
    path.write_text("\n".join(LINES) + "\n")
    path.with_suffix(".toml").write_text(TOML)
    return path


@pytest.mark.parametrize("name", ["copy.csv", "copy.hdf5", "copy.parquet"])
def test_a_log_says_which_and_its_copies_do(tank, tmp_path, name):
    log = load(tank)
    assert log.exogenous == (1,)
    path = tmp_path / "copies" / name
    path.parent.mkdir()
    back, _ = convert(log, path, form_of(path, None), "test")
    assert back.exogenous == (1,)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ('["wether"]', "exogenous: there is no column 'wether' (did you mean 'weather'?)"),
        ('["level", "weather"]', "exogenous names every observation"),
        ('["valve"]', "exogenous: there is no column 'valve'"),
    ],
)
def test_refused(tank, names, words):
    tank.with_suffix(".toml").write_text(TOML.replace('["wea*"]', names))
    refused(tank, words)


@pytest.mark.parametrize("history", [1, 2])
def test_the_log_tells_how_long_it_goes_on(tank, history):
    log = windowed(load(tank), history)
    replay = problem_of(log, Settings(history=history, standardise=False)).replay
    assert replay is not None
    np.testing.assert_array_equal(replay.continued, [1, 1, 1, 0, 1, 0])  # 5 and 3 rows, less the last of each
    assert np.flatnonzero(replay.columns).tolist() == [1]
    assert problem_of(replace(log, exogenous=()), Settings(history=history)).replay is None


def rolled(replayed, length):
    """The model adds 1 to the first column and 100 to the second."""
    ensemble = pointing_ensemble([[1.0, 100.0]] * 3, [0.0] * 3, act=1)
    starts = jnp.asarray([[0.0, 0.0], [0.0, 30.0]])
    made = rollout(
        ensemble,
        1,
        steady_actor([0.25], obs=2, log_std=-5.0),
        RowRules(AsPredicted(), ()),
        ByRule(never),
        plain_units(2, 1),
        starts,
        length,
        jax.random.key(0),
        replayed,
    )
    return made.rows


def test_a_rollout_takes_the_logs_own_values_and_then_the_models():
    replay = Replay(jnp.asarray([True, True, False, False]), jnp.asarray([False, True]))
    following = jnp.asarray([[9.0, 10.0], [9.0, 20.0], [9.0, 30.0], [9.0, 40.0]])
    rows = rolled(Replayed(jnp.asarray([0, 3]), following, replay), 4)
    steps = np.asarray(rows.next_observation).reshape(4, 2, 2)
    second = np.sort(steps[:, :, 1], axis=1)
    np.testing.assert_allclose(second, [[10, 40], [20, 140], [30, 240], [130, 340]], atol=0.1)
    np.testing.assert_allclose(steps[:, :, 0], [[1, 1], [2, 2], [3, 3], [4, 4]], atol=0.1)
    before = np.asarray(rows.observation).reshape(4, 2, 2)
    np.testing.assert_allclose(np.sort(before[1:, :, 1], 1), second[:-1])


def test_candidates_differ_in_what_actions_move_alone():
    ensemble = pointing_ensemble([[1.0, 100.0], [2.0, -100.0]], [0.0, 0.0], act=1)
    critics = linear_critics([[1.0, 1.0, 0.0]], [0.0])
    rows = Transition(jnp.zeros((4, 2)), jnp.zeros((4, 1)), jnp.zeros(4), jnp.full((4, 2), 7.0), jnp.ones(4))
    noise = candidate_noise(jax.random.key(0), rows, 2, 1)

    def values(exogenous):
        models = Models.of(ensemble, 2, exogenous)
        actor = steady_actor([0.0], obs=2, log_std=-5.0)
        context = MethodContext(critics, critics, actor, models, jnp.ones(()))
        return np.asarray(candidate_values(context, models.elites, rows, noise))

    np.testing.assert_allclose(values(jnp.asarray([False, True])), [[8.0] * 4, [9.0] * 4], atol=0.1)
    np.testing.assert_allclose(values(None), [[101.0] * 4, [-98.0] * 4], atol=0.1)


@pytest.mark.parametrize("ball", BALLS.values())
def test_a_ball_has_no_width_in_what_no_action_moves(ball: Ball):
    """V = 3 s_0 + 4 s_1 within a radius of 1: 3 lower where the second column is exogenous, else more."""
    ensemble = pointing_ensemble([[0.0, 0.0]] * 2, [0.0] * 2, act=1, std=1.0)
    critics = linear_critics([[3.0, 4.0, 0.0]], [0.0])
    rows = Transition(jnp.zeros((4, 2)), jnp.zeros((4, 1)), jnp.zeros(4), jnp.zeros((4, 2)), jnp.ones(4))

    def lowest(exogenous):
        models = Models.of(ensemble, 2, exogenous)
        context = MethodContext(critics, critics, steady_actor([0.0], obs=2), models, jnp.ones(()))
        return np.asarray(worst_in_ball(context, rows, ball, jnp.asarray(1.0), 20))[1]

    assert (lowest(None) < -4.5).all()
    assert (lowest(jnp.asarray([False, True])) >= -3.01).all()


@pytest.mark.parametrize("outside", [True, False])
def test_a_model_is_measured_on_what_it_has_to_foretell(outside: bool):
    """The level moves by the action and half the weather; the model knows that, and nothing of the weather."""
    random = np.random.default_rng(0)
    weather, action = random.normal(size=61), random.uniform(-1, 1, (60, 1))
    level = np.concatenate([[0.0], np.cumsum(action[:, 0] + 0.5 * weather[:60])])
    observations = np.stack([level, weather], axis=1)
    named: dict[str, Any] = {"observation_names": ["level", "weather"], "exogenous": ["weather"] * outside}
    log = Dataset.from_arrays(
        observations[:60], action, np.zeros(60), next_observations=observations[1:], horizon=60, **named
    )
    weight = np.zeros((2, 3, 3))
    weight[:, 1, 0], weight[:, 2, 0] = 0.5, 1.0
    ensemble = linear_ensemble(weight, np.tile([0.0, 9.0, 0.0], (2, 1)), [0.01, 0.01, 0.01])
    report = measure(log, ensemble, plain_units(2, 1), np.arange(0, 50, 5), 5)
    assert report.horizon is not None and report.calibration is not None
    assert (max(report.horizon.error) < 1e-3) is outside
    assert (report.calibration.inside == 1.0) is outside


def test_without_exogenous_columns_nothing_is_drawn_otherwise():
    none = Replay(jnp.zeros(4, bool), jnp.zeros(2, bool))
    changed = rolled(Replayed(jnp.asarray([0, 3]), jnp.zeros((4, 2)), none), 3)
    jax.tree.map(np.testing.assert_array_equal, changed, rolled(None, 3))
