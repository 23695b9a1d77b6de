"""How an HDF5 array is stored, checked before it is read: damage that has no checksum, sizes made to harm."""

import math
from pathlib import Path

import h5py

from micro_rl.data.raw_log import refuse_oversize
from micro_rl.errors import UserError

HARD_LINK = 0
"""As the HDF5 library numbers the kinds of links."""
CHECKSUM_BYTES = 4
CHECKSUM = h5py.h5z.FILTER_FLETCHER32


def member(path: Path, group: h5py.HLObject, key: str, label: str) -> h5py.HLObject:
    """Opens what lies in a group under that name; `UserError`, which calls it `label`, for nothing and for a link."""
    # Asked of the links themselves: `in` and `get` would follow them, and a soft link may lead through an external one.
    if not isinstance(group, h5py.Group) or not group.id.links.exists(key.encode()):
        raise UserError(f"{path}: no {label} in the file: fetch or write it again")
    if group.id.links.get_info(key.encode()).type != HARD_LINK:
        raise UserError(f"{path}: {label} is a link to elsewhere: store the array itself in the file")
    return group[key]


def whole_array(path: Path, stored: h5py.HLObject, label: str) -> h5py.Dataset:
    """Takes it for an array; `UserError` where it is none, or keeps its values elsewhere."""
    if not isinstance(stored, h5py.Dataset) or stored.shape is None:
        raise UserError(f"{path}: {label} is no array: store it as one array under that name")
    if stored.is_virtual or stored.external:
        raise UserError(f"{path}: {label} keeps its values in other files: store the array itself in the file")
    return stored


def check_texts(path: Path, key: str, array: h5py.Dataset) -> None:
    """Refuses arrays of anything but texts and numbers, declared sizes far past the stored ones, impossible chunks."""
    if array.dtype.kind == "O" and h5py.check_string_dtype(array.dtype) is None:
        raise UserError(f"{path}: {key} holds neither texts nor numbers: store texts or whole numbers")
    end = path.stat().st_size
    chunk_bytes = math.prod(array.chunks or (0,)) * array.dtype.itemsize
    refuse_oversize(path, key, max(array.nbytes, chunk_bytes), min(array.id.get_storage_size(), end))
    if array.chunks:
        _check_chunks(path, key, array, chunk_bytes, end)


def check(path: Path, key: str, array: h5py.Dataset, written: bool) -> None:
    """Refuses declared sizes far past the stored ones, impossible chunks and types; gaps, if `written`."""
    end = path.stat().st_size
    chunk_bytes = math.prod(array.chunks or (0,)) * array.dtype.itemsize
    stored = min(array.id.get_storage_size(), end)
    refuse_oversize(path, key, max(array.nbytes, chunk_bytes), stored)
    if array.id.get_type() != h5py.h5t.py_create(array.dtype):
        raise UserError(f"{path}: {key} has a number type of its own: store it as float32")
    count = _check_chunks(path, key, array, chunk_bytes, end) if array.chunks else 1
    if written and array.nbytes and (not stored or count < _chunks_expected(array)):
        raise UserError(f"{path}: {key} was never written, or only in part: write the log again")


def _chunks_expected(array: h5py.Dataset) -> int:
    """How many chunks cover the array; 1 where it is stored in one piece."""
    return math.prod(-(-rows // chunk) for rows, chunk in zip(array.shape, array.chunks or (), strict=False))


def _check_chunks(path: Path, key: str, array: h5py.Dataset, full: int, end: int) -> int:
    """Counts the chunks; refuses places and sizes that cannot be: the HDF5 library crashes on some.

    `full` is a chunk's size in bytes before its filters, `end` the file's size.
    """
    settings = array.id.get_create_plist()
    filters = [settings.get_filter(place)[0] for place in range(settings.get_nfilters())]
    places = set()

    def check_one(chunk: h5py.h5d.StoreInfo) -> None:
        applied = [code for place, code in enumerate(filters) if not chunk.filter_mask >> place & 1]
        smallest, largest = _sizes(applied, full)
        whole = smallest <= chunk.size <= largest and chunk.byte_offset + chunk.size <= end
        inside = all(at < rows for at, rows in zip(chunk.chunk_offset, array.shape, strict=True))
        if not (whole and inside) or applied.count(CHECKSUM) < filters.count(CHECKSUM):
            raise UserError(
                f"{path}: damaged or cut short, {key} has a chunk of {chunk.size} bytes where {full} "
                "belong, or in a place that is none: fetch or write it again"
            )
        places.add(chunk.chunk_offset)

    array.id.chunk_iter(check_one)
    return len(places)


def _sizes(applied: list[int], full: int) -> tuple[int, int]:
    """Least and greatest bytes that a chunk of `full` bytes may have after those filters."""
    checksum = CHECKSUM_BYTES * applied.count(CHECKSUM)
    if set(applied) <= {CHECKSUM, h5py.h5z.FILTER_SHUFFLE}:
        return full + checksum, full + checksum
    return checksum + 1, full + checksum + full // 8 + 64
