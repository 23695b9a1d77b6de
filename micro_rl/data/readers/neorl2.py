"""NPZ: NeoRL-2's obs, action, next_obs, reward, done and truncated, or D4RL's names. Pickles are never opened."""

import io
import math
import zipfile
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy

from micro_rl.data import log_metadata, unread
from micro_rl.data.likeness import of_archive
from micro_rl.data.raw_log import (
    OPTIONAL,
    REQUIRED,
    Header,
    RawLog,
    check_headers,
    damage_refused,
    narrowed,
    refuse_missing,
    refuse_oversize,
)
from micro_rl.data.readers.labels import as_labels
from micro_rl.errors import UserError
from micro_rl.storage.json_files import parse_json

FORMAT = "neorl2-npz"
PLAIN = "npz"
"""The format's name where the arrays have D4RL's names."""
KEYS = {
    "observations": "obs",
    "actions": "action",
    "rewards": "reward",
    "next_observations": "next_obs",
    "terminals": "done",
    "timeouts": "truncated",
}
D4RL = {field: field for field in (*REQUIRED, *OPTIONAL)}
"""The names under which OGBench and others write NPZ."""
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def recognises(head: bytes) -> bool:
    """Looks for a zip archive's signature, empty or not."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def read(path: Path, timeouts: str | None = None, group: str | None = None) -> RawLog:
    """Reads the log, under NeoRL-2's names or D4RL's; the archive's checksums are verified on the way.

    Args:
        path: the file.
        timeouts: the array that marks where episodes were cut, where it has another name.
        group: the array that tells who controlled; by default the one that the file names.

    Returns:
        The log.

    Raises:
        UserError: the file cannot be read as such a log.
    """
    with damage_refused(path, "NPZ"), zipfile.ZipFile(path) as archive:
        if other := of_archive(archive.namelist()):
            raise UserError(f"{path}: {other}")
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        raw = unread.turned(_arrays(path, archive, members, timeouts))
        about = _about(path, archive, members)
        group = log_metadata.group(about, members) if group is None else group
        if group is not None:
            refuse_missing(path, [group], members)
            _header(path, group, archive, members[group])
            values = _array(path, group, archive, members[group])
            raw = raw._replace(groups=as_labels(path, group, values, len(raw.arrays["rewards"])))
    return raw if about is None else log_metadata.apply(path, raw, about)


def _about(path: Path, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> Any:
    """What the file says of itself, where it does."""
    if log_metadata.ABOUT not in members:
        return None
    _header(path, log_metadata.ABOUT, archive, members[log_metadata.ABOUT])
    about = _array(path, log_metadata.ABOUT, archive, members[log_metadata.ABOUT]).tobytes()
    return parse_json(about, f"{path}: {log_metadata.ABOUT}")


def _arrays(path: Path, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], timeouts: str | None) -> RawLog:
    """The arrays, and what else has one number a row."""
    own = "observations" in members
    keys = (D4RL if own else KEYS) | ({"timeouts": timeouts} if timeouts else {})
    needed = [key for field, key in keys.items() if not own or field in REQUIRED or key == timeouts]
    refuse_missing(path, needed, members)
    keys = {field: key for field, key in keys.items() if key in members}
    headers = {field: _header(path, key, archive, members[key]) for field, key in keys.items()}
    check_headers(path, keys, headers)
    raw = narrowed(keys, headers, lambda field: [_array(path, keys[field], archive, members[keys[field]])])
    rows = headers["rewards"].shape[0]

    def other(name: str) -> np.ndarray | None:
        try:
            header = _header(path, name, archive, members[name])
        except Exception:  # a text, a picture, an array that is not to be trusted: not ours to read
            return None
        good = header.shape in ((rows,), (rows, 1)) and header.dtype.kind in "fiub"
        return _array(path, name, archive, members[name]) if good else None

    others = members.keys() - {*keys.values(), log_metadata.ABOUT}
    return raw._replace(unread=unread.sort_out(others, rows, other))


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
