"""Minari's sets: where they are found, what their metadata may say, and what is never done."""

import json
import sys
from typing import Any

import gymnasium
import h5py
import minari
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Tuple
from minari.data_collector import EpisodeBuffer
from minari.dataset.minari_storage import MinariStorage

from micro_rl.data import load
from micro_rl.data.readers.minari_sets import SIMULATORS
from micro_rl.errors import UserError
from micro_rl.simulation.flat_spaces import flat_space
from tests.data import logs
from tests.data.test_every_format import change_metadata, data_file, every_set
from tests.data.test_loading import refused
from tests.data.test_real_logs import DATA


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


@every_set
def test_arrays_are_those_that_minari_itself_reads(root, write):
    path = write(root / "tiny-v0", logs.columns())
    log, episodes = load("tiny-v0"), list(minari.load_dataset("tiny-v0"))
    assert log.path == path and log.name == "tiny-v0"
    for rows, one in zip(log.episodes, episodes, strict=True):
        np.testing.assert_array_equal(log.observations[rows], one.observations[:-1])
        np.testing.assert_array_equal(log.next_observations[rows], one.observations[1:])
        np.testing.assert_array_equal(log.actions[rows], one.actions)
        np.testing.assert_array_equal(log.rewards[rows], np.float32(one.rewards))
        np.testing.assert_array_equal(log.terminals[rows], one.terminations)


def test_ids_paths_and_what_is_near(root, monkeypatch):
    path = logs.write_minari(root / "robots" / "arm" / "human-v1", logs.columns())
    monkeypatch.chdir(path)
    for typed in ("robots/arm/human-v1", path, path / "data", path / "data" / "main_data.hdf5", "data"):
        assert len(load(typed)) == 9
    assert load("robots/arm/human-v1").name == "robots-arm-human-v1"
    with pytest.raises(UserError, match="did you mean robots/arm/human-v1"):
        load("robots/arm/human-v2")
    with pytest.raises(UserError, match=r"there is .*robots/arm/human-v1"):
        load("nothing/of/the/kind")
    assert not (root / "nothing").exists()


def test_the_real_set(monkeypatch):
    if not (DATA / "minari").is_dir():
        pytest.skip("the set is not here")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(DATA / "minari"))
    log = load("D4RL/door/human-v2")
    summary = log.summary()
    assert (summary.rows, summary.episodes, summary.terminals) == (6729, 25, 0)
    assert (summary.observation_size, summary.action_size) == (39, 28)
    assert summary.return_best == pytest.approx(1504.95, abs=0.01)
    assert log.task is not None and log.task.env is None and log.task.score_max == pytest.approx(2940.5786)
    assert log.notes == () and log.usable.all()


