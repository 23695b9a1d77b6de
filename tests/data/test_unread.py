"""Arrays that are not read are named; ends under another name are offered and taken, in every kind of file."""

import h5py
import numpy as np
import pytest

from micro_rl.data import load
from micro_rl.data.read_options import ReadOptions
from micro_rl.errors import UserError
from micro_rl.simulation.log_check import inspect
from tests.data import logs
from tests.data.test_loading import refused

NAMES = ["episode_terminals", "truncations", "truncated", "dones", "done_flags"]
LENGTHS = (30, 20, 40)


def without_timeouts(name: str, turned: bool = False, kind: type = np.float32) -> dict[str, np.ndarray]:
    """A log whose ends stand under another name."""
    arrays = logs.columns(LENGTHS, (False,) * 3)
    ends = arrays.pop("timeouts")
    return arrays | {name: (~ends if turned else ends).astype(kind)}


def write_npz(path, arrays):
    """NPZ under D4RL's names."""
    np.savez(path.with_suffix(".npz"), **arrays)
    return path.with_suffix(".npz")


WRITERS = {"hdf5": lambda path, arrays: logs.write_hdf5(path.with_suffix(".hdf5"), arrays), "npz": write_npz}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [bool, np.int64, np.float32])
def test_ends_under_another_name_are_offered_and_taken(tmp_path, write, name, kind):
    path = write(tmp_path / "log", without_timeouts(name, kind=kind))
    refused(path, f"{name!r} may mark where episodes end", f"--timeouts {name}")
    assert load(path, reading=ReadOptions(timeouts=name)).lengths.tolist() == list(LENGTHS)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("name", ["masks", "not_done", "nonterminals"])
def test_masks_are_turned_round(tmp_path, write, name):
    path = write(tmp_path / "log", without_timeouts(name, turned=True))
    refused(path, f"--timeouts {name}")
    assert load(path, reading=ReadOptions(timeouts=name)).lengths.tolist() == list(LENGTHS)


def test_the_toml_takes_the_word_too(tmp_path):
    path = logs.write_hdf5(tmp_path / "log.hdf5", without_timeouts("cuts"))
    (tmp_path / "log.toml").write_text('timeouts = "cuts"\n')
    assert load(path).lengths.tolist() == list(LENGTHS)


def test_a_table_takes_the_word_too(tmp_path):
    path = logs.write_csv(tmp_path / "log", logs.columns(LENGTHS, (False,) * 3), timeouts="cut")
    assert load(path).lengths.tolist() == list(LENGTHS)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_name_that_is_not_there(tmp_path, write):
    path = write(tmp_path / "log", without_timeouts("cuts"))
    with pytest.raises(UserError, match="no cut; keys found: 'actions', 'cuts'"):
        load(path, reading=ReadOptions(timeouts="cut"))


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_what_is_not_read_is_named_unless_it_says_nothing_new(tmp_path, write):
    arrays = logs.columns(LENGTHS, (True, False, False))
    arrays["dones"] = arrays["terminals"] | arrays["timeouts"]
    path = write(tmp_path / "log", arrays | {"value": arrays["rewards"] * 2, "matrix": np.zeros((90, 3))})
    assert [note for note in load(path).notes if "not read" in note] == [
        "'value' has one value a row and is not read: no part of a transition is called so"
    ]


def test_more_ends_than_are_marked_are_offered(tmp_path):
    arrays = logs.columns(LENGTHS, (False,) * 3)
    more = arrays["timeouts"].copy()
    more[[9, 19]] = True
    path = logs.write_hdf5(tmp_path / "log.hdf5", arrays | {"dones": more})
    assert {one.kind for one in inspect(path).findings} >= {"unread-flags"}


def test_links_and_texts_at_the_root_are_passed_over(tmp_path):
    path = logs.write_hdf5(tmp_path / "log.hdf5", logs.columns())
    with h5py.File(path, "a") as file:
        file["away"] = h5py.ExternalLink("elsewhere.hdf5", "rewards")
        file["version"] = "1.0"
        file["infos/value"] = np.zeros(9)
    assert not [note for note in load(path).notes if "not read" in note]


