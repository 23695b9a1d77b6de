"""Rows of numbers, one JSON object a line: appended durably; a line torn by a crash is left out."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from micro_rl.errors import UserError
from micro_rl.files import append_file, parse_json, plain, reading, regular_size, replace_file

Row = dict[str, float | int]


def numbers(row: Mapping[str, Any]) -> Row:
    """A row as Python numbers; array scalars are fetched, anything that is no number is a `TypeError`."""
    taken = {key: value.item() if getattr(value, "ndim", None) == 0 else value for key, value in row.items()}
    for key, value in taken.items():
        if type(value) not in (int, float):
            raise TypeError(f"{key} is a {type(value).__name__}, not a number")
    return taken


def _row_bytes(row: Mapping[str, Any]) -> bytes:
    return (json.dumps(plain(numbers(row)), allow_nan=False) + "\n").encode()


def _parse_row(line: bytes, where: str) -> Row:
    row = parse_json(line, where)
    for key, value in row.items():
        if type(value) not in (int, float):
            raise UserError(f"{where}: {key} is not a number; delete the line")
    return row


def read_rows(path: Path | str) -> list[Row]:
    """The rows of a JSON-lines file, [] if there is none; a last line torn by a crash is left out."""
    path = Path(path)
    if not path.exists():
        return []
    regular_size(path)
    with reading(path):
        lines = path.read_bytes().split(b"\n")[:-1]
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


def rewind_rows(path: Path | str, epoch: int) -> None:
    """Keep the rows up to an epoch and drop a torn end, so that appending goes on as if never interrupted."""
    path = Path(path)
    if path.exists():
        replace_file(path, b"".join(_row_bytes(row) for row in read_rows(path) if row.get("epoch", 0) <= epoch))
