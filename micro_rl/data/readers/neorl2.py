"""NeoRL-2's NPZ layout: obs, action, next_obs, reward, done and truncated. Pickles are never opened."""

import io
import math
import zipfile
from pathlib import Path
from typing import cast

import numpy as np
from numpy.lib import format as npy

from micro_rl.data import log_metadata
from micro_rl.data.raw_log import (
    Header,
    RawLog,
    check_headers,
    damage_refused,
    narrowed,
    refuse_missing,
    refuse_oversize,
)
from micro_rl.errors import UserError
from micro_rl.storage.json_files import parse_json

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
    """Looks for a zip archive's signature, empty or not."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def read(path: Path) -> RawLog:
    """Reads the log; the archive's checksums are verified on the way."""
    with damage_refused(path, "NPZ"), zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        refuse_missing(path, KEYS.values(), members)
        headers = {field: _header(path, key, archive, members[key]) for field, key in KEYS.items()}
        check_headers(path, KEYS, headers)
        raw = narrowed(KEYS, headers, lambda field: [_array(path, KEYS[field], archive, members[KEYS[field]])])
        if log_metadata.ABOUT not in members:
            return raw
        _header(path, log_metadata.ABOUT, archive, members[log_metadata.ABOUT])
        about = _array(path, log_metadata.ABOUT, archive, members[log_metadata.ABOUT]).tobytes()
    return log_metadata.apply(path, raw, parse_json(about, f"{path}: {log_metadata.ABOUT}"))


def _header(path: Path, key: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header:
    """What an array declares; nothing of its size is allocated."""
    refuse_oversize(path, key, member.file_size, member.compress_size)
    with cast(zipfile.ZipExtFile, archive.open(member)) as content:
        shape, _, dtype = _preamble(path, key, content)
        size = content.tell() + math.prod(shape) * dtype.itemsize
    if size != member.file_size:
        raise UserError(f"{path}: {key} declares shape {shape} but holds {member.file_size} bytes: write it again")
    return Header(shape, dtype)


def _array(path: Path, key: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """One array, as a view of the unpacked bytes, whose checksum has been compared."""
    content = io.BytesIO(archive.read(member))
    shape, fortran, dtype = _preamble(path, key, content)
    values = np.frombuffer(content.getbuffer(), dtype, offset=content.tell())
    return values.reshape(shape, order="F" if fortran else "C")


def _preamble(path: Path, key: str, content: io.BufferedIOBase) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type from the start of an .npy member."""
    version = npy.read_magic(content)
    if version not in HEADERS:
        raise UserError(f"{path}: {key} has .npy version {version}: save it as plain numbers with numpy.savez")
    shape, fortran, dtype = HEADERS[version](content)
    if dtype.hasobject:
        raise UserError(f"{path}: {key} holds pickled objects, which are never opened: save it as float32")
    return shape, fortran, dtype
