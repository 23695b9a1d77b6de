"""NeoRL-2's NPZ layout: obs, action, next_obs, reward, done and truncated. Pickles are never opened."""

import io
import math
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from micro_rl.data.layout import (
    Header,
    RawLog,
    check_headers,
    damage_refused,
    refuse_missing,
    refuse_oversize,
)
from micro_rl.errors import UserError

FORMAT = "neorl2-npz"
KEYS = {
    "observations": "obs",
    "actions": "action",
    "rewards": "reward",
    "next_observations": "next_obs",
    "terminals": "done",
    "timeouts": "truncated",
}
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def recognises(head: bytes) -> bool:
    """A zip archive, empty or not."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def read(path: Path) -> RawLog:
    """The arrays as stored; the archive's checksums are verified on the way."""
    with damage_refused(path, "NPZ"), zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        refuse_missing(path, KEYS.values(), members)
        arrays = {field: _array(path, key, archive, members[key]) for field, key in KEYS.items()}
    check_headers(path, KEYS, {field: Header(array.shape, array.dtype) for field, array in arrays.items()})
    return RawLog(arrays, KEYS, None, None)


def _array(path: Path, key: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """One array, as a view of the unpacked bytes: a header that declares too much allocates nothing."""
    refuse_oversize(path, key, member.file_size, member.compress_size)
    content = io.BytesIO(archive.read(member))
    version = npy.read_magic(content)
    if version not in HEADERS:
        raise UserError(f"{path}: {key} has .npy version {version}: save it as plain numbers with numpy.savez")
    shape, fortran, dtype = HEADERS[version](content)
    if dtype.hasobject:
        raise UserError(f"{path}: {key} holds pickled objects, which are never opened: save it as float32")
    values = np.frombuffer(content.getbuffer(), dtype, offset=content.tell())
    if values.size != math.prod(shape):
        raise UserError(f"{path}: {key} declares shape {shape} but holds {values.size} values: write it again")
    return values.reshape(shape, order="F" if fortran else "C")
