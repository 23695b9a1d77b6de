"""Windows over the last observations: laid out alike in the log, in the model, in rollouts and in the policy."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import micro_rl
from micro_rl.algorithms.model_based import METHODS
from micro_rl.core import windows
from micro_rl.core.model_settings import ModelSettings
from micro_rl.data import Dataset, windowed
from micro_rl.data.scaling import fit_scaling, to_core
from micro_rl.dynamics.ensemble import predict
from micro_rl.dynamics.termination_rules import ByRule
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.reports.run.page import render
from micro_rl.reports.run.record import read
from micro_rl.simulation.evaluation import Evaluator
from micro_rl.storage.arrays import read_safetensors
from micro_rl.storage.json_files import read_json
from tests.probes import linear_ensemble, plain_units, tiny_dataset
from tests.tiny_runs import HORIZON, IN_PENDULUM, SETTINGS, write_log

pytestmark = pytest.mark.usefixtures("no_page")

TINY: dict[str, Any] = SETTINGS | {"history": 3}


def log_of(lengths: list[int], seed: int = 0) -> Dataset:
    """Episodes of these lengths, two observations and one action, whose bounds are not symmetric."""
    rng, rows = np.random.default_rng(seed), sum(lengths)
    ends = np.zeros(rows, bool)
    ends[np.cumsum(lengths) - 1] = True
    observations = rng.normal(size=(rows, 2)).astype(np.float32)
    after = rng.normal(size=(rows, 2)).astype(np.float32)
    after[:-1][~ends[:-1]] = observations[1:][~ends[:-1]]
    return replace(
        tiny_dataset(rows=rows, length=rows),
        observations=observations,
        next_observations=after,
        actions=rng.uniform(0, 4, (rows, 1)).astype(np.float32),
        action_low=np.zeros(1, np.float32),
        action_high=np.full(1, 4, np.float32),
        timeouts=ends,
        columns=micro_rl.data.Columns(),
    )


def by_hand(log: Dataset, history: int) -> list[np.ndarray]:
    """Every row's window, written as one would explain it."""
    windows_of_all = []
    for episode in log.episodes:
        for row in range(episode.start, episode.stop):
            steps = [row - back for back in range(history)]
            observations = [log.observations[max(step, episode.start)] for step in steps]
            actions = [log.actions[step] if step >= episode.start else np.array([2.0]) for step in steps[1:]]
            windows_of_all.append(np.concatenate([*observations, *actions]))
    return windows_of_all


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(1, 5))
def test_windows_hold_the_past_of_their_episode_and_rest_before_it(lengths: list[int], history: int):
    log = log_of(lengths)
    windowed_log = windowed(log, history)
    np.testing.assert_array_equal(windowed_log.observations, by_hand(log, history))
    assert windowed_log.observations.shape[1] == windows.width(2, 1, history)
    assert windowed_log.observation_size == log.observation_size == 2
    inside = ~(log.timeouts | log.terminals)[:-1]
    np.testing.assert_array_equal(windowed_log.next_observations[:-1][inside], windowed_log.observations[1:][inside])
    np.testing.assert_array_equal(windowed_log.next_observations[:, :2], log.next_observations)


def test_a_window_of_one_is_the_log_itself():
    log = log_of([3, 4])
    assert windowed(log, 1) is log
    windows = windowed(log, 2)
    assert windowed(windows, 2) is windows
    with pytest.raises(ValueError, match="windows of 2"):
        windowed(windows, 3)


@pytest.mark.parametrize("standardise", [True, False])
def test_in_core_units_too_the_next_window_holds_copies(standardise: bool):
    windowed_log = windowed(log_of([6, 9]), 3)
    scaling = fit_scaling(windowed_log, standardise, True)
    rows = to_core(windowed_log.transitions(True), scaling)
    expected = np.concatenate(windows.following(rows.next_observation[:, :2], rows.observation, rows.action), axis=-1)
    np.testing.assert_array_equal(rows.next_observation, expected)
    plain = fit_scaling(log_of([6, 9]), standardise, True)
    np.testing.assert_array_equal(scaling.observation_mean[:2], plain.observation_mean)


