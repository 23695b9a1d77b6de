"""Files that must be refused in one line, before they do harm."""

import gzip
import io
import os
import pickle

import h5py
import numpy as np
import pytest

from micro_rl.data import load
from micro_rl.data.raw_log import refuse_oversize
from micro_rl.data.readers import d4rl
from micro_rl.errors import UserError
from tests.data import logs
from tests.data.test_loading import FORMATS, refused


def npy_header(shape: str, kind: str = "<f4") -> bytes:
    """The start of an .npy file of that declared shape, nothing behind it."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize("content, word", [(b"", "empty"), (b"hello", "neither HDF5 nor NPZ")])
def test_not_a_log(tmp_path, content, word):
    path = tmp_path / "log.hdf5"
    path.write_bytes(content)
    refused(path, word)


def test_other_formats_are_named(tmp_path):
    path = tmp_path / "log.hdf5"
    path.write_bytes(gzip.compress(b"x"))
    refused(path, "gzip")
    path.write_bytes(pickle.dumps({}))
    refused(path, "a pickle")


@pytest.mark.parametrize("write", [logs.write_hdf5, logs.write_npz])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_cut_short(tmp_path, write, share):
    path = write(tmp_path / "log.npz", logs.columns((500, 500), (True, False)))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, "damaged or cut short")


def test_flipped_bit_in_hdf5(tmp_path):
    path = logs.write_hdf5(tmp_path / "log.hdf5", logs.columns())
    with h5py.File(path) as file:
        at = file["rewards"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[at + 2] ^= 16
    path.write_bytes(content)
    refused(path, "damaged", "again")


def test_a_chunk_that_says_it_is_not_packed_has_its_full_size(tmp_path):
    """Mask 1: the first filter, gzip, was left out. HDF5 would read behind the end of fewer bytes."""
    path, arrays = tmp_path / "log.hdf5", logs.columns()
    for size, words in ((9 * 4, ()), (9 * 4 - 1, ("rewards has a chunk of 35 bytes where 36 belong",))):
        with h5py.File(path, "w") as file:
            for key, values in arrays.items():
                packed = file.create_dataset(key, data=values, compression="gzip", chunks=values.shape)
                if key == "rewards":
                    packed.id.write_direct_chunk((0,), values.tobytes()[:size], filter_mask=1)
        if words:
            refused(path, *words)
        else:
            np.testing.assert_array_equal(load(path).rewards, arrays["rewards"])


def test_a_log_may_be_a_hundred_times_what_is_stored_and_64_mib_more(tmp_path):
    refuse_oversize(tmp_path / "log.hdf5", "rewards", 64 * 2**20 + 1000, 10)
    with pytest.raises(UserError, match="rewards declares 67,109,865 bytes but only 10 are stored"):
        refuse_oversize(tmp_path / "log.hdf5", "rewards", 64 * 2**20 + 1001, 10)


def test_blocks_keep_chunks_whole(tmp_path, monkeypatch):
    """Rows of 8 bytes: blocks of 2 rows would fit, of which a chunk of 4 is the next whole number of chunks."""
    monkeypatch.setattr(d4rl, "BLOCK_BYTES", 16)
    with h5py.File(tmp_path / "log.hdf5", "w") as file:
        array = file.create_dataset("observations", data=np.arange(20.0, dtype="f4").reshape(10, 2), chunks=(4, 2))
        blocks = list(d4rl._blocks(array))
    assert [len(block) for block in blocks] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(blocks).ravel(), np.arange(20))


def test_flipped_bit_in_npz(tmp_path):
    path = logs.write_npz(tmp_path / "log.npz", logs.columns())
    content = bytearray(path.read_bytes())
    content[150] ^= 16
    path.write_bytes(content)
    refused(path, "damaged", "again")


@pytest.mark.parametrize("key", ["observations", "actions", "rewards", "terminals"])
@pytest.mark.parametrize("name, write", FORMATS)
def test_missing_key(tmp_path, key, name, write):
    arrays = logs.columns()
    del arrays[key]
    path = write(tmp_path / "log.npz", arrays)
    missing, present = (key, "timeouts") if name == "d4rl-hdf5" else (logs.NEORL2_KEYS[key], "truncated")
    refused(path, f"no {missing}", f"'{present}'")


def test_many_keys_are_not_all_listed(tmp_path):
    path = logs.write_hdf5(tmp_path / "log.hdf5", {f"episode_{i}": np.ones(1) for i in range(30)})
    assert len(refused(path, "'episode_0'", "and 18 more")) < 600


@pytest.mark.parametrize("name, write", FORMATS)
def test_unequal_lengths(tmp_path, name, write):
    arrays = logs.columns()
    arrays["rewards"] = arrays["rewards"][:-1]
    key = "rewards 8" if name == "d4rl-hdf5" else "reward 8"
    refused(write(tmp_path / "log.npz", arrays), "differ in length", key)


def test_no_rows(tmp_path):
    arrays = {key: values[:0] for key, values in logs.columns().items()}
    refused(logs.write_hdf5(tmp_path / "log.hdf5", arrays), "no rows")


@pytest.mark.parametrize("key", ["observations", "actions", "rewards", "next_observations"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(tmp_path, key, bad):
    arrays = logs.columns()
    arrays[key][[3, 7]] = bad
    refused(logs.write_hdf5(tmp_path / "log.hdf5", arrays), key, "NaN or infinity", "2 rows (3, 7)")


def test_values_past_float32(tmp_path):
    arrays = logs.columns()
    arrays["rewards"] = arrays["rewards"].astype(np.float64)
    arrays["rewards"][6] = 1e300
    refused(logs.write_hdf5(tmp_path / "log.hdf5", arrays), "rewards exceeds float32", "1 row (6)")


@pytest.mark.parametrize("bad", [0.5, 2, np.nan, -1])
def test_flags_that_are_none(tmp_path, bad):
    arrays = logs.columns()
    arrays["terminals"] = arrays["terminals"].astype(np.float32)
    arrays["terminals"][4] = bad
    refused(logs.write_hdf5(tmp_path / "log.hdf5", arrays), "terminals must be 0 or 1", "row 4")


@pytest.mark.parametrize(
    "key, shape",
    [
        ("observations", (9,)),
        ("observations", (9, 2, 1)),
        ("actions", (9, 0)),
        ("rewards", (9, 2)),
        ("timeouts", ()),
    ],
)
def test_shapes_that_are_no_columns(tmp_path, key, shape):
    arrays = logs.columns()
    arrays[key] = np.zeros(shape, np.float32)
    refused(logs.write_hdf5(tmp_path / "log.hdf5", arrays), key, "shape")


def test_next_observations_of_another_width(tmp_path):
    arrays = logs.columns()
    arrays["next_observations"] = np.zeros((9, 3), np.float32)
    refused(logs.write_hdf5(tmp_path / "log.hdf5", arrays), "next_observations has 3 columns")


@pytest.mark.parametrize(
    "bad",
    [
        np.array([b"a"] * 9),
        np.array(["a"] * 9, h5py.string_dtype()),
        np.zeros(9, [("a", "f4")]),
        np.zeros(9, "c8"),
        np.zeros(9, np.dtype(("f4", (2,)))),
    ],
)
def test_types_that_are_no_numbers(tmp_path, bad):
    arrays = logs.columns() | {"rewards": bad}
    refused(logs.write_hdf5(tmp_path / "log.hdf5", arrays), "rewards")


def test_text_in_npz(tmp_path):
    arrays = logs.columns() | {"rewards": np.array(["1,5"] * 9)}
    refused(logs.write_npz(tmp_path / "log.npz", arrays), "reward holds no plain numbers")


def test_a_pickle_in_npz_is_not_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    arrays = logs.columns() | {"rewards": np.array([Trap()] * 9, dtype=object)}
    refused(logs.write_npz(tmp_path / "log.npz", arrays), "reward holds pickled objects")
    assert not (tmp_path / "sprung").exists()


def test_unreadable(tmp_path):
    path = logs.write_hdf5(tmp_path / "log.hdf5", logs.columns())
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    refused(path, "permissions")


@pytest.mark.parametrize("write", [logs.write_hdf5, logs.write_npz])
@pytest.mark.parametrize("seed", range(60))
def test_corrupted_bytes_load_or_are_refused(tmp_path, write, seed):
    random = np.random.default_rng(seed)
    path = write(tmp_path / "log.npz", logs.columns((20, 20), (True, False)))
    path.write_bytes(corrupted(path.read_bytes(), random))
    try:
        load(path)
    except UserError as error:
        assert "\n" not in str(error)


def corrupted(content: bytes, random: np.random.Generator) -> bytes:
    """The same with some bytes changed, zeroed, removed or repeated."""
    broken = bytearray(content)
    at = int(random.integers(len(broken)))
    span = int(random.integers(1, 64))
    match random.integers(4):
        case 0:
            for place in random.integers(0, len(broken), random.integers(1, 30)):
                broken[place] = random.integers(256)
        case 1:
            broken[at : at + span] = bytes(len(broken[at : at + span]))
        case 2:
            del broken[at : at + span]
        case _:
            broken[at:at] = broken[at : at + span]
    return bytes(broken)


def test_npz_from_memory_is_what_the_tests_write():
    """Guards the header builder above: NumPy itself reads what it makes."""
    content = npy_header("(2, 2)") + np.arange(4, dtype="<f4").tobytes()
    np.testing.assert_array_equal(np.load(io.BytesIO(content)), [[0, 1], [2, 3]])
