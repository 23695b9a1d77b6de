"""Files that must be refused in one line, before they do harm."""

import gzip
import io
import os
import pickle
import resource
import zipfile

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


def test_terabytes_declared_in_a_small_hdf5(tmp_path):
    path = tmp_path / "log.hdf5"
    with h5py.File(path, "w") as file:
        for key, shape in {"observations": (10**11, 11), "actions": (10**11, 1)}.items():
            file.create_dataset(key, shape, "f4", chunks=(1000, shape[1]))
        for key in ("rewards", "terminals", "timeouts"):
            file.create_dataset(key, (10**11,), "f4")
    assert path.stat().st_size < 20_000
    refused(path, "observations declares 4,400,000,000,000 bytes")


def test_a_huge_chunk_behind_a_small_shape(tmp_path):
    path = logs.write_hdf5(tmp_path / "log.hdf5", logs.columns())
    with h5py.File(path, "a") as file:
        del file["rewards"]
        file.create_dataset("rewards", (9,), "f4", maxshape=(None,), chunks=(10**8,))
    refused(path, "rewards declares 400,000,000 bytes")


@pytest.mark.parametrize("content, skipped", [(b"abc", 0), (bytes(35), 0), (bytes(36), 1), (bytes(99), 0)])
def test_chunks_that_no_filter_made(tmp_path, content, skipped):
    """The HDF5 library itself crashes on the first; the third leaves its checksum out."""
    path = logs.write_hdf5(tmp_path / "log.hdf5", logs.columns())
    with h5py.File(path, "a") as file:
        file["rewards"].id.write_direct_chunk((0,), content, filter_mask=skipped)
    refused(path, f"rewards has a chunk of {len(content)} bytes", "damaged")


def test_measurements_never_written(tmp_path):
    for options in ({}, {"chunks": (4,)}):
        path = logs.write_hdf5(tmp_path / "log.hdf5", logs.columns())
        with h5py.File(path, "a") as file:
            del file["rewards"]
            column = file.create_dataset("rewards", (9,), "f4", **options)
            if options:
                column[:4] = 1
        refused(path, "rewards was never written, or only in part")


def test_flags_never_written_are_false(tmp_path):
    arrays = logs.columns((4, 5), (True, True))
    del arrays["timeouts"]
    path = logs.write_hdf5(tmp_path / "log.hdf5", arrays)
    with h5py.File(path, "a") as file:
        file.create_dataset("timeouts", (9,), bool)
    assert not load(path).timeouts.any()


def test_a_number_type_of_its_own(tmp_path):
    path = logs.write_hdf5(tmp_path / "log.hdf5", logs.columns())
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_ebias(100)
    with h5py.File(path, "a") as file:
        del file["rewards"]
        h5py.h5d.create(file.id, b"rewards", kind, h5py.h5s.create_simple((9,)))
    refused(path, "rewards has a number type of its own")


def test_a_gzip_bomb_in_hdf5(tmp_path):
    path = tmp_path / "log.hdf5"
    arrays = logs.columns()
    with h5py.File(path, "w") as file:
        for key, values in arrays.items():
            shape = (30_000_000, *values.shape[1:])
            column = file.create_dataset(key, shape, "f4", chunks=(10**6, *values.shape[1:]), compression="gzip")
            column[:1] = 0
    refused(path, "observations declares 240,000,000 bytes")


def test_a_zip_bomb(tmp_path):
    path = logs.write_npz(tmp_path / "log.npz", logs.columns())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key in logs.NEORL2_KEYS.values():
            archive.writestr(f"{key}.npy", bytes(80_000_000 if key == "obs" else 1))
    refused(path, "obs declares 80,000,000 bytes")


@pytest.mark.parametrize("shape", ["(1000000000000, 2)", "(2**62, 2**62)", "(-9, 3)", "'x'", "(9,)"])
def test_an_npy_header_that_lies(tmp_path, shape):
    path = tmp_path / "log.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for key in logs.NEORL2_KEYS.values():
            archive.writestr(f"{key}.npy", npy_header(shape))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_npy_members_of_other_kinds(tmp_path):
    path = tmp_path / "log.npz"
    for member in (b"", b"text", b"\x93NUMPY\x09\x00", npy_header("(9, 2)", "|O")):
        with zipfile.ZipFile(path, "w") as archive:
            for key in logs.NEORL2_KEYS.values():
                archive.writestr(f"{key}.npy", member)
        refused(path)


def test_links_out_of_the_file(tmp_path):
    secret = logs.write_hdf5(tmp_path / "other.hdf5", logs.columns())
    links = {
        "external": h5py.ExternalLink(str(secret), "rewards"),
        "dangling": h5py.ExternalLink("nowhere.hdf5", "rewards"),
        "soft": h5py.SoftLink("/observations"),
        "broken": h5py.SoftLink("/nowhere"),
    }
    for link in links.values():
        path = logs.write_hdf5(tmp_path / "log.hdf5", logs.columns())
        with h5py.File(path, "a") as file:
            del file["rewards"]
            file["rewards"] = link
        refused(path, "rewards is a link")


def test_values_kept_in_other_files(tmp_path):
    (tmp_path / "raw").write_bytes(bytes(36))
    path = logs.write_hdf5(tmp_path / "log.hdf5", logs.columns())
    with h5py.File(path, "a") as file:
        del file["rewards"]
        file.create_dataset("rewards", (9,), "f4", external=[(str(tmp_path / "raw"), 0, 36)])
    refused(path, "rewards keeps its values in other files")
    with h5py.File(path, "a") as file:
        del file["rewards"]
        layout = h5py.VirtualLayout((9,), "f4")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.hdf5"), "rewards", (9,))
        file.create_virtual_dataset("rewards", layout)
    refused(path, "rewards keeps its values in other files")


def test_things_that_are_no_arrays(tmp_path):
    path = logs.write_hdf5(tmp_path / "log.hdf5", logs.columns())
    for make in (
        lambda file: file.create_group("rewards"),
        lambda file: file.update(rewards=h5py.Empty("f4")),
    ):
        with h5py.File(path, "a") as file:
            del file["rewards"]
            make(file)
        refused(path, "rewards is no array")


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
