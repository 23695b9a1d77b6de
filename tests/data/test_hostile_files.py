"""Files that declare more than they hold, pack more than they may, or lead elsewhere: refused before they do harm."""

import resource
import zipfile
import zlib

import h5py
import numpy as np
import pytest

from micro_rl.data import load
from tests.data import logs
from tests.data.test_bad_files import npy_header
from tests.data.test_loading import refused


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


def test_a_chunk_may_leave_out_a_filter_that_comes_after_others(tmp_path):
    """Compressed, but not shuffled: the library knows from the chunk's own mask."""
    path = logs.write_hdf5(tmp_path / "log.hdf5", logs.columns((100,), (True,)))
    rewards = np.zeros(100, np.float32)
    with h5py.File(path, "a") as file:
        del file["rewards"]
        filters = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        filters.set_chunk((100,))
        filters.set_deflate(4)
        filters.set_shuffle()
        space = h5py.h5s.create_simple((100,))
        made = h5py.h5d.create(file.id, b"rewards", h5py.h5t.IEEE_F32LE, space, filters)
        made.write_direct_chunk((0,), zlib.compress(rewards.tobytes()), filter_mask=0b10)
    assert not load(path).rewards.any()