def test_the_model_predicts_the_newest_and_knows_the_rest():
    # One observation, one action, history 3: [o0 o1 o2 a1 a2]; change = o2 + 10 a2, reward = the action.
    weight = np.zeros((2, 6, 2))
    weight[:, 2, 0], weight[:, 4, 0], weight[:, 5, 1] = 1, 10, 1
    ensemble = linear_ensemble(weight, np.zeros((2, 2)), [0.5, 0.25])
    window, action = jnp.array([[1.0, 2.0, 3.0, 4.0, 5.0]]), jnp.array([[6.0]])
    mean, std = predict(ensemble, window, action)
    np.testing.assert_allclose(mean, [[[1 + 3 + 50, 1, 2, 6, 4, 6]]] * 2, rtol=1e-5)
    np.testing.assert_allclose(std, [[[0.5, 0, 0, 0, 0, 0.25]]] * 2, rtol=1e-4)
    each, _ = predict(ensemble, jnp.stack([window, window]), jnp.stack([action, action]))
    np.testing.assert_array_equal(each, mean)


def test_rules_see_the_newest_raw_observation():
    ends = ByRule(lambda observation: (observation > 2).any(-1), newest=2)
    rows = jnp.array([[0.0, 3.0, 0.0, 0.0], [0.0, 0.0, 9.0, 9.0]])
    assert ends(rows, plain_units(4, 1), jax.random.key(0)).tolist() == [True, False]


def random_policy(wide: int, observations: int = 2, actions: int = 1, **changes: Any) -> Policy:
    rng, size = np.random.default_rng(0), windows.width(observations, actions, wide)
    layers = [(rng.normal(size=(size, 8)), rng.normal(size=8)), (rng.normal(size=(8, 2 * actions)), np.zeros(2))]
    units = {"observation_mean": rng.normal(size=size), "observation_std": rng.uniform(1, 2, size)}
    return Policy(layers, **units, action_mid=np.full(actions, 2.0), action_half=np.full(actions, 2.0), **changes)


def test_the_policy_keeps_the_window_that_training_saw():
    history, rng = 3, np.random.default_rng(1)
    policy, plain = random_policy(history, history=history), random_policy(history)
    observations = rng.normal(size=(6, 4, 2))
    window = np.concatenate(windows.first(observations[0], np.full((4, 1), 2.0), history), axis=-1)
    for step, observation in enumerate(observations):
        action = policy(observation) if step % 2 else policy.sample(observation, np.random.default_rng(step))
        asked = plain(window) if step % 2 else plain.sample(window, np.random.default_rng(step))
        np.testing.assert_array_equal(action, asked)
        if step < 5:
            window = np.concatenate(windows.following(observations[step + 1], window, action), axis=-1)


def test_asking_for_the_distribution_changes_nothing_and_reset_forgets():
    policy = random_policy(2, history=2)
    first = policy(np.ones(2))
    policy.distribution(np.ones(2))
    second = policy(np.ones(2))
    assert (first != second).any()
    policy.reset()
    np.testing.assert_array_equal(policy(np.ones(2)), first)
    policy.distribution(np.zeros(2))
    np.testing.assert_array_equal(policy(np.ones(2)), second)


def test_single_rows_can_be_reset():
    policy = random_policy(2, history=2)
    first = policy(np.ones((3, 2)))
    policy.reset([False, True, False])
    again = policy(np.ones((3, 2)))
    assert (again == first).all(1).tolist() == [False, True, False]


def test_other_rows_than_before_need_a_reset():
    policy = random_policy(2, history=2)
    policy(np.ones((3, 2)))
    with pytest.raises(ValueError, match="call reset"):
        policy(np.ones((2, 2)))


