"""From what was typed to a file."""

from types import SimpleNamespace

import pytest

from micro_rl.data import load, log_paths
from micro_rl.errors import UserError
from tests.data import logs
from tests.data.noise import refusal


@pytest.fixture
def folder(tmp_path, monkeypatch):
    place = tmp_path / "named logs"
    place.mkdir()
    monkeypatch.setenv("D4RL_DATASET_DIR", str(place))
    monkeypatch.chdir(tmp_path)
    return place


@pytest.mark.parametrize(
    "file, typed",
    [
        ("hopper_medium_replay-v2.hdf5", "hopper-medium-replay-v2"),
        ("hopper_medium_replay-v2.hdf5", "hopper_medium_replay-v2"),
        ("hopper_medium_replay-v2.hdf5", "hopper_medium_replay-v2.hdf5"),
        ("hopper-medium-replay-v2.hdf5", "hopper-medium-replay-v2"),
        ("hopper_medium.hdf5", "hopper-medium"),
        ("mine.npz", "mine.npz"),
    ],
)
def test_names_in_the_folder(folder, file, typed):
    path = logs.write_hdf5(folder / file, logs.columns())
    assert log_paths.locate(typed) == path
    assert "_" not in load(typed).name


def test_a_path_comes_before_a_name(folder, tmp_path):
    logs.write_hdf5(folder / "log.hdf5", logs.columns())
    here = logs.write_hdf5(tmp_path / "log.hdf5", logs.columns())
    assert log_paths.locate("log.hdf5").resolve() == here


def test_default_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("D4RL_DATASET_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert log_paths.folder() == tmp_path / ".d4rl" / "datasets"


def test_missing_names_what_is_near(folder, tmp_path):
    path = logs.write_hdf5(folder / "hopper_medium_replay-v2.hdf5", logs.columns())
    with pytest.raises(UserError, match="no such file") as caught:
        load("hopper-medium-reply-v2")
    assert str(path) in str(caught.value)
    near = logs.write_hdf5(tmp_path / "my_pump.hdf5", logs.columns())
    with pytest.raises(UserError, match=str(near)):
        load(tmp_path / "my_pum.hdf5")
    with pytest.raises(UserError, match="did you mean pendulum-demo"):
        load("pendulum-dem")


@pytest.mark.parametrize("count, more", [(7, ""), (8, ", ...")])
def test_eight_logs_are_named_where_none_is_near(folder, count, more):
    """The embedded one is the first."""
    for number in range(count):
        logs.write_hdf5(folder / f"pump{number}.hdf5", logs.columns())
    named = ", ".join(["pendulum-demo", *(str(folder / f"pump{number}.hdf5") for number in range(7))])
    with pytest.raises(UserError) as caught:
        load("zzzz")
    assert str(caught.value).endswith(f": there is {named}{more}")


@pytest.mark.parametrize("typed", ["", "nothing/here.hdf5", "x" * 5000, "a\0b", "~nobody/x", "../log"])
def test_names_that_are_no_file(folder, typed):
    with pytest.raises(UserError):
        load(typed)


def test_folders_and_devices(folder):
    with pytest.raises(UserError, match="a folder"):
        load(folder)
    with pytest.raises(UserError, match="not a regular file"):
        load("/dev/null")


def test_the_embedded_log_needs_no_folder():
    assert log_paths.locate("pendulum-demo").name == "pendulum-demo.hdf5"


FRAME = "make it one first: micro_rl.Dataset.from_frame(frame, observations=[...], actions=[...], reward=...)"
ARRAYS = "make it one first: micro_rl.Dataset.from_arrays(observations, actions, rewards, ...)"


@pytest.mark.parametrize(
    ("thing", "remedy"),
    [
        (3, "give a path, a name, or a loaded log"),
        (SimpleNamespace(transitions=1), "it is loaded already, so use it as it is"),
        (SimpleNamespace(columns=1), FRAME),
        (SimpleNamespace(column_names=1), FRAME),
        ([1.0], ARRAYS),
        ({"a": 1}, ARRAYS),
        (SimpleNamespace(ndim=2), ARRAYS),
    ],
)
def test_what_is_no_path(thing, remedy):
    assert refusal(log_paths._refuse_what_is_no_path, thing).endswith(f" is no log: {remedy}")


@pytest.mark.parametrize("count, more", [(8, ""), (9, ", ...")])
def test_eight_logs_of_a_folder_are_named(folder, count, more):
    for number in range(count):
        logs.write_hdf5(folder / f"pump{number}.hdf5", logs.columns())
    with pytest.raises(UserError) as caught:
        load(folder)
    named = ", ".join(f"pump{number}.hdf5" for number in range(8))
    assert str(caught.value).endswith(f"name a file in it ({named}{more})")
