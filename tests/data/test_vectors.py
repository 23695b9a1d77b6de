"""Parquet whose columns hold vectors, in one file or a folder of them, and LeRobot's layout, known by name."""

from typing import Any

import numpy as np
import pytest

from micro_rl.data import load
from micro_rl.data.read_options import ReadOptions
from tests.data.test_loading import refused

pa = pytest.importorskip("pyarrow")
import pyarrow.parquet as pq  # noqa: E402

RANDOM = np.random.default_rng(0)
STATES, ACTIONS = RANDOM.normal(size=(40, 3)).astype(np.float32), RANDOM.uniform(-1, 1, (40, 2)).astype(np.float32)
KINDS = {
    "fixed": lambda width: pa.list_(pa.float32(), width),
    "list": lambda width: pa.list_(pa.float32()),
    "large": lambda width: pa.large_list(pa.float64()),
}


def table(rows: slice, kind: str = "list", **more):
    """Rows of a log as LeRobot writes them."""
    columns = {
        "observation.state": pa.array(STATES[rows].tolist(), type=KINDS[kind](3)),
        "action": pa.array(ACTIONS[rows].tolist(), type=KINDS[kind](2)),
        "next.reward": np.arange(40.0)[rows],
        "episode_index": np.arange(40)[rows] // 10,
    }
    return pa.table(columns | more)


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_become_columns_by_lerobots_names(tmp_path, kind):
    pq.write_table(table(slice(40), kind), tmp_path / "log.parquet")
    log = load(tmp_path / "log.parquet")
    np.testing.assert_array_equal(log.observations, STATES)
    np.testing.assert_array_equal(log.actions, ACTIONS)
    assert [column.name for column in log.columns.actions] == ["action_0", "action_1"]
    assert log.lengths.tolist() == [10] * 4
    assert any("LeRobot's names" in note for note in log.notes)


def test_a_folder_is_one_log_in_order_of_names(tmp_path):
    for part in range(4):
        place = tmp_path / "set" / "data" / f"chunk-{part // 2:03d}"
        place.mkdir(parents=True, exist_ok=True)
        pq.write_table(table(slice(10 * part, 10 * part + 10)), place / f"file-{part:03d}.parquet")
    (tmp_path / "set" / "meta").mkdir()
    pq.write_table(pa.table({"task": ["lift"]}), tmp_path / "set" / "meta" / "tasks.parquet")
    log = load(tmp_path / "set")
    np.testing.assert_array_equal(log.observations, STATES)
    assert log.lengths.tolist() == [10] * 4
    assert log.name == "set"
    before = log.sha256
    pq.write_table(table(slice(0, 9)), tmp_path / "set" / "data" / "chunk-000" / "file-000.parquet")
    assert load(tmp_path / "set").sha256 != before


@pytest.mark.parametrize(
    ("more", "lengths", "note"),
    [
        ({"episode": "run"}, [2] * 11, "an episode begins at 10 rows (2, 4, 6, 8, 10, ...)"),
        ({"horizon": 3}, [2] * 11, "nothing tells whether a file goes on from the one before"),
        ({"time": "t"}, [22], ""),
        ({"episode": "trial"}, [1] + [3] * 7, ""),
        ({"timeout": "cut"}, [5] * 4 + [2], ""),
    ],
)
def test_files_are_sorted_by_number_and_begin_episodes_where_nothing_tells(tmp_path, more, lengths, note):
    for part in range(1, 12):
        level = np.array([2 * part, 2 * part + 1])
        columns = {"level": level, "valve": level / 99, "r": level, "run": [0, 0], "t": level}
        columns |= {"trial": level // 3, "cut": level % 5 == 1}
        pq.write_table(pa.table(columns), tmp_path / f"log_{part}.parquet")
    log = load(tmp_path, reading=ReadOptions(observations=("level",), actions=("valve",), reward="r", **more))
    assert log.observations[:, 0].tolist() == list(range(2, 24))
    assert log.lengths.tolist() == lengths
    notes = " | ".join(log.notes)
    assert note in notes and ("file goes on" in notes) == bool(note)


def test_a_folder_of_plain_tables_with_a_description_beside_it(tmp_path):
    (tmp_path / "runs").mkdir()
    for part in range(2):
        rows = slice(20 * part, 20 * part + 20)
        columns = {"level": STATES[rows, 0], "valve": ACTIONS[rows, 0], "r": STATES[rows, 1]}
        pq.write_table(pa.table(columns), tmp_path / "runs" / f"{part}.parquet")
    (tmp_path / "runs.toml").write_text('observations = ["level"]\nactions = ["valve"]\nreward = "r"\nhorizon = 10\n')
    reading = ReadOptions(observations=("level",), actions=("valve",), reward="r", horizon=10)
    assert len(load(tmp_path / "runs", reading=reading)) == 40


def test_vectors_are_named_as_a_whole_or_by_their_parts(tmp_path):
    pq.write_table(table(slice(40)), tmp_path / "log.parquet")
    words: dict[str, Any] = {"reward": "next.reward", "episode": "episode_index"}
    whole = load(tmp_path / "log.parquet", reading=ReadOptions(observations=("action",), actions=("action",), **words))
    np.testing.assert_array_equal(whole.observations, ACTIONS)
    parts = ReadOptions(observations=("observation.state_2",), actions=("action_*",), **words)
    np.testing.assert_array_equal(load(tmp_path / "log.parquet", reading=parts).observations, STATES[:, 2:])


def test_done_by_name_ends_by_timeout(tmp_path):
    done = np.arange(40) % 5 == 4
    pq.write_table(table(slice(40), **{"next.done": done}).drop_columns(["episode_index"]), tmp_path / "log.parquet")
    log = load(tmp_path / "log.parquet")
    assert log.lengths.tolist() == [5] * 8
    assert not log.terminals.any()


@pytest.mark.parametrize(
    "bad, words",
    [
        ([[0.0]] * 5 + [[0.0, 1.0]] * 5, "holds 2 numbers in row 5 and 1 in the first"),
        ([[0.0]] * 5 + [None] * 5, "holds nothing in row 5"),
    ],
)
def test_vectors_of_different_lengths(tmp_path, bad, words):
    pq.write_table(pa.table({"o": bad, "a": np.zeros(10), "r": np.zeros(10)}), tmp_path / "log.parquet")
    refused(tmp_path / "log.parquet", words, reading=ReadOptions(5, None, ("o",), ("a",), reward="r"))


def test_files_of_different_columns(tmp_path):
    pq.write_table(pa.table({"o": np.zeros(3), "a": np.zeros(3)}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"o": np.zeros(3)}), tmp_path / "1.parquet")
    refused(tmp_path, "1.parquet: has other columns than 0.parquet")