def test_a_history_is_kept_in_the_file_and_only_there_where_there_is_one(tmp_path: Path):
    for history in (1, 2):
        path = tmp_path / f"{history}.safetensors"
        random_policy(history, history=history).save(path)
        loaded = Policy.load(path)
        assert (loaded.history, loaded.observation_size) == (history, 2)
        metadata = read_safetensors(path, 10_000)[1]
        assert metadata["version"] == str(history)
        assert metadata.get("history") == (None if history == 1 else "2")


@pytest.mark.parametrize("history", [0, 4, 10**6])
def test_a_history_that_does_not_suit_the_columns_is_refused(history: int):
    with pytest.raises(ValueError, match=r"history|columns"):
        random_policy(3, history=history)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("history")
    return micro_rl.train(write_log(folder / "log.hdf5"), out=folder / "run", **IN_PENDULUM, **TINY)


@pytest.mark.slow
def test_a_run_with_a_history_goes_all_the_way(run, words_alone):
    assert run.policy.history == 3
    assert run.policy.observation_size == 3
    assert "--history 3" in read_json(run.path / "config.json")["command"]
    assert "policy.reset()" in render(read(run.path))
    loaded = Policy.load(run.path / "policy.safetensors")
    with Evaluator("Pendulum-v1", episodes=2, horizon=HORIZON) as evaluator:
        first, second = evaluator(loaded, seed=3), evaluator(loaded, seed=3)
    np.testing.assert_array_equal(first.returns, second.returns)


def test_a_stopped_run_goes_on_and_a_shared_model_serves(run, tmp_path: Path):
    log = write_log(tmp_path / "log.hdf5")
    settings: dict[str, Any] = IN_PENDULUM | TINY | {"model": run.path / "model"}
    micro_rl.train(log, out=tmp_path / "run", until=1, **settings)
    resumed = micro_rl.train(log, out=tmp_path / "run", resume=True, **settings)
    assert (resumed.path / "policy.safetensors").read_bytes() == (run.path / "policy.safetensors").read_bytes()
    other: dict[str, Any] = settings | {"history": 1}
    with pytest.raises(UserError, match="fitted with history 3; use that"):
        micro_rl.train(log, out=tmp_path / "other", **other)


def delayed(rows: int = 2000, delay: int = 2) -> Dataset:
    """What is done shows two steps later: s' = 0.9 s + a of two steps before."""
    log = tiny_dataset(rows=rows, length=50)
    observations, after = np.zeros((rows, 1), np.float32), np.zeros((rows, 1), np.float32)
    for row in range(rows):
        step = row % 50
        observations[row] = 0 if step == 0 else after[row - 1]
        after[row] = 0.9 * observations[row] + (log.actions[row - delay] if step >= delay else 0)
    return replace(
        log, observations=observations, next_observations=after, rewards=after[:, 0], columns=micro_rl.data.Columns()
    )


@pytest.mark.slow
def test_a_delay_is_seen_through_a_window_and_not_without(tmp_path: Path):
    settings = ModelSettings(
        ensemble_size=3, model_hidden_sizes=(32,), weight_decay=(0.0, 0.0), model_lr=1e-2, max_fit_epochs=60
    )
    errors = []
    for history in (1, 3):
        _, about = micro_rl.fit(delayed(), replace(settings, history=history), out=tmp_path / str(history))
        errors.append(np.mean(about["holdout"]))
    assert errors[1] < errors[0] / 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "options"),
    [(name, {}) for name in METHODS]
    + [("micro", {"candidates": ball, "radius": 0.5}) for ball in ("l2", "linf", "mahalanobis")],
)
def test_every_method_trains_on_windows(method: str, options: dict[str, Any], tmp_path: Path):
    if method == "rambo":
        options = {"model_decay": (0.0, 0.0), "adversarial_steps": 5, "clone_epochs": 1}
    own: dict[str, Any] = TINY | options
    run = micro_rl.train(write_log(tmp_path / "log.hdf5"), method, out=tmp_path / "run", **own)
    assert np.isfinite([value for row in run.metrics for value in row.values()]).all()
