"""A run's folder as an object: policy, critics, model, metrics, settings, log, all in raw units."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import micro_rl
from micro_rl.core.columns import Column, Columns
from micro_rl.core.networks import q_values
from micro_rl.core.types import Scaling
from micro_rl.data import Dataset, windowed
from micro_rl.dynamics.ensemble import predict
from micro_rl.dynamics.saved_model import load_model
from micro_rl.errors import UserError
from micro_rl.opened.rows import core_rows
from micro_rl.opened.run import OpenedRun, open_run
from micro_rl.robustness.critics import critics_in
from micro_rl.storage.run_folder import RunFolder
from tests.test_named_columns import write_tank

pytestmark = pytest.mark.usefixtures("no_page")

FIXTURE = Path(__file__).parent / "fixtures" / "run-format-3"
STATES = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 2.0], [-1.0, 0.1, -7.9]])
ACTIONS = np.array([[0.5], [-2.0], [2.0]])
SMALL: dict[str, Any] = {"epochs": 2, "updates_per_epoch": 2, "batch_size": 4, "hidden_sizes": (4,)}
UNSCORED: dict[str, Any] = SMALL | {"scoring_model": False}


@pytest.fixture(scope="module")
def run() -> OpenedRun:
    return open_run(FIXTURE)


def core() -> tuple[Any, Any, Any]:
    """The fixture's model, and the rows in its units, by hand."""
    model = load_model(FIXTURE / "model")
    units = [np.asarray(part, np.float64) for part in model.scaling]
    states, actions = (STATES - units[0]) / units[1], (ACTIONS - units[2]) / units[3]
    return model, jnp.asarray(states, jnp.float32), jnp.asarray(actions, jnp.float32)


def test_the_critics_answer_in_raw_units(run: OpenedRun):
    model, states, actions = core()
    checkpoint = RunFolder.open(FIXTURE).checkpoints.newest()
    assert checkpoint is not None
    critics = critics_in(checkpoint.arrays)
    assert critics is not None
    expected = np.asarray(q_values(critics, states, actions)) * float(model.scaling.reward_scale)
    np.testing.assert_allclose(run.critics(STATES, ACTIONS), expected, rtol=1e-6)
    np.testing.assert_allclose(run.q(STATES, ACTIONS), expected.min(0), rtol=1e-6)
    single = run.q(STATES[1], ACTIONS[1])
    assert single.shape == () and single == pytest.approx(expected.min(0)[1], rel=1e-5)


def test_the_model_predicts_in_raw_units(run: OpenedRun):
    model, states, actions = core()
    mean, std = (np.asarray(part, np.float64) for part in predict(model.ensemble, states, actions))
    size, offset = (
        np.asarray(part, np.float64) for part in (model.scaling.observation_std, model.scaling.observation_mean)
    )
    reward = float(model.scaling.reward_scale)
    prediction = run.model.predict(STATES, ACTIONS)
    np.testing.assert_allclose(prediction.member_next_observation, mean[..., :3] * size + offset, atol=1e-5)
    np.testing.assert_allclose(prediction.member_next_observation_std, std[..., :3] * size, rtol=1e-6)
    np.testing.assert_allclose(prediction.member_reward, mean[..., 3] * reward, rtol=1e-6)
    np.testing.assert_allclose(prediction.member_reward_std, std[..., 3] * reward, rtol=1e-6)
    assert (run.model.members, run.model.elites) == (2, 1)
    np.testing.assert_array_equal(prediction.next_observation, prediction.member_next_observation[0])
    np.testing.assert_array_equal(prediction.reward_spread, np.zeros(3))
    run.model.elites = 2
    both = run.model.predict(STATES, ACTIONS)
    run.model.elites = 1
    np.testing.assert_allclose(both.reward, prediction.member_reward.mean(0))
    halves = np.abs(prediction.member_next_observation[0] - prediction.member_next_observation[1]) / 2
    np.testing.assert_allclose(both.next_observation_spread, halves, atol=1e-12)
    single = run.model.predict(STATES[2], ACTIONS[2])
    assert single.next_observation.shape == (3,) and single.member_reward.shape == (2,)
    np.testing.assert_allclose(single.reward, prediction.reward[2], rtol=1e-5)


