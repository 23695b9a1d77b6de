"""Where a table in plain text begins: its heading, which quoted line breaks may spread, and the comments above it."""

import re
from collections.abc import Iterator, Sequence

DELIMITERS = ",;\t|"
MOST_LINES = 100
"""Comments above a heading, and lines of one row; a file with more is no table of ours."""
_CELL_IN_QUOTES = re.compile(rf'(^|[{DELIMITERS}])"(?:[^"]|"")*("?)')


def line_of(head: bytes) -> int:
    """Finds the heading's line, from 0, in a file that begins so: below the lines that begin with #.

    Such a line is the heading itself where it has as many columns as the line below, as NumPy writes them.
    """
    lines = head.split(b"\n", MOST_LINES)
    below = next((number for number, line in enumerate(lines) if not line.startswith(b"#")), 0)
    columns = _columns(lines[below])
    return below - 1 if below and columns and _columns(lines[below - 1]) == columns else below


def begins_table(head: bytes) -> bool:
    """Whether this is text whose heading has several columns."""
    lines = head.split(b"\n", MOST_LINES)
    heading = next(rows([line.decode("latin-1") for line in lines[line_of(head) :][:MOST_LINES]]), (0, ""))[1]
    return is_text(head) and re.search(r"[,;\t|]", heading) is not None


def is_text(head: bytes) -> bool:
    """Whether these first bytes are no other kind of file's."""
    return b"\0" not in head and not head.startswith((b"\x80", b"\x1f"))


def rows(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Joins the lines of each row: a cell in quotation marks may hold line breaks.

    Args:
        lines: without their breaks.

    Yields:
        The number of a row's first line, from 0, and its text; marks that never close hold nothing together.
    """
    start = 0
    while start < len(lines):
        ends = range(start + 1, min(start + MOST_LINES, len(lines)) + 1)
        closed = (end for end in ends if not _is_open("\n".join(lines[start:end])))
        end = start + 1 if '"' not in lines[start] else next(closed, start + 1)
        yield start, "\n".join(lines[start:end])
        start = end


def without_quoted(row: str) -> str:
    """A row whose cells in quotation marks are empty."""
    return _CELL_IN_QUOTES.sub(r"\1", row)


def delimiter_of(row: str) -> str:
    """The sign of those known that a row has most of, between its cells."""
    return max(DELIMITERS, key=without_quoted(row).count)


def _is_open(row: str) -> bool:
    """Whether a cell in quotation marks goes on below."""
    return any(not cell[2] for cell in _CELL_IN_QUOTES.finditer(row))


def _columns(line: bytes) -> int:
    return max(line.count(sign.encode()) for sign in DELIMITERS)
