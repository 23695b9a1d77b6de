"""Folders of arrays: safetensors with a manifest, replaced atomically, checked before they are read.

A folder holds `NAME.safetensors`, `NAME.json` and `manifest.json`, which gives the format version and the
size and SHA-256 of the other two. Nothing is ever unpickled.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from micro_rl.errors import UserError
from micro_rl.storage.files import (
    hidden,
    put_in_place,
    reading,
    regular_size,
    remove,
    saving,
    sha256,
    sync_folder,
    write_file,
)
from micro_rl.storage.json_files import FORMAT, check_format, json_bytes, read_json

_MANIFEST, _METADATA = "manifest.json", "__metadata__"
_DTYPES = {"b1": "BOOL"} | {
    f"{kind}{size}": f"{letter}{8 * size}"
    for kind, letter, sizes in (("u", "U", (1, 2, 4, 8)), ("i", "I", (1, 2, 4, 8)), ("f", "F", (2, 4, 8)))
    for size in sizes
}
_CHUNK = 4 << 20  # bytes: hashed and written while still in cache
_MANIFEST_LIMIT = 64 << 10  # bytes
_HEADER_LIMIT = 4 << 20  # bytes; the largest training state needs about 0.1 MB


def _files(name: str) -> tuple[str, str]:
    return f"{name}.safetensors", f"{name}.json"


def _code(array: np.ndarray) -> str:
    return f"{array.dtype.kind}{array.dtype.itemsize}"


def safetensors_chunks(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> Iterator[Any]:
    """Encode arrays in the safetensors format, in pieces that copy nothing; equal arrays give equal bytes.

    The library's own `save_file` writes the same, but cannot hash on the way: writing, reading back and hashing take
    three times as long. It also orders metadata at random.

    Args:
        arrays: booleans, integers and floats of 16 bits or more, by name; the widest items come first, so that all
            are aligned.
        metadata: texts for the header.

    Yields:
        Bytes-like pieces of a few megabytes at most.

    Raises:
        TypeError: where an array has another type, or a name that the format keeps for itself.
    """
    ordered = sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
    header: dict[str, Any] = {} if metadata is None else {_METADATA: dict(sorted(metadata.items()))}
    offset = 0
    for name, array in ordered:
        dtype = _DTYPES.get(_code(array))
        if dtype is None or name == _METADATA:
            raise TypeError(f"array {name} of {array.dtype} cannot be saved")
        end = offset + array.nbytes
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little")
    yield text
    for _, array in ordered:
        little_endian = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        flat = little_endian.reshape(-1).view(np.uint8)
        yield from (flat[start : start + _CHUNK] for start in range(0, flat.size, _CHUNK))


def _check_replaceable(folder: Path, name: str) -> None:
    """Only a folder that holds nothing but our own files is replaced: a mistyped path must not cost any."""
    with reading(folder):
        present = {entry.name for entry in folder.iterdir()} if folder.exists() else set()
    others = sorted(present - {*_files(name), _MANIFEST})
    if others:
        raise UserError(f"{folder}: holds other files ({others[0]}); choose a new or an empty folder")


def write_arrays(
    folder: Path | str, name: str, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any] | None = None
) -> None:
    """Write or replace a folder of arrays atomically and durably, without a second copy of them in memory.

    Args:
        folder: new, empty, or one that holds such arrays.
        name: what its files are called.
        arrays: booleans, integers and floats of 16 bits or more, by name.
        meta: what JSON can hold beside them.

    Raises:
        CannotWrite: where the disk refuses; the folder is then as it was.
        UserError: where the folder holds anything else.
        TypeError: where an array has another type.
    """
    folder = Path(folder).resolve()
    _check_replaceable(folder, name)
    temporary = hidden(folder, "tmp")
    with saving(folder, temporary):
        remove(temporary)
        temporary.mkdir(parents=True)
        contents = (safetensors_chunks(arrays), [json_bytes(meta or {})])
        entries = {file: write_file(temporary / file, data) for file, data in zip(_files(name), contents, strict=True)}
        write_file(temporary / _MANIFEST, [json_bytes({"format": FORMAT, "files": entries})])
        sync_folder(temporary)
        put_in_place(temporary, folder)


def read_arrays(folder: Path | str, name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a folder of arrays, after every file's size and SHA-256 have been checked.

    Args:
        folder: what `write_arrays` wrote.
        name: what its files are called.

    Returns:
        The arrays by name, and the meta.

    Raises:
        UserError: naming the file that is missing, damaged or not ours.
        NewerFormat: where a later version wrote it.
    """
    folder = Path(folder).resolve()
    with reading(folder):
        if not folder.exists() and hidden(folder, "old").exists():
            folder = hidden(folder, "old")
    for file, entry in _read_manifest(folder, name).items():
        _verify(folder / file, entry)
    tensors, meta = _files(name)
    return read_safetensors(folder / tensors, _HEADER_LIMIT)[0], read_json(folder / meta)


def _read_manifest(folder: Path, name: str) -> dict[str, Any]:
    """Size and SHA-256 by file name. Only the expected names pass, so none can lead out of the folder."""
    path = folder / _MANIFEST
    manifest = read_json(path, _MANIFEST_LIMIT)
    check_format(manifest.get("format"), path)
    files = manifest.get("files")
    if set(manifest) != {"format", "files"} or not isinstance(files, dict) or set(files) != set(_files(name)):
        raise UserError(f"{path}: does not list {' and '.join(_files(name))}; restore it from a copy")
    for entry in files.values():
        if not isinstance(entry, dict) or set(entry) != {"bytes", "sha256"}:
            raise UserError(f"{path}: needs bytes and sha256 of every file; restore it from a copy")
    return files


def _verify(path: Path, entry: dict[str, Any]) -> None:
    size = regular_size(path)
    if type(entry["bytes"]) is not int or size != entry["bytes"]:
        raise UserError(f"{path}: has {size} bytes where its manifest says otherwise; restore it from a copy")
    if sha256(path) != entry["sha256"]:
        raise UserError(f"{path}: is damaged (SHA-256 differs from its manifest); restore it from a copy")


def read_safetensors(path: Path, header_limit: int) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read a safetensors file.

    Args:
        path: an ordinary file of any content.
        header_limit: bytes that its header may have; in pickles and archives those bytes give a larger number.

    Returns:
        The arrays by name, and the texts of its header.

    Raises:
        UserError: where it is no such file, or holds an array of a type that is never saved here.
    """
    with reading(path), open(path, "rb") as content:
        header = int.from_bytes(content.read(8), "little")
    if header > header_limit:
        raise UserError(f"{path}: does not begin like a safetensors file; give one, or restore it from a copy")
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: is no safetensors file ({reason}); restore it from a copy") from error
    for name, array in arrays.items():
        if _code(array) not in _DTYPES:
            raise UserError(f"{path}: {name} is {array.dtype}, which is never saved here; restore it from a copy")
    return arrays, metadata
