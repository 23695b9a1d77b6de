"""The embedded log is what its attributes say, and the simulator agrees with every step of it."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
import h5py
import numpy as np
import pytest

from micro_rl.data import Dataset, load
from micro_rl.data.log_paths import EMBEDDED
from micro_rl.simulation.online_sac import random_experience

SCRIPT = Path(__file__).parents[1] / "runs" / "make_pendulum_demo.py"


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load("pendulum-demo")


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    with h5py.File(EMBEDDED["pendulum-demo"]) as file:
        return dict(file.attrs)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_pendulum_demo", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_recipe_recorded_is_the_script_that_is_kept(facts: dict[str, Any], script: ModuleType) -> None:
    assert facts["recipe"] == script.RECIPE
    assert (facts["env"], facts["seed"]) == (script.ENV, script.SEED)
    assert facts["random_rows"] == script.RANDOM_EPISODES * script.EPISODE
    assert facts["last_evaluation"] > script.ENOUGH


def test_counts_bounds_and_ends(dataset: Dataset, facts: dict[str, Any]) -> None:
    assert len(dataset) == facts["random_rows"] + facts["learner_rows"]
    assert (dataset.lengths == 200).all()
    assert not dataset.terminals.any() and dataset.usable.all() and not dataset.notes
    assert (dataset.action_low, dataset.action_high) == ([-2], [2])


def test_it_is_small_and_checksummed() -> None:
    path = EMBEDDED["pendulum-demo"]
    assert path.stat().st_size < 3_000_000
    with h5py.File(path) as file:
        arrays = [array for array in file.values() if isinstance(array, h5py.Dataset)]
        assert len(arrays) == 6
        assert all(array.fletcher32 and array.compression == "gzip" for array in arrays)
        assert {array.dtype.name for array in arrays} == {"float32", "bool"}


def test_no_episode_comes_near_the_optimum(dataset: Dataset) -> None:
    assert dataset.returns.max() < -500


def test_the_random_part_can_be_made_again(dataset: Dataset, script: ModuleType) -> None:
    again = random_experience(script.ENV, 600, script.SEED + 1)
    np.testing.assert_array_equal(again.actions, dataset.actions[:600])
    np.testing.assert_allclose(again.observations, dataset.observations[:600], atol=1e-5)


def test_the_simulator_agrees_with_every_step(dataset: Dataset) -> None:
    env: Any = gymnasium.make("Pendulum-v1").unwrapped
    env.reset(seed=0)
    cosine, sine, speed = dataset.observations.astype(np.float64).T
    states = np.stack([np.arctan2(sine, cosine), speed], axis=1)
    rows = []
    for state, action in zip(states, dataset.actions, strict=True):
        env.state = state
        observation, reward, *_ = env.step(action)
        rows.append([*observation, reward])
    logged = np.column_stack([dataset.next_observations, dataset.rewards])
    np.testing.assert_allclose(rows, logged, atol=1e-5)
