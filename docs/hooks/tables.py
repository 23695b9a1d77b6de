"""Markdown tables of what the code says of itself."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from micro_rl.core.setting import Entry, reference

KINDS: dict[Any, str] = {int: "whole number", float: "number", bool: "yes or no", str: "text"}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; a bar within a cell is escaped."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def field_table(kind: type, names: set[str] | None = None) -> str:
    """The fields of a dataclass with defaults, meanings and, where they are told, what they may be and their source."""
    entries = [entry for entry in reference(kind) if names is None or entry.name in names]
    head = ["name", "default", "values", "meaning", "source"]
    rows = [[f"`{e.name}`", unbroken(show(e.default)), values(e), " ".join(e.help.split()), e.source] for e in entries]
    if not any(entry.source for entry in entries):
        head, rows = head[:-1], [row[:-1] for row in rows]
    return table(head, rows)


def values(entry: Entry) -> str:
    """What an entry may be, in words: its kind, its bounds and its unit."""
    kind, end = entry.kind, f" ({entry.unit})" if entry.unit else ""
    if get_origin(kind) in (Union, UnionType):
        kind, end = get_args(kind)[0], end + ", or none"
    several = "each a " if get_origin(kind) is tuple and str not in get_args(kind) else ""
    part = get_args(kind)[0] if get_origin(kind) is tuple else kind
    if get_origin(part) is Literal:
        return ", ".join(get_args(part)[:-1]) + f" or {get_args(part)[-1]}" + end
    if part is int:
        text = entry.bounds.removeprefix("a ").replace("in [", "whole number in [") or KINDS[int]
    else:
        text = f"positive number{entry.bounds[8:]}" if entry.bounds.startswith("positive") else KINDS[part]
        text += f", {entry.bounds}" if entry.bounds and "positive" not in entry.bounds else ""
    return several + text + ("s" if part is str and kind is not str else "") + end


def show(value: Any) -> str:
    """A value as the command line takes it."""
    if isinstance(value, tuple):
        return " ".join(map(show, value))
    if value is None or isinstance(value, bool):
        return "" if value is None else "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def unbroken(text: str) -> str:
    """A cell whose numbers, as 5e-05, do not break at their hyphens."""
    return re.sub(r"\S*e-\S+", r'<span class="number">\g<0></span>', text) if re.search(r"\de-\d", text) else text


def file_table(root: Path, paths: Iterable[Path]) -> str:
    """Python files below `root` with the first lines of their docstrings."""
    return table(("file", "what it holds"), [(f"`{path.relative_to(root)}`", first_line(path)) for path in paths])


def first_line(path: Path) -> str:
    """The first line of a module's docstring; empty where it has none."""
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
