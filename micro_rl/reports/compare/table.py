"""Tables as every form of output takes them: on the page, in a README."""

from typing import NamedTuple


class Entry(NamedTuple):
    """A figure, and what belongs to it in smaller type."""

    value: str
    note: str = ""


class Table(NamedTuple):
    """`columns` names them all; the first entry of each row names the row."""

    title: str
    caption: str
    columns: list[str]
    rows: list[list[Entry]]


def markdown(table: Table) -> str:
    """As GitHub reads it; nothing in a name or a value can end a cell or become a tag."""
    lines = [" | ".join(map(_plain, table.columns)), "|".join(["---"] * len(table.columns))]
    for row in table.rows:
        lines.append(
            " | ".join(_plain(f"{entry.value} ({entry.note})" if entry.note else entry.value) for entry in row)
        )
    return "\n".join(f"| {line} |" if index != 1 else f"|{line}|" for index, line in enumerate(lines))


def _plain(text: str) -> str:
    """One line, the marks of Markdown and HTML made harmless."""
    text = " ".join(text.split())
    for mark in "\\`*_[]|":
        text = text.replace(mark, "\\" + mark)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