def test_rows_are_predicted_in_blocks(run: OpenedRun, monkeypatch: pytest.MonkeyPatch):
    whole = run.model.predict(STATES, ACTIONS)
    monkeypatch.setattr("micro_rl.opened.model.BLOCK", 2)
    for part, blocks in zip(whole, run.model.predict(STATES, ACTIONS), strict=True):
        np.testing.assert_allclose(blocks, part, rtol=1e-5)
    assert run.model.predict(STATES[:0], ACTIONS[:0]).next_observation.shape == (0, 3)


def test_metrics_are_a_table_by_epoch(run: OpenedRun, tmp_path: Path):
    rows = RunFolder.open(FIXTURE).metrics()
    assert run.metrics["epoch"].tolist() == [1, 2, 3] and run.metrics["epoch"].dtype == np.int64
    assert set(run.metrics) == {key for row in rows for key in row}
    for key, column in run.metrics.items():
        np.testing.assert_array_equal(column, [row.get(key, np.nan) for row in rows])


def test_the_rest_is_what_the_folder_says(run: OpenedRun):
    assert run.config["method"] == "micro" and run.scores["epochs"] == 3
    assert [column.name for column in run.columns.observations] == ["o0", "o1", "o2"]
    np.testing.assert_array_equal(run.policy({"o0": 1, "o1": 0, "o2": 0}), run.policy(STATES[0]))
    assert (len(run.dataset()), run.dataset().name) == (14_600, "pendulum-demo")
    assert repr(run).endswith("run-format-3', micro on pendulum-demo)")


@pytest.mark.parametrize(
    ("observations", "actions", "message"),
    [
        (STATES[:, :2], ACTIONS, r"observation of shape (3, 2) where there are 3 columns: [3] or [rows, 3]"),
        (STATES, np.zeros((3, 2)), "action of shape (3, 2) where there is 1 column"),
        (STATES, ACTIONS[:2], "observations (3, 3) and actions (2, 1): give as many rows of each"),
        (STATES[0], ACTIONS, "give as many rows of each"),
        (STATES * np.nan, ACTIONS, "observation is not finite in column 0"),
        ({"o0": 1}, ACTIONS[0], "'o1', 'o2' are missing"),
        (STATES[0], {"a1": 1}, "action: there is no column 'a1'"),
    ],
)
def test_wrong_rows_are_refused_in_one_line(observations: Any, actions: Any, message: str, run: OpenedRun):
    for ask in (run.q, run.model.predict):
        with pytest.raises(ValueError) as refusal:
            ask(observations, actions)
        assert message in str(refusal.value) and "\n" not in str(refusal.value)


def test_what_is_not_finite_is_named_by_its_column():
    columns = Columns((Column("level", "m"), Column("flow")), (Column("valve"),))
    units = Scaling(np.zeros(2), np.ones(2), np.zeros(1), np.ones(1), np.ones(()))
    with pytest.raises(ValueError, match=r"^observation is not finite in column 1 \(flow\)$"):
        core_rows([[0.0, np.nan]], [[0.0]], units, columns, 1)
    with pytest.raises(ValueError, match=r"^action is not finite in column 0 \(valve\)$"):
        core_rows([[0.0, 0.0]], [[np.inf]], units, columns, 1)


