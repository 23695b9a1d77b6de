"""What the first lines of a CSV tell: its encoding, its heading, a row of units; and where a value went wrong."""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from micro_rl.core.wording import plural
from micro_rl.errors import UserError

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
"""First bytes that tell an encoding."""
EMPTY = frozenset({"", "-", "--", "[-]", "()", "[]", "nan", "na", "n/a", "null", "none", "#n/a"})
UNREAD = "\ufffd"
"""What stands for a letter that cannot be read."""
BELOW = 4
"""So many lines below the heading may hold units and the like."""
FOLLOWING = 20
"""Lines below those that tell which columns hold numbers."""


def marked(head: bytes) -> str | None:
    """Tells the encoding of a text that begins with a mark; None where there is none."""
    return next((encoding for mark, encoding in MARKS if head.startswith(mark)), None)


def as_utf8(head: bytes) -> bytes:
    """Gives the first bytes of a marked UTF-16 text in UTF-8, any others unchanged."""
    if marked(head) != "utf-16":
        return head
    return codecs.getincrementaldecoder("utf-16")("replace").decode(head).encode()


def number(cell: str, decimal: str) -> bool:
    """Whether a cell holds a number."""
    try:
        float(cell.strip().replace(decimal, ".") if decimal != "." else cell)
    except ValueError:
        return False
    return True


def lines_below(path: Path, encoding: str, delimiter: str, above: int) -> Iterator[tuple[int, list[str]]]:
    """Reads a CSV's rows from its heading on, each with its line's number, from 1."""
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        for _ in islice(file, above):
            pass
        reader = csv.reader(file, delimiter=delimiter)
        for row in reader:
            if row:
                yield above + reader.line_num, row


def rows_of_text(rows: Sequence[Sequence[str]], decimal: str) -> int:
    """Counts the rows below a heading that hold no values, as units do: text where the rows below have numbers."""
    below = list(rows[: BELOW + FOLLOWING])
    for count in range(min(BELOW, len(below) - 1), 0, -1):
        values = below[count:]
        places = [
            place
            for place in range(len(values[0]))
            if all(place < len(row) and (number(row[place], decimal) or _empty(row[place])) for row in values)
            and any(number(row[place], decimal) for row in values)
        ]
        texts = [[row[place] for place in places if place < len(row)] for row in below[:count]]
        named = [any(not _empty(cell) for cell in cells) for cells in texts]
        if places and all(named) and not any(number(cell, decimal) for cells in texts for cell in cells):
            return count
    return 0


def _empty(cell: str) -> bool:
    return cell.strip().lower() in EMPTY


def units(row: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Takes the units in a row below the heading, by the columns' names."""
    cells = {name: cell.strip().strip("[]()") for name, cell in zip(names, row, strict=False)}
    return {name: cell for name, cell in cells.items() if not _empty(cell) and len(cell) <= 40}


def explained(path: Path, reason: str, rows: Iterator[tuple[int, list[str]]], names: Sequence[str]) -> str | None:
    """Says in which line and column a value is that Arrow could not read; None where it said something else."""
    if count := re.search(r"Expected (\d+) columns, got (\d+)", reason):
        wrong = next(((line, row) for line, row in rows if len(row) != len(names)), None)
        if wrong is None:
            return None
        return (
            f"line {wrong[0]} has {plural(len(wrong[1]), 'value')} and the heading {count[1]}, as with another "
            "delimiter, text above the heading (skip_rows) or a comma within a number"
        )
    letter = re.search(r"column '(.*)': .*invalid UTF8", reason)
    if letter is not None and letter[1] in names:
        column = names.index(letter[1])
        line = next((line for line, row in rows if column < len(row) and UNREAD in row[column]), None)
        return f"column {letter[1]!r}{f' in line {line}' if line else ''} is not written in UTF-8"
    value = re.search(r"column '(.*)': .*conversion error to (\w+).*: invalid value '(.*?)'$", reason)
    if value is None or value[1] not in names:
        return None
    place, cell = names.index(value[1]), value[3]
    line = next((line for line, row in islice(rows, 1, None) if place < len(row) and row[place] == cell), None)
    kind = {"double": "no number", "bool": "neither 0 nor 1, nor true, false, yes, no", "timestamp": "no such time"}
    shown = cell if len(cell) <= 40 else cell[:40] + "..."
    where = f" in line {line}" if line else ""
    return f"column {value[1]!r} holds {shown!r}{where}, which is {kind.get(value[2], f'no {value[2]}')}"


def refuse_numbers(path: Path, names: Sequence[str], decimal: str) -> None:
    """Refuses a heading of nothing but numbers: there is none."""
    if len(names) > 1 and all(number(name, decimal) or number(name, ",") for name in names):
        first = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise UserError(f"{path}: no heading: its first line is numbers ({first}): add a line with the columns' names")