@every_set
def test_a_simulator_that_the_file_names_is_never_made(tmp_path, write, monkeypatch):
    """Bad input 26."""
    path = write(tmp_path / "tiny-v0", logs.columns())
    (tmp_path / "trap.py").write_text("raise SystemExit('sprung')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(gymnasium, "make", lambda *_, **__: pytest.fail("made"))
    spec = json.dumps({"id": "Trap-v0", "entry_point": "trap:Trap", "kwargs": {}, "additional_wrappers": []})
    change_metadata(path, env_spec=spec, eval_env_spec=spec)
    log = load(path)
    assert log.task is not None and log.task.env is None and "trap" not in sys.modules
    change_metadata(path, observation_space=None)
    refused(path, "no observation_space", "is not built")


def test_known_simulators_and_reference_scores(tmp_path):
    path = logs.write_minari(tmp_path / "tiny-v0", logs.columns())
    assert gymnasium.registry.keys() >= SIMULATORS
    change_metadata(path, env_spec=json.dumps({"id": "Hopper-v5"}), ref_min_score=-3.5, ref_max_score=10)
    task = load(path).task
    assert task is not None
    assert (task.env, task.score_min, task.score_max) == ("Hopper-v5", -3.5, 10.0)
    change_metadata(path, ref_min_score=20)
    task = load(path).task
    assert task is not None and task.score_max is None


@pytest.mark.parametrize("layout", ["hdf5", "arrow"])
def test_an_episode_without_a_flag_on_its_last_step_ends_there_all_the_same(tmp_path, layout):
    folder = tmp_path / "set-v0" / "data"
    folder.mkdir(parents=True)
    storage = MinariStorage.new(folder, Box(-9, 9, (1,)), Box(-1, 1, (1,)), data_format=layout)
    for place, (terminal, cut) in enumerate([(False, False), (True, False), (False, True), (False, False)]):
        rows, ends = np.full((3, 1), place, np.float32), ([False, terminal], [False, cut])
        storage.update_episodes([EpisodeBuffer(place, None, None, list(rows), list(rows[1:] / 9), [1.0, 2.0], *ends)])
    log = load(tmp_path / "set-v0")
    assert log.lengths.tolist() == [2, 2, 2, 2] and log.returns.tolist() == [3, 3, 3, 3] and log.usable.all()
    assert log.terminals.tolist() == [False] * 3 + [True] + [False] * 4
    text = "the last step of 2 of 4 episodes is neither terminated nor truncated in the file: it counts as a timeout"
    assert text in log.notes


BOX = {"type": "Box", "dtype": "float32"}


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"total_episodes": 4}, "metadata says 4 episodes"),
        ({"total_steps": None}, "no total_steps"),
        ({"total_steps": -1}, "no total_steps"),
        ({"data_format": "pickle"}, "'pickle' is none of hdf5, arrow, parquet"),
        ({"data_format": []}, "is none of"),
        ({"observation_space": "{"}, "no JSON"),
        ({"observation_space": json.dumps({"type": "Discrete", "n": 3})}, "'Discrete': only flat boxes"),
        (
            {"observation_space": json.dumps(BOX | {"shape": [3], "low": [0] * 3, "high": [1] * 3})},
            "where (4, 3) is due",
        ),
        ({"observation_space": json.dumps(BOX | {"shape": [10**12], "low": 0, "high": 1})}, "only flat observations"),
        ({"observation_space": json.dumps(BOX | {"shape": [4, 4], "low": 0, "high": 1})}, "only flat observations"),
        ({"action_space": json.dumps(BOX | {"shape": [1], "low": ["x"], "high": [1]})}, "not 1 numbers"),
        ({"action_space": json.dumps({"type": "Dict", "subspaces": {}})}, "'Dict'"),
    ],
)
def test_metadata_that_disagrees_or_makes_no_sense(tmp_path, changed, words):
    """Bad input 27."""
    path = logs.write_minari(tmp_path / "tiny-v0", logs.columns())
    change_metadata(path, **changed)
    refused(path, words)


def test_metadata_that_is_no_table(tmp_path):
    path = logs.write_minari(tmp_path / "tiny-v0", logs.columns())
    (path / "data" / "metadata.json").write_text("[1]")
    refused(path, "no table")
    (path / "data" / "metadata.json").write_text("{")
    refused(path, "cannot be read as a Minari set")


@pytest.mark.parametrize("low, high", [([-np.inf], [1.0]), ([-np.inf], [np.inf])])
def test_actions_without_bounds(tmp_path, low, high):
    path = logs.write_minari(tmp_path / "tiny-v0", logs.columns())
    change_metadata(path, action_space=json.dumps(BOX | {"shape": [1], "low": low, "high": high}))
    assert load(path).action_high == 1


def test_links_and_values_elsewhere(tmp_path):
    """Bad input 25."""
    path = logs.write_minari(tmp_path / "tiny-v0", logs.columns())
    other = logs.write_hdf5(tmp_path / "other.hdf5", logs.columns())
    with h5py.File(data_file(path), "a") as file:
        del file["episode_1/rewards"]
        file["episode_1/rewards"] = h5py.ExternalLink(str(other), "rewards")
    refused(path, "episode_1/rewards is a link")
    with h5py.File(data_file(path), "a") as file:
        del file["episode_1/rewards"]
        file.create_dataset("episode_1/rewards", (2,), "f4", external=[(str(tmp_path / "raw"), 0, 8)])
    refused(path, "keeps its values in other files")
    with h5py.File(data_file(path), "a") as file:
        del file["episode_1"]
        file["episode_1"] = h5py.SoftLink("/episode_0")
    refused(path, "episode_1 is a link")


