"""The first rows of a table as texts, and how it is written: encoding, delimiter, where the names stand."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from micro_rl.core.columns import in_one_line
from micro_rl.data.likeness import likeness
from micro_rl.data.readers import csv_text
from micro_rl.data.readers.heading import DELIMITERS, delimiter_of, line_of, rows, without_quoted
from micro_rl.errors import UserError, require_extra

BYTES = 8 * 2**20
ROWS = 20_000
PARQUET = b"PAR1"


class Sample(NamedTuple):
    """Columns of texts by name, in the file's order; what need not be said of a CSV is None."""

    names: tuple[str, ...]
    columns: tuple[list[str], ...]
    whole: bool
    """Whether these are all rows."""
    encoding: str | None = None
    delimiter: str | None = None
    skip_rows: int | None = None
    """Lines above the heading, such as a title."""
    units: Mapping[str, str] = MappingProxyType({})
    """Units in a row below the heading, by column."""
    is_csv: bool = True


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
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not whole:
        lines.pop()  # it may be cut
    above = line_of(csv_text.as_utf8(head))
    try:
        return _of_lines(path, lines[above:], above, encoding, whole)
    except csv.Error as error:
        raise UserError(f"{path}: is no CSV ({error}): save it as one, or correct its quotation marks") from error


def _decoded(path: Path, head: bytes) -> tuple[str | None, str]:
    """The encoding, where it must be said, and the text; a mark says it already."""
    marked = csv_text.marked(head)
    if b"\0" in head and marked != "utf-16":
        like = f" (it looks like {kind})" if (kind := likeness(head[:8192])) else ""
        raise UserError(f"{path}: is no text and no Parquet file{like}: data init describes tables")
    if marked:
        return None, head.decode(marked, errors="ignore")
    for encoding in ("utf-8", "cp1252", "latin-1"):
        try:
            text = head[: head.rfind(b"\n") + 1 or None].decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if encoding == "utf-8" else encoding, text
    raise UserError(f"{path}: cannot be read as text: save it as UTF-8")


def _of_lines(path: Path, lines: list[str], above: int, encoding: str | None, whole: bool) -> Sample:
    title = _lines_of_title(lines)
    lines = lines[title:]
    filled = [line for line in lines if line.strip()]
    if len(filled) < 2:
        raise UserError(f"{path}: holds no line of names with rows below it: write the log again")
    delimiter = _delimiter(filled[:50])
    table = [row for row in csv.reader((f"{line}\n" for line in lines[: ROWS + 1]), delimiter=delimiter) if _holds(row)]
    names = tuple(map(in_one_line, table[0]))
    if len(names) < 2:
        raise UserError(f"{path}: its first line names one column only: what stands between its columns?")
    if len(table) < 2:
        raise UserError(f"{path}: all its lines are one row: correct its quotation marks")
    below = [[*row, *[""] * (len(names) - len(row))][: len(names)] for row in table[1:]]
    texts = csv_text.rows_of_text(below, _decimal(below))
    usual = delimiter_of(next(row for _, row in rows(lines) if row.strip()))
    return Sample(
        names,
        tuple(map(list, zip(*below[texts:], strict=True))),
        whole and not any(line.strip() for line in lines[ROWS + 1 :]),
        encoding=encoding,
        delimiter=None if delimiter == usual else delimiter,
        skip_rows=above + title if title else None,
        units=csv_text.units(below[0], names) if texts else {},
    )


def _holds(row: list[str]) -> bool:
    """Whether it is more than an empty line."""
    return len(row) > 1 or bool("".join(row).strip())


def _lines_of_title(lines: list[str]) -> int:
    """Lines above the heading: the first that is as wide as the rows and has no numbers, else half as wide."""
    columns = [(line, row, max(map(without_quoted(row).count, DELIMITERS))) for line, row in rows(lines[:50])]
    usual = max((count for *_, count in columns[len(columns) // 2 :]), default=0)
    line, row = next(((line, row) for line, row, count in columns if count == usual), (0, ""))
    if usual and _is_text(row):
        return line
    return next((line for line, _, count in columns if count and count >= usual / 2), 0)


def _is_text(row: str) -> bool:
    """Whether no cell of a row is a number."""
    cells = next(csv.reader([row.replace("\n", " ")], delimiter=delimiter_of(row)), [])
    return not any(csv_text.number(cell, ",") for cell in cells)


def _decimal(rows: list[list[str]]) -> str:
    """The decimal sign of the first rows."""
    cells = [cell.strip() for row in rows[:50] for cell in row]
    comma = sum(bool(re.fullmatch(r"[+-]?\d+,\d+", cell)) for cell in cells)
    point = sum(bool(re.fullmatch(r"[+-]?\d+\.\d+", cell)) for cell in cells)
    return "," if comma > point else "."


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
        names, total = tuple(map(in_one_line, file.schema_arrow.names)), file.metadata.num_rows
    except Exception as error:
        raise UserError(f"{path}: cannot be read as Parquet: fetch or write it again") from error
    if batch is None:
        raise UserError(f"{path}: holds no rows: write the log again")
    cells = [["" if cell is None else str(cell) for cell in column.to_pylist()] for column in batch.columns]
    return Sample(names, tuple(cells), total <= ROWS, is_csv=False)
