"""Rows of numbers, one JSON object a line: appended durably; a line torn by a crash is left out."""

import os
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from micro_rl.errors import UserError
from micro_rl.storage.files import append_file, reading, regular_size, replace_file, saving
from micro_rl.storage.json_files import JSON_LIMIT, json_line, parse_json

Row = dict[str, float | int]


def numbers(row: Mapping[str, Any]) -> Row:
    """Convert a row to Python numbers: array scalars are fetched; `TypeError` for anything that is no number."""
    row = {key: value.item() if getattr(value, "ndim", None) == 0 else value for key, value in row.items()}
    for key, value in row.items():
        if type(value) not in (int, float):
            raise TypeError(f"{key} is a {type(value).__name__}, not a number")
    return row


def _row_bytes(row: Mapping[str, Any]) -> bytes:
    return json_line(numbers(row))


def _parse_row(line: bytes, source: str) -> Row:
    row = parse_json(line, source)
    for key, value in row.items():
        if type(value) not in (int, float):
            raise UserError(f"{source}: {key} is not a number; delete the line")
    return row


def whole_lines(path: Path) -> list[bytes]:
    """Read a file's lines, [] if there is no file; a last one torn by a crash is left out.

    Raises:
        UserError: where the file is none of ours, or cannot be read.
    """
    if not path.exists():
        return []
    if regular_size(path) > JSON_LIMIT:
        raise UserError(f"{path}: is larger than {JSON_LIMIT} bytes, so it is not one of ours; restore it from a copy")
    with reading(path):
        return path.read_bytes().split(b"\n")[:-1]


def digests_by_line(path: Path) -> list[str]:
    """Compute the SHA-256 that a file had after each of its whole lines; raises as `whole_lines`."""
    digest, digests = sha256(), list[str]()
    for line in whole_lines(path):
        digest.update(line + b"\n")
        digests.append(digest.hexdigest())
    return digests


def read_rows(path: Path | str) -> list[Row]:
    """Read the rows of a JSON-lines file, [] if there is no file; a last line torn by a crash is left out.

    Raises:
        UserError: naming the line that is no row of numbers.
    """
    path, lines = Path(path), whole_lines(Path(path))
    rows: list[Row] = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(_parse_row(line, f"{path}, line {number}"))
        except UserError:
            if number < len(lines):
                raise
    return rows


def append_row(path: Path | str, row: Mapping[str, Any]) -> None:
    """Append a row of numbers durably; raises `CannotWrite`."""
    append_file(Path(path), _row_bytes(row))


def append_line(path: Path, line: bytes) -> None:
    """Append a whole line durably; a crash that tore the one before cost that alone; raises `CannotWrite`."""
    append_file(path, line if _ends_a_line(path) else b"\n" + line)


def _ends_a_line(path: Path) -> bool:
    """Whether what is appended to a file begins a line."""
    with saving(path):
        if not path.exists() or path.stat().st_size == 0:
            return True
        with open(path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


class RowFile:
    """A file of rows; those that the disk refuses wait for the next.

    Args:
        path: of the file.
        wrote: receives each row that stands there.
    """

    def __init__(self, path: Path, wrote: Callable[[Row], None] = lambda row: None):
        self._path, self._wrote = path, wrote
        self.waiting: list[Row] = []

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row, after those that wait; raises `CannotWrite`, and then it waits too."""
        self.waiting.append(numbers(row))
        self.write_waiting()

    def write_waiting(self) -> None:
        """Try again to write those that wait; raises `CannotWrite`."""
        while self.waiting:
            append_row(self._path, self.waiting[0])
            self._wrote(self.waiting.pop(0))


def rewind_rows(path: Path | str, epoch: int, unwritten: Iterable[Row] = ()) -> None:
    """Drop the rows after an epoch and a torn end, so that appending goes on as if never interrupted.

    Args:
        path: of the file of rows.
        epoch: the last whose row stays.
        unwritten: rows up to that epoch which the disk refused; they are added unless they stand there.

    Raises:
        CannotWrite: where the disk refuses.
        UserError: where a line is no row.
    """
    path = Path(path)
    rows = [row for row in read_rows(path) if row.get("epoch", 0) <= epoch]
    present = {row.get("epoch") for row in rows}
    rows += [row for row in unwritten if row.get("epoch") not in present]
    if path.exists() or rows:
        replace_file(path, b"".join(_row_bytes(row) for row in rows))
