"""Where a table in plain text begins: its heading, and the comments that stand above it."""

import re

DELIMITERS = ",;\t|"
MOST_LINES = 100
"""Comments above a heading; a file with more is no table of ours."""


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
    return is_text(head) and re.search(rb"[,;\t|]", lines[line_of(head)]) is not None


def is_text(head: bytes) -> bool:
    """Whether these first bytes are no other kind of file's."""
    return b"\0" not in head and not head.startswith((b"\x80", b"\x1f"))


def _columns(line: bytes) -> int:
    return max(line.count(sign.encode()) for sign in DELIMITERS)
