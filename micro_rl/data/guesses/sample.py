"""The first rows of a table as texts, and how it is written: encoding, delimiter, where the names stand."""

import csv
from pathlib import Path
from typing import NamedTuple

from micro_rl.data.readers.heading import DELIMITERS, line_of
from micro_rl.errors import UserError, require_extra

BYTES = 8 * 2**20
ROWS = 20_000
MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8"))
PARQUET = b"PAR1"


class Sample(NamedTuple):
    """Columns of texts by name, in the file's order; `encoding` and `delimiter` are None where none need be said."""

    names: tuple[str, ...]
    columns: tuple[list[str], ...]
    encoding: str | None
    delimiter: str | None
    whole: bool
    """Whether these are all rows."""


def take(path: Path) -> Sample:
    """Reads the first rows of a table.

    Args:
        path: a CSV or a Parquet file.

    Returns:
        The rows.

    Raises:
        UserError: it cannot be opened, or is no table.
    """
    try:
        with path.open("rb") as file:
            head = file.read(BYTES)
            whole = not file.read(1)
    except OSError as error:
        raise UserError(f"{path}: cannot be opened ({error.strerror}): check its name and permissions") from error
    if head.startswith(PARQUET):
        return _of_parquet(path)
    encoding, text = _decoded(path, head)
    lines = text.split("\n")
    if not whole:
        lines.pop()  # it may be cut
    lines = lines[line_of(head) if encoding != "utf-16" else 0 :]
    return _of_lines(path, [line.rstrip("\r") for line in lines if line.strip()], encoding, whole)


def _decoded(path: Path, head: bytes) -> tuple[str | None, str]:
    marked = next((encoding for mark, encoding in MARKS if head.startswith(mark)), None)
    if b"\0" in head and marked != "utf-16":
        raise UserError(f"{path}: is no text and no Parquet file: data init describes tables")
    if marked == "utf-16":
        return marked, head.decode(marked, errors="ignore")
    for encoding in (marked, "utf-8-sig", "cp1252", "latin-1"):
        try:
            text = head[: head.rfind(b"\n") + 1 or None].decode(encoding or "utf-8-sig")
        except UnicodeDecodeError:
            continue
        plain = encoding in (None, "utf-8", "utf-8-sig")
        return None if plain else encoding, text.removeprefix("\ufeff")
    raise UserError(f"{path}: cannot be read as text: save it as UTF-8")


def _of_lines(path: Path, lines: list[str], encoding: str | None, whole: bool) -> Sample:
    if len(lines) < 2:
        raise UserError(f"{path}: holds no line of names with rows below it: write the log again")
    delimiter = _delimiter(lines[:50])
    rows = list(csv.reader(lines[: ROWS + 1], delimiter=delimiter))
    names = tuple(rows[0])
    if len(names) < 2:
        raise UserError(f"{path}: its first line names one column only: what stands between its columns?")
    short = [[*row, *[""] * (len(names) - len(row))][: len(names)] for row in rows[1:]]
    usual = max(DELIMITERS, key=lines[0].count)
    said = None if delimiter == usual else delimiter
    return Sample(names, tuple(map(list, zip(*short, strict=True))), encoding, said, whole and len(lines) <= ROWS + 1)


def _delimiter(lines: list[str]) -> str:
    """The sign that stands equally often in every line; decimal commas never do where another sign does."""
    counts = {sign: [len(row) - 1 for row in csv.reader(lines, delimiter=sign)] for sign in ";\t|,"}
    even = [sign for sign, count in counts.items() if count[0] and all(number == count[0] for number in count)]
    return even[0] if even else max(counts, key=lambda sign: counts[sign][0])


def _of_parquet(path: Path) -> Sample:
    require_extra("pyarrow", "tables", "reading CSV and Parquet files")
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path, pre_buffer=False)
        batch = next(file.iter_batches(ROWS), None)
        names, total = tuple(file.schema_arrow.names), file.metadata.num_rows
    except Exception as error:
        raise UserError(f"{path}: cannot be read as Parquet: fetch or write it again") from error
    if batch is None:
        raise UserError(f"{path}: holds no rows: write the log again")
    cells = [["" if cell is None else str(cell) for cell in column.to_pylist()] for column in batch.columns]
    return Sample(names, tuple(cells), None, None, total <= ROWS)
