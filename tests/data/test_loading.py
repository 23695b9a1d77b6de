"""Whole files, good and unusual, in both formats."""

import hashlib

import numpy as np
import pytest

from micro_rl.data import load
from micro_rl.errors import UserError
from tests.data import logs

FORMATS = [("d4rl-hdf5", logs.write_hdf5), ("neorl2-npz", logs.write_npz)]


def refused(path, *words, **options):
    """The refusal, one line that names the file, or the TOML beside it, and says all the words."""
    with pytest.raises(UserError) as caught:
        load(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    for word in (path.stem, *words):
        assert word in message, message
    return message


@pytest.mark.parametrize("name, write", FORMATS)
def test_reads_back_what_was_written(tmp_path, name, write):
    arrays = logs.columns()
    path = write(tmp_path / "hopper_medium-v2.npz", arrays)
    dataset = load(path)
    for field, values in arrays.items():
        np.testing.assert_array_equal(getattr(dataset, field), values)
    assert (dataset.name, dataset.format, dataset.path) == ("hopper-medium-v2", name, path)
    assert dataset.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert dataset.usable.all()
    assert dataset.notes == ()
    np.testing.assert_array_equal([dataset.action_low, dataset.action_high], [[-1], [1]])


@pytest.mark.parametrize("kind", ["f8", "f2", ">f4", ">f8", "i4", ">i2", "u1", "?"])
@pytest.mark.parametrize("write", [logs.write_hdf5, logs.write_npz])
def test_number_types_are_converted(tmp_path, kind, write):
    arrays = logs.columns()
    arrays["observations"] = np.arange(18).reshape(9, 2).astype(kind)
    dataset = load(write(tmp_path / "log.npz", arrays))
    assert dataset.observations.dtype == np.float32
    np.testing.assert_array_equal(dataset.observations, arrays["observations"].astype(np.float32))


@pytest.mark.parametrize("kind", ["i1", "f4", ">f8", "?", "u8"])
def test_flag_types_and_single_columns_are_squeezed(tmp_path, kind):
    arrays = logs.columns()
    for key in ("rewards", "terminals", "timeouts"):
        arrays[key] = arrays[key][:, None]
    arrays["terminals"] = arrays["terminals"].astype(kind)
    dataset = load(logs.write_hdf5(tmp_path / "log.hdf5", arrays))
    np.testing.assert_array_equal(dataset.terminals, logs.columns()["terminals"])
    np.testing.assert_array_equal(dataset.rewards, logs.columns()["rewards"])


@pytest.mark.parametrize("folder", ["ünïcode 日本", "with spaces"])
def test_unusual_paths(tmp_path, folder):
    (tmp_path / folder).mkdir()
    path = logs.write_hdf5(tmp_path / folder / "a log.hdf5", logs.columns())
    path.chmod(0o444)
    link = tmp_path / "link.hdf5"
    link.symlink_to(path)
    assert len(load(str(path))) == len(load(link)) == 9


def test_suffix_does_not_matter(tmp_path):
    assert load(logs.write_hdf5(tmp_path / "log.npz", logs.columns())).format == "d4rl-hdf5"
    with (tmp_path / "log.hdf5").open("wb") as file:
        logs.write_npz(file, logs.columns())
    assert load(tmp_path / "log.hdf5").format == "neorl2-npz"


def test_bounds_recorded_in_the_file(tmp_path):
    arrays = logs.columns()
    arrays["actions"] = 2 * arrays["actions"]
    path = logs.write_hdf5(tmp_path / "log.hdf5", arrays, action_low=-2.0, action_high=[2.0])
    dataset = load(path)
    np.testing.assert_array_equal([dataset.action_low, dataset.action_high], [[-2], [2]])
    assert dataset.notes == ()
    np.testing.assert_array_equal(load(path, action_low=-3, action_high=3).action_low, [-3])


def test_assumed_bounds_are_said(tmp_path):
    [note] = load(logs.write_hdf5(tmp_path / "log.hdf5", logs.columns())).notes
    assert "[-1, 1] is assumed" in note


@pytest.mark.parametrize(
    ("name", "assumed"),
    [
        ("door_control", True),
        ("pen_plotter", True),
        ("ant-farm-v2", True),
        ("hopper_medium_replay-v2", False),
        ("door-human-v2", False),
        ("hopper", False),
    ],
)
def test_only_published_logs_tell_their_bounds_by_name(tmp_path, name, assumed):
    notes = load(logs.write_hdf5(tmp_path / f"{name}.hdf5", logs.columns())).notes
    assert any("[-1, 1] is assumed" in note for note in notes) == assumed


def test_actions_out_of_bounds(tmp_path):
    arrays = logs.columns()
    arrays["actions"][4] = 1.5
    path = logs.write_hdf5(tmp_path / "log.hdf5", arrays)
    refused(path, "1.5", "--action-bounds")
    refused(path, "1 row has", "row 4", "1.5", "[-1, 1]", action_low=-1, action_high=1)
    assert load(path, action_low=-1, action_high=1.5).action_high == 1.5


def test_actions_past_the_bounds_by_rounding(tmp_path):
    arrays = logs.columns()
    arrays["actions"][4] = np.nextafter(np.float32(1), np.float32(2))
    dataset = load(logs.write_hdf5(tmp_path / "hopper.hdf5", arrays))
    assert dataset.actions.max() == 1
    assert "rounding" in dataset.notes[0]


@pytest.mark.parametrize(
    "low, high, word",
    [(-1, None, "both"), (1, -1, "low < high"), ([-1, -1], 1, "one number"), (-np.inf, 1, "finite")],
)
def test_bounds_that_are_none(tmp_path, low, high, word):
    refused(logs.write_hdf5(tmp_path / "log.hdf5", logs.columns()), word, action_low=low, action_high=high)


@pytest.mark.parametrize("bad", ["text", np.zeros(3), np.zeros(10**3), np.array([b"x"])])
def test_bounds_in_the_file_that_are_none(tmp_path, bad):
    path = logs.write_hdf5(tmp_path / "log.hdf5", logs.columns(), action_low=bad, action_high=1.0)
    refused(path, "attribute action_low")


def test_notes_on_odd_logs(tmp_path):
    arrays = logs.columns((400,), (False,))
    for key in ("observations", "next_observations"):
        arrays[key][:, 1] = 0.1
    doubled = {key: np.repeat(values, 2, axis=0) for key, values in arrays.items()}
    notes = " | ".join(load(logs.write_hdf5(tmp_path / "hopper.hdf5", doubled)).notes)
    assert "observation 1 never changes" in notes
    assert "400 rows (1, 3, 5, 7, 9, ...) are exact duplicates" in notes
    assert "not followed by their next observation" in notes


def test_detail_lost_in_float32_is_said(tmp_path):
    arrays = logs.columns()
    arrays["observations"] = arrays["observations"].astype(np.float64) + np.array([0, 1e9])
    arrays["next_observations"] = arrays["next_observations"].astype(np.float64) + np.array([0, 1e9])
    notes = load(logs.write_hdf5(tmp_path / "hopper.hdf5", arrays)).notes
    assert notes[0].startswith("observation 1 loses detail")
