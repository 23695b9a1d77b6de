"""Bytes on disk: written whole or not at all, and only ordinary files are read.

A save that fails for want of space or permission raises `CannotWrite` and leaves what was there before;
training may go on and try again.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from micro_rl.errors import UserError

LONGEST_LINE = 1 << 16
"""Bytes of a first line that are looked at."""


class CannotWrite(UserError):
    """The disk refused a save; what was saved before is still there."""


def hidden(path: Path, suffix: str) -> Path:
    """Name the place beside a path where its next (`tmp`) or last (`old`) state waits."""
    return path.with_name(f".{path.name}.{suffix}")


def remove(path: Path) -> None:
    """Drop a leftover file or folder; one that cannot be dropped stays."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
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


def put_in_place(temporary: Path, folder: Path) -> None:
    """Rename a finished folder to its name; between the two renames readers find the old one under `.old`."""
    previous = hidden(folder, "old")
    if folder.exists():
        remove(previous)
        os.rename(folder, previous)
    os.rename(temporary, folder)
    sync_folder(folder.parent)
    remove(previous)


def write_file(path: Path, chunks: Iterable[Any]) -> dict[str, Any]:
    """Write bytes-like chunks durably in one pass, and return the file's manifest entry: bytes and SHA-256."""
    digest, size = hashlib.sha256(), 0
    with open(path, "wb") as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": size, "sha256": digest.hexdigest()}


def make_parent(path: Path) -> None:
    """Make the folder in which a file is to be written, and those above it.

    Raises:
        CannotWrite: where the disk refuses.
    """
    with saving(path):
        path.parent.mkdir(parents=True, exist_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Give a file new content: readers, now or after a crash, see the old or the new, never a mixture.

    Raises:
        CannotWrite: where the disk refuses; the old content is still there.
    """
    temporary = hidden(path, "tmp")
    with saving(path, temporary):
        write_file(temporary, [content])
        os.replace(temporary, path)
        sync_folder(path.parent)


def replace_files(contents: Mapping[Path, bytes]) -> None:
    """Give files of one folder new content, all or none: only a kill between their renames can leave a mixture.

    Raises:
        CannotWrite: where the disk refuses; the old content of all is still there.
    """
    temporary = {path: hidden(path, "tmp") for path in contents}
    before = {path: path.read_bytes() if path.is_file() else None for path in contents}
    renamed: list[Path] = []
    try:
        for path, content in contents.items():
            with saving(path):
                write_file(temporary[path], [content])
        for path in contents:
            with saving(path):
                os.replace(temporary[path], path)
            renamed.append(path)
    except BaseException:
        for path in renamed:
            old = before[path]
            remove(path) if old is None else replace_file(path, old)
        for path in temporary.values():
            remove(path)
        raise
    for folder in {path.parent for path in contents}:
        with saving(folder):
            sync_folder(folder)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Let another library write a file; when the block ends it takes the place of `path`.

    Where the block fails, nothing is left and the path is as it was.

    Yields:
        The name, beside the path, to write to.

    Raises:
        CannotWrite: where the disk refuses.
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


def check_own(path: Path, mark: bytes, head: int | None, remedy: str) -> None:
    """Refuse to replace what somebody else wrote.

    Args:
        path: where a file is to be written.
        mark: what stands in each of ours.
        head: the bytes from the beginning in which it stands; None: the first line.
        remedy: who did not write it, and which option names another path.

    Raises:
        UserError: a file without the mark, or no file, is there.
    """
    with reading(path):
        if not path.exists():
            return
        own = False
        if path.is_file():
            with path.open("rb") as file:
                own = mark in (file.readline(LONGEST_LINE) if head is None else file.read(head))
    if not own:
        raise UserError(f"{path}: is there and {remedy}")


def append_file(path: Path, content: bytes) -> None:
    """Append durably; if the disk refuses, the file is cut back to what it was, and `CannotWrite` raised."""
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
    """Measure an ordinary file in bytes; `UserError` for a pipe or a device, which could block or never end."""
    with reading(path):
        status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: is not an ordinary file; restore it from a copy")
    return status.st_size


def sha256(path: Path) -> str:
    """Compute the hexadecimal SHA-256 of a file, read in pieces; `UserError` where it cannot be read."""
    with reading(path), open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
