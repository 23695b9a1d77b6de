"""Values that no measurement gives: found in every field, told, left out, and without weight in any scale."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.model_free import bc
from micro_rl.core.types import Scaling
from micro_rl.data import Dataset, load, windowed
from micro_rl.data.checks.cheap import cheap_findings
from micro_rl.data.outliers import NONE, limits
from micro_rl.data.scaling import fit_scaling, to_core
from micro_rl.simulation.log_check import inspect
from tests.data import logs
from tests.data.test_inspection import CLEAN, driven, planted, put

VALUES = [-999, 9999, -9999, 1e30, 1e25, 32767, -54321]


def written(tmp_path, arrays, **words):
    """A log of those arrays with wide bounds."""
    return logs.write_hdf5(tmp_path / "log.hdf5", arrays, action_low=-1.0, action_high=1.0, **words)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("rows", [[31], [31, 32, 405]])
@pytest.mark.parametrize("next_recorded", [True, False])
def test_codes_in_observations_are_left_out_and_change_no_scale(tmp_path, value, rows, next_recorded):
    arrays = planted(observations=put(rows, value, 1), next_observations=put([row - 1 for row in rows], value, 1))
    if not next_recorded:
        del arrays["next_observations"]
    log = load(written(tmp_path, arrays))
    left = sorted({*rows, *(row - 1 for row in rows)})
    assert [row for row in left if log.usable[row]] == []
    [note] = [note for note in log.notes if "far from all other" in note]
    assert note.startswith("observation 1 is far from all other values in ")
    assert f"{len(left)} rows that hold or lead" in note
    clean = CLEAN["observations"][:, 1]
    assert fit_scaling(log, True, True).observation_std[1] == pytest.approx(clean.std(), rel=0.02)
    assert log.observation_std()[1] == pytest.approx(clean.std(), rel=0.02)
    assert log.measured_columns.observations[1].low == pytest.approx(clean.min(), rel=1e-3)


@pytest.mark.parametrize("value", [-999, -9999, 99999, 1e30])
def test_codes_in_rewards(tmp_path, value):
    log = load(written(tmp_path, planted(rewards=put([5, 700], value))))
    assert np.flatnonzero(~log.usable).tolist() == [5, 700]
    assert any(note.startswith("the reward is far from all other values in 2 rows (5, 700)") for note in log.notes)
    size = np.sqrt(np.square(np.delete(CLEAN["rewards"], [5, 700]).astype(float)).mean())
    assert fit_scaling(log, True, True).reward_scale == pytest.approx(size, rel=1e-5)


def test_codes_in_actions_whose_bounds_let_them_pass(tmp_path):
    arrays = planted(actions=put([40], -999, 1))
    log = load(logs.write_hdf5(tmp_path / "log.hdf5", arrays, action_low=-1000.0, action_high=1000.0))
    assert np.flatnonzero(~log.usable).tolist() == [40]
    assert any(note.startswith("action 1 is far") for note in log.notes)


def test_codes_in_a_tenth_of_a_column(tmp_path):
    rows = np.arange(3, 1000, 13)
    log = load(written(tmp_path, planted(observations=put(rows, -9999, 2), next_observations=put(rows - 1, -9999, 2))))
    assert not log.usable[rows].any()
    assert fit_scaling(log, True, True).observation_std[2] < 10


def test_a_single_row_is_told_in_the_singular(tmp_path):
    """Nothing leads to the first row."""
    [note] = load(written(tmp_path, planted(observations=put([0], -9999, 0)))).notes
    assert note.endswith("1 row that holds or leads to such a value is not learned from, and no scale is taken from it")


def test_no_window_holds_one(tmp_path):
    both = {"observations": put([31], -9999, 0), "next_observations": put([30], -9999, 0)}
    log = windowed(load(written(tmp_path, planted(**both))), 3)
    assert np.flatnonzero(~log.usable).tolist() == [30, 31, 32, 33]
    assert np.abs(log.transitions(True).observation).max() < 100
    assert fit_scaling(log, True, True).observation_std[0] < 10


def test_each_value_is_told_once(tmp_path):
    both = {"observations": put([31], -9999, 0), "next_observations": put([30], -9999, 0)}
    path = written(tmp_path, planted(**both))
    assert [one.kind for one in inspect(path).findings] == ["outlier"]
    assert cheap_findings(load(path)) == []


def test_a_scale_reassures_nobody_where_an_outlier_made_it(tmp_path):
    both = {"observations": put([31], 1e25, 0), "next_observations": put([30], 1e25, 0)}
    assert "scales" not in {one.kind for one in inspect(written(tmp_path, planted(**both))).findings}


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).standard_cauchy(5000),
        np.random.default_rng(0).lognormal(0, 2, 5000),
        np.where(np.arange(5000) % 500 == 0, 100.0, 0.0),
        np.repeat([0.0, 1.0, 5.0], [3000, 1990, 10]),
        np.append(np.random.default_rng(0).normal(300, 20, 5000), [200, 420]),
        np.full(100, -9999.0),
        np.zeros(100),
        np.arange(5000.0),
        np.array([1.0, 2.0]),
    ],
)
def test_heavy_tails_pulses_and_counters_are_measurements(values):
    assert limits(values.astype(np.float32)) == NONE


@pytest.mark.parametrize("bonus", [100.0, -100.0, 1000.0])
def test_a_goal_is_worth_much_and_no_code(bonus):
    rewards = np.random.default_rng(0).uniform(-0.1, 0, 1000).astype(np.float32)
    rewards[[100, 500]] = bonus
    assert limits(rewards, rewards=True) == NONE


@pytest.mark.parametrize(
    ("rows", "value", "told"),
    [
        ([5, 700], 3000.0, "the reward is a thousandfold from all others in 2 rows (5, 700), as 3000 in row 5: a mark"),
        ([5], -3000.0, "the reward is a thousandfold from all others in 1 row (5), as -3000 in row 5: a mark"),
        ([5, 700], 900.0, ""),
        ([99, 199], 3000.0, ""),  # where an episode ends, a goal or a crash may be worth as much
        ([5, 105, 205, 305, 405, 505], 3000.0, ""),  # more than a handful are no accident
    ],
)
def test_a_reward_a_thousandfold_from_all_others_is_a_mark_unless_it_ends_an_episode(rows, value, told):
    """6,000 rewards from -1 to 0, a hundred an episode."""
    random = np.random.default_rng(0)
    rewards = random.uniform(-1, 0, 6000)
    rewards[rows] = value
    log = Dataset.from_arrays(random.normal(size=(6000, 1)), random.uniform(-1, 1, (6000, 1)), rewards, horizon=100)
    texts = [one.text for one in cheap_findings(log) if "reward" in one.text]
    assert [text[: len(told)] for text in texts] == [told] * bool(told)


@pytest.mark.parametrize("count", [10, 60, 500, 1000, 1001, 1999])
@pytest.mark.parametrize(("row", "value", "is_told"), [(4, 3000.0, True), (4, -3000.0, True), (4, 900.0, False)])
def test_one_reward_is_seen_in_a_small_log_too(count, row, value, is_told):
    random = np.random.default_rng(0)
    rewards = random.uniform(-1, 0, count)
    rewards[:2] = -1, 0
    rewards[row] = value
    log = Dataset.from_arrays(random.normal(size=(count, 1)), random.uniform(-1, 1, (count, 1)), rewards, horizon=count)
    texts = [one.text for one in cheap_findings(log) if "a thousandfold from all others in 1 row (4)" in one.text]
    assert bool(texts) is is_told


def test_few_rewards_or_a_usual_one_of_nothing_tell_nothing():
    """Of nine rewards none is usual; where all others are alike, one that is not is a goal."""
    for rewards in ([0.0, -0.5, -1.0, -0.2, 5000.0, -0.3, -0.4, -0.1, 0.0], [0.0] * 50 + [100.0] + [0.0] * 50):
        count = len(rewards)
        log = Dataset.from_arrays(
            np.random.default_rng(0).normal(size=(count, 1)),
            np.linspace(-1, 1, count)[:, None],
            np.array(rewards),
            horizon=count,
        )
        assert not [one for one in cheap_findings(log) if "thousandfold" in one.text]


@pytest.mark.parametrize("value", [-9999.0, 1e25])
def test_cloning_is_not_the_worse_for_one_absurd_value(value):
    """The log of a linear system and its controller, one cell of 12,000 absurd; with its moments all else drowns."""
    observations, after, actions = controlled()
    log = of_arrays(observations, after, actions)
    clean = cloning_error(log, fit_scaling(log, True, True))
    observations[7, 1] = after[6, 1] = value
    log = of_arrays(observations, after, actions)
    scaling = fit_scaling(log, True, True)
    assert cloning_error(log, scaling) < 1.2 * clean
    wide = np.asarray(scaling.observation_std * np.array([1, abs(value) / np.sqrt(4000), 1]), np.float32)
    assert cloning_error(log, scaling._replace(observation_std=wide)) > 20 * clean


def of_arrays(observations: np.ndarray, after: np.ndarray, actions: np.ndarray) -> Dataset:
    rewards = -np.abs(observations[:, 0])
    return Dataset.from_arrays(observations, actions, rewards, next_observations=after, horizon=50)


def cloning_error(log: Dataset, scaling: Scaling) -> float:
    """The mean squared error of actions, after 400 updates."""
    rows = jax.tree.map(jnp.asarray, to_core(log.transitions(True), scaling))
    _, error = bc.clone(rows, jax.random.key(0), 3e-3, updates=400, batch=128, hidden=(16,))
    return float(error[-50:].mean())


def controlled() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """4,000 rows of three columns, what follows them, and the actions of a controller that looks at the second."""
    random = np.random.default_rng(0)
    observations, after = np.zeros((4000, 3)), np.zeros((4000, 3))
    state, push = random.normal(size=3), random.normal(size=(1, 3)) * 0.3
    actions = np.zeros((4000, 1))
    for row in range(4000):
        observations[row], actions[row] = state, np.clip(-0.8 * state[1], -1, 1)
        after[row] = 0.9 * state + actions[row] @ push + 0.1 * random.normal(size=3)
        state = random.normal(size=3) if row % 50 == 49 else after[row]
    return observations, after, actions


def test_a_log_without_any_keeps_every_bit():
    log = replace(load("pendulum-demo"))
    assert log.outliers is None
    assert log.measured_observations.base is log.observations.base or log.measured_observations.base is log.observations
    assert driven()["observations"].tobytes() == CLEAN["observations"].tobytes()
