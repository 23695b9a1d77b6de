"""D4RL's HDF5 layout: flat arrays at the root. Nothing outside the file is ever opened.

Attributes at the root, if any, say what `micro_rl.data.log_metadata` lists.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from micro_rl.data import log_metadata, unread
from micro_rl.data.raw_log import (
    OPTIONAL,
    REQUIRED,
    Header,
    RawLog,
    check_headers,
    damage_refused,
    narrowed,
    refuse_missing,
)
from micro_rl.data.readers import hdf5_groups, hdf5_storage
from micro_rl.data.readers.labels import as_labels
from micro_rl.errors import UserError

FORMAT = "d4rl-hdf5"
KEYS = {field: field for field in (*REQUIRED, *OPTIONAL)}
BLOCK_BYTES = 2**22
LARGEST_ATTRIBUTE = 2**16
SIGNATURE = b"\x89HDF\r\n\x1a\n"


def recognises(head: bytes) -> bool:
    """Looks for HDF5's signature, at the start or, after a user block, at a power of two from 512."""
    return any(head[at : at + 8] == SIGNATURE for at in (0, 512, 1024, 2048, 4096))


def read(path: Path, timeouts: str | None = None, group: str | None = None) -> RawLog:
    """Reads the log. Everything is checked against what the file declares before any of it is read.

    Args:
        path: the file.
        timeouts: the array that marks where episodes were cut, where it has another name.
        group: the array that tells who controlled; by default the one that the file names.

    Returns:
        The log.

    Raises:
        UserError: the file cannot be read as such a log.
    """
    with damage_refused(path, "HDF5"), h5py.File(path, "r", locking=False) as file:
        present = set(file)  # not `in file`, which follows links
        grouped = hdf5_groups.recognises(present)
        if grouped and group is not None:
            raise UserError(f"{path}: group: its episodes are groups of their own: give a label for each from Python")
        raw = hdf5_groups.read(path, file, timeouts) if grouped else _flat(path, file, present, timeouts)
        attributes = {name: _attribute(path, file, name) for name in log_metadata.NAMES if name in file.attrs}
        group = log_metadata.group(attributes, () if grouped else present) if group is None else group
        if group is not None:
            raw = raw._replace(groups=_labels(path, file, group, len(raw.arrays["rewards"])))
        return log_metadata.apply(path, unread.turned(raw), attributes)


def _flat(path: Path, file: h5py.File, present: set[str], timeouts: str | None) -> RawLog:
    """The arrays at the root."""
    keys = KEYS | ({"timeouts": timeouts} if timeouts else {})
    refuse_missing(path, (*REQUIRED, *([timeouts] if timeouts else [])), present)
    sets = {field: _dataset(path, file, key) for field, key in keys.items() if key in present}
    headers = {field: Header(array.shape, array.dtype) for field, array in sets.items()}
    check_headers(path, keys, headers)
    raw, rows = narrowed(keys, headers, lambda field: _blocks(sets[field])), headers["rewards"].shape[0]

    def other(name: str) -> np.ndarray | None:
        try:
            array = hdf5_storage.whole_array(path, hdf5_storage.member(path, file, name, name), name)
            if array.shape not in ((rows,), (rows, 1)) or array.dtype.kind not in "fiub":
                return None
            hdf5_storage.check(path, name, array, written=False)
        except UserError:  # a link, a group, an array that is not to be trusted: not ours to read
            return None
        return array[()]

    return raw._replace(unread=unread.sort_out(present - {*keys.values()}, rows, other))


def _labels(path: Path, file: h5py.File, name: str, rows: int) -> np.ndarray:
    """An array of texts or numbers."""
    array = hdf5_storage.whole_array(path, hdf5_storage.member(path, file, name, name), name)
    hdf5_storage.check_texts(path, name, array)
    if len(array.shape) != 1 or len(array) > rows:
        raise UserError(f"{path}: group: {name} has shape {array.shape}: store one label for each row or each episode")
    return as_labels(path, name, array[()], rows)


def _blocks(array: h5py.Dataset) -> Iterator[np.ndarray]:
    """The rows in pieces that keep chunks whole, so that none is unpacked twice."""
    chunk = array.chunks[0] if array.chunks else 1
    size = max(1, BLOCK_BYTES * len(array) // max(1, array.nbytes) // chunk) * chunk
    for start in range(0, len(array), size):
        yield array[start : start + size]


def _dataset(path: Path, file: h5py.File, key: str) -> h5py.Dataset:
    """An array that lies in this file, whole, and is no larger than it can be."""
    array = hdf5_storage.whole_array(path, hdf5_storage.member(path, file, key, key), key)
    # Flags that are all false may never have been written; measurements must have been.
    hdf5_storage.check(path, key, array, written=key not in ("terminals", "timeouts"))
    return array


def _attribute(path: Path, file: h5py.File, name: str) -> Any:
    """An attribute's value; its size is checked before it is read."""
    attribute = file.attrs.get_id(name)
    if math.prod(attribute.shape) * attribute.dtype.itemsize > LARGEST_ATTRIBUTE:
        raise UserError(f"{path}: attribute {name} is larger than {LARGEST_ATTRIBUTE} bytes: correct or delete it")
    return file.attrs[name]