def test_terabytes_declared(tmp_path):
    """Bad input 24."""
    path = logs.write_minari(tmp_path / "tiny-v0", logs.columns())
    with h5py.File(data_file(path), "a") as file:
        group = file["episode_1"]
        assert isinstance(group, h5py.Group)
        for key, shape in (("observations", (10**11 + 1, 2)), ("actions", (10**11, 1)), ("rewards", (10**11,))):
            del group[key]
            group.create_dataset(key, shape, "f4", chunks=(1000, *shape[1:]))
        for key in ("terminations", "truncations"):
            del group[key]
            group.create_dataset(key, (10**11,), bool, chunks=(1000,))
    refused(path, "declares")


def test_a_missing_array(tmp_path):
    path = logs.write_minari(tmp_path / "tiny-v0", logs.columns())
    with h5py.File(data_file(path), "a") as file:
        del file["episode_2/truncations"]
    refused(path, "no episode_2/truncations")


def test_an_episode_of_arrow_that_is_missing(tmp_path):
    path = logs.write_minari(tmp_path / "tiny-v0", logs.columns(), "arrow")
    data_file(path).unlink()
    refused(path, "holds no arrow file")


@pytest.mark.parametrize("layout", ["hdf5", "arrow"])
def test_groups_of_boxes_are_laid_side_by_side(tmp_path, layout):
    """In the order in which Gymnasium flattens them."""
    space = Dict({"goal": Box(-9, 9, (2,)), "arm": Tuple([Box(-9, 9, (1,)), Box(-9, 9, (2,))])})
    (tmp_path / "tiny-v0" / "data").mkdir(parents=True)
    storage = MinariStorage.new(tmp_path / "tiny-v0" / "data", space, Box(-1, 1, (1,)), data_format=layout)
    rows = [space.sample() for _ in range(4)]
    stacked = {
        "goal": np.stack([row["goal"] for row in rows]),
        "arm": tuple(np.stack([row["arm"][place] for row in rows]) for place in range(2)),
    }
    ends = [False, False, True]
    actions = list(np.zeros((3, 1), np.float32))
    storage.update_episodes([EpisodeBuffer(0, None, None, stacked, actions, [1.0] * 3, ends, [False] * 3, {})])
    storage.update_metadata({"dataset_id": "tiny-v0", "minari_version": "0.5.3"})
    log = load(tmp_path / "tiny-v0")
    flat = np.array([gymnasium.spaces.flatten(space, row) for row in rows])
    np.testing.assert_array_equal(log.observations, flat[:-1])
    np.testing.assert_array_equal(log.next_observations, flat[1:])
    assert [column.name for column in log.columns.observations] == [
        "arm._index_0",
        "arm._index_10",
        "arm._index_11",
        "goal0",
        "goal1",
    ]


def test_boxes_whose_names_fall_together_have_names_of_their_own(tmp_path):
    """Box "a" of two columns and Box "a0" of one."""
    space = Dict({"a": Box(-9, 9, (2,)), "a0": Box(-1, 1, (1,))})
    (tmp_path / "tiny-v0" / "data").mkdir(parents=True)
    storage = MinariStorage.new(tmp_path / "tiny-v0" / "data", Box(-9, 9, (1,)), space, data_format="hdf5")
    actions: Any = {"a": np.full((3, 2), 5.0, np.float32), "a0": np.zeros((3, 1), np.float32)}
    ends = [False, False, True]
    states: Any = np.zeros((4, 1), np.float32)
    storage.update_episodes([EpisodeBuffer(0, None, None, states, actions, [1.0] * 3, ends, [False] * 3, {})])
    storage.update_metadata({"dataset_id": "tiny-v0", "minari_version": "0.5.3"})
    named = load(tmp_path / "tiny-v0").columns.actions
    assert [column.name for column in named] == ["a0", "a1", "a0_2"]
    flat = flat_space(space)
    assert flat is not None and flat.names == ("a0", "a1", "a0_2")


def test_discrete_actions_are_refused(tmp_path):
    (tmp_path / "tiny-v0" / "data").mkdir(parents=True)
    MinariStorage.new(tmp_path / "tiny-v0" / "data", Box(-9, 9, (2,)), Discrete(3))
    refused(tmp_path / "tiny-v0", "action_space is 'Discrete'")


def test_without_the_extra(tmp_path, monkeypatch):
    path = logs.write_minari(tmp_path / "tiny-v0", logs.columns())
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(UserError, match=r"reading Minari sets needs minari.*pip install 'micro-rl\[minari\]'"):
        load(path)