def grouped(path, episodes, **layout):
    """One group an episode; `layout` renames arrays, a dictionary puts several into a group."""
    with h5py.File(path, "w") as file:
        for place, arrays in enumerate(episodes):
            for key, values in arrays.items():
                for name, part in layout.get(key, lambda values, key=key: {key: values})(values).items():
                    file[f"data/demo_{place}/{name}"] = part
    return path


def episode(length: int, seed: int) -> dict[str, np.ndarray]:
    """One episode's arrays, unmarked."""
    arrays = logs.columns((length,), (False,), seed)
    return {name: arrays[name] for name in ("observations", "actions", "rewards", "next_observations")}


def test_groups_are_episodes_in_order_of_their_numbers(tmp_path):
    episodes = [episode(3 + place, place) for place in range(12)]
    log = load(grouped(tmp_path / "log.hdf5", episodes))
    assert log.lengths.tolist() == list(range(3, 15))
    assert log.timeouts.sum() == 12
    np.testing.assert_array_equal(log.observations, np.concatenate([one["observations"] for one in episodes]))
    np.testing.assert_array_equal(log.next_observations, np.concatenate([one["next_observations"] for one in episodes]))


def test_groups_of_named_arrays_as_robomimic_writes(tmp_path):
    episodes = [{**episode(5, place), "dones": np.arange(5) == 4} for place in range(3)]
    layout = {
        "observations": lambda values: {"obs/eef_pos": values, "obs/gripper": values[:, 0]},
        "next_observations": lambda values: {"next_obs/eef_pos": values, "next_obs/gripper": values[:, 0]},
    }
    log = load(grouped(tmp_path / "log.hdf5", episodes, **layout))
    assert [column.name for column in log.columns.observations] == ["eef_pos_0", "eef_pos_1", "gripper"]
    assert (log.terminals.sum(), log.timeouts.sum()) == (0, 3)
    assert any("'dones' marks where an episode ends" in note for note in log.notes)
    assert log.usable.all()


def test_named_arrays_whose_columns_fall_together_have_names_of_their_own(tmp_path):
    layout = {"observations": lambda values: {"obs/a": values[:, :2], "obs/a_0": values[:, 0]}}
    episodes = [{key: episode(5, 0)[key] for key in ("observations", "actions", "rewards")}]
    log = load(grouped(tmp_path / "log.hdf5", episodes, **layout))
    assert [column.name for column in log.columns.observations] == ["a_0", "a_1", "a_0_2"]


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda one: {key: one[key] for key in ("observations", "actions")}, "no rewards in data/demo_1"),
        (lambda one: one | {"actions": one["actions"][:-1]}, "store 5 rows of plain numbers"),
        (lambda one: one | {"observations": one["observations"][:, :1]}, "data/demo_1/observations has shape"),
        (lambda one: one | {"terminals": np.zeros(5)}, "other arrays than the first"),
        (lambda one: {key: values[:0] for key, values in one.items()}, "holds no rows"),
    ],
)
def test_groups_that_do_not_fit(tmp_path, change, words):
    refused(grouped(tmp_path / "log.hdf5", [episode(5, 0), change(episode(5, 1))]), words)


def test_no_groups_at_all(tmp_path):
    with h5py.File(tmp_path / "log.hdf5", "w") as file:
        file["data/meta"] = 1
    refused(tmp_path / "log.hdf5", "no episodes in data/")


def test_groups_whose_episodes_terminate_are_cut_where_they_do_not(tmp_path):
    with h5py.File(tmp_path / "log.hdf5", "w") as file:
        for number, last in enumerate((1, 0)):
            group = file.create_group(f"data/demo_{number}")
            rows = {"obs": np.arange(6.0).reshape(3, 2), "actions": np.zeros((3, 1)), "rewards": np.ones(3)}
            for key, values in (rows | {"terminals": np.array([0, 0, last])}).items():
                group[key] = values
    log = load(tmp_path / "log.hdf5")
    assert np.flatnonzero(log.terminals).tolist() == [2] and np.flatnonzero(log.timeouts).tolist() == [5]
    assert not any("both terminal and timeout" in note for note in log.notes)
