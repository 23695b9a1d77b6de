"""Bytes and JSON on disk: written whole or not at all, and only ordinary files are read.

A save that fails for want of space or permission raises `CannotWrite` and leaves what was there before;
training may go on and try again.

JSON has no NaN or infinity: such floats are stored as the strings "NaN", "Infinity" and "-Infinity" and read
back as floats, everywhere in these files.
"""

import hashlib
import json
import math
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from micro_rl.errors import UserError

FORMAT = 3
"""Of run folders and folders of arrays; all from 1 on are read. 2 brought processes.jsonl, and rows in checkpoints,
3 the names of settings (`core.renamed`)."""
JSON_LIMIT = 64 << 20  # bytes

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class CannotWrite(UserError):
    """The disk refused a save; what was saved before is still there."""


class NewerFormat(UserError):
    """Written by a later version of this program: not damaged, and not to be thrown away."""


def hidden(path: Path, suffix: str) -> Path:
    """The name beside a path under which its next or last state waits."""
    return path.with_name(f".{path.name}.{suffix}")


def remove(path: Path) -> None:
    """Drop a leftover file or folder; one that cannot be dropped stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


@contextmanager
def saving(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Turn the disk's refusal into `CannotWrite`, leaving no partial output."""
    try:
        yield
    except OSError as error:
        if temporary is not None:
            remove(temporary)
        reason = error.strerror or error
        raise CannotWrite(f"{path}: cannot be written ({reason}); free the disk or choose another folder") from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the disk's refusal into a `UserError`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, chunks: Iterable[Any]) -> dict[str, Any]:
    """Write bytes-like chunks durably in one pass; returns the file's manifest entry."""
    digest, size = hashlib.sha256(), 0
    with open(path, "wb") as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": size, "sha256": digest.hexdigest()}


def replace_file(path: Path, content: bytes) -> None:
    """Give a file new content: readers, now or after a crash, see the old or the new, never a mixture."""
    temporary = hidden(path, "tmp")
    with saving(path, temporary):
        write_file(temporary, [content])
        os.replace(temporary, path)
        sync_folder(path.parent)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside a path for another library to write to; when the block ends it takes the path's place.

    Where the block fails, nothing is left and the path is as it was; a disk that refuses raises `CannotWrite`.
    """
    temporary = hidden(path, "tmp")
    with saving(path, temporary):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            remove(temporary)
            raise
        sync_folder(path.parent)


def append_file(path: Path, content: bytes) -> None:
    """Append durably; if the disk refuses, the file is cut back to what it was."""
    with saving(path), open(path, "ab", buffering=0) as file:
        size = file.tell()
        try:
            if file.write(content) < len(content):
                raise OSError("no space left")
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            raise


def regular_size(path: Path) -> int:
    """Bytes of an ordinary file; a pipe or a device could block or never end."""
    with reading(path):
        status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: is not an ordinary file; restore it from a copy")
    return status.st_size


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    with reading(path), open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# JSON


def plain(value: Any) -> Any:
    """As JSON can hold it: tuples as lists, paths as text, scalars as numbers, NaN and infinity as names."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if getattr(value, "ndim", None) == 0:
        return plain(value.item())
    raise TypeError(f"{type(value).__name__} has no place in JSON; save arrays with write_arrays")


def _restored(value: Any) -> Any:
    """The floats that `plain` had to name."""
    if isinstance(value, str):
        return _NOT_FINITE.get(value, value)
    if isinstance(value, dict):
        return {key: _restored(item) for key, item in value.items()}
    return [_restored(item) for item in value] if isinstance(value, list) else value


def parse_json(text: bytes, where: str) -> dict[str, Any]:
    """The object in a JSON text; `where` names the text in the `UserError` if there is none."""
    try:
        value = _restored(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: is not valid JSON; restore it from a copy") from error
    if not isinstance(value, dict):
        raise UserError(f"{where}: holds no JSON object; restore it from a copy")
    return value


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """An object as it stands in our JSON files."""
    return (json.dumps(plain(content), indent=2, allow_nan=False) + "\n").encode()


def write_json(path: Path | str, content: Mapping[str, Any]) -> None:
    """Replace a JSON file atomically and durably; raises `CannotWrite`."""
    replace_file(Path(path), json_bytes(content))


def read_json(path: Path | str, limit: int = JSON_LIMIT) -> dict[str, Any]:
    """The object in a JSON file of at most `limit` bytes; raises `UserError` if there is none."""
    path = Path(path)
    if regular_size(path) > limit:
        raise UserError(f"{path}: is larger than {limit} bytes, so it is not one of ours; restore it from a copy")
    with reading(path):
        return parse_json(path.read_bytes(), str(path))


def check_format(found: Any, path: Path) -> None:
    """Refuse a format version that is none (`UserError`) or a later one (`NewerFormat`)."""
    if type(found) is not int or found < 1:
        raise UserError(f"{path}: names no format version; restore it from a copy")
    if found > FORMAT:
        raise NewerFormat(f"{path}: has format {found}, and this version reads up to {FORMAT}; update micro-rl")