def test_with_a_history_rows_are_an_episodes_steps(tmp_path: Path):
    """The same windows as in training; windows themselves are taken too."""
    log = micro_rl.load(write_tank(tmp_path / "tank.csv"))
    windowed_log = windowed(log, 3)
    mid, half = np.array([50.0]), np.array([50.0])
    ones = np.ones(windowed_log.observations.shape[1])
    units = micro_rl.core.types.Scaling(0 * ones, ones, mid, half, np.array(1.0))
    for episode in log.episodes:
        rows = core_rows(log.observations[episode], log.actions[episode], units, log.columns, 3)
        np.testing.assert_array_equal(rows.observation, windowed_log.observations[episode])
        again = core_rows(windowed_log.observations[episode], log.actions[episode], units, log.columns, 3)
        np.testing.assert_array_equal(again.observation, rows.observation)
        np.testing.assert_array_equal(again.newest, log.observations[episode])


def test_a_log_in_memory_trains_and_goes_on_with_the_same_arrays_alone(tmp_path: Path):
    random = np.random.default_rng(0)
    parts = random.normal(size=(40, 2)), random.uniform(-1, 1, (40, 1))
    log = Dataset.from_arrays(*parts, random.normal(size=40), horizon=10, name="rig")
    done = micro_rl.train(log, "td3_bc", out=tmp_path / "run", until=1, **UNSCORED)
    run = open_run(done.path)
    assert run.config["command"] == "" and run.config["log"]["sha256"] == log.sha256
    assert run.q(log.observations, log.actions).shape == (40,)
    with pytest.raises(UserError, match=r"its log 'rig' was made in Python \(SHA-256 .*from_arrays or from_frame"):
        run.dataset()
    with pytest.raises(UserError, match=r"its method \(td3_bc\) learns no model"):
        _ = run.model
    other = Dataset.from_arrays(*parts, np.ones(40), horizon=10, name="rig")
    with pytest.raises(UserError, match="was begun with another log"):
        micro_rl.train(other, "td3_bc", out=tmp_path / "run", resume=True, **UNSCORED)
    again = Dataset.from_arrays(log.observations, log.actions, log.rewards, horizon=10, name="rig")
    assert len(micro_rl.train(again, "td3_bc", out=tmp_path / "run", resume=True, **UNSCORED).metrics) == 2


def test_a_log_is_read_again_as_it_was(tmp_path: Path):
    """A time limit that was given beside the file's, and bounds of the caller's."""
    path = write_tank(tmp_path / "tank.csv")
    log = micro_rl.load(path, horizon=4, action_low=-1, action_high=101)
    done = micro_rl.train(log, "bc", out=tmp_path / "run", horizon=4, **UNSCORED)
    again = open_run(done.path).dataset()
    assert again.lengths.tolist() == log.lengths.tolist() and max(again.lengths) == 4
    assert (again.action_low, again.action_high) == (-1, 101)
    path.with_suffix(".toml").write_text(path.with_suffix(".toml").read_text() + "# changed\n")
    with pytest.raises(UserError, match="is not the log that"):
        open_run(done.path).dataset()


def test_what_is_not_there_is_said(tmp_path: Path):
    for name, message in (("policy.safetensors", "has no policy yet"), ("checkpoints", "has no checkpoint")):
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        shutil.copytree(FIXTURE, tmp_path / "run")
        (tmp_path / "run" / "manifest.json").unlink()
        gone = tmp_path / "run" / name
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
        run = open_run(tmp_path / "run")
        with pytest.raises(UserError, match=message):
            _ = run.policy if name.startswith("policy") else run.q(STATES, ACTIONS)
    with pytest.raises(UserError, match="is not a run folder"):
        open_run(tmp_path)


def test_the_public_names_are_listed():
    assert set(micro_rl.__all__) <= set(dir(micro_rl))
    assert {"open_run", "load", "train", "Dataset"} <= set(dir(micro_rl)) and "Any" not in dir(micro_rl)
    for name in micro_rl.__all__:
        thing = getattr(micro_rl, name)
        assert thing.__doc__ and (callable(thing) or dataclasses.is_dataclass(thing))
