"""Markdown tables of what the code says of itself."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import fields
from inspect import getsource
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; a bar within a cell is escaped."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def field_table(kind: type, names: set[str] | None = None) -> str:
    """The fields of a dataclass with their defaults and the sentences that stand below them."""
    meaning = {name: text for base in reversed(kind.__mro__[:-1]) for name, text in sentences(base)}
    chosen = [field for field in fields(kind) if names is None or field.name in names]
    rows = [(f"`{field.name}`", show(field.default), meaning[field.name]) for field in chosen]
    return table(("name", "default", "meaning"), rows)


def sentences(kind: type) -> Iterator[tuple[str, str]]:
    """The names of a class's own fields, each with the string that stands below it."""
    body = ast.parse(dedent(getsource(kind))).body[0].body  # pyright: ignore[reportAttributeAccessIssue]
    for field, below in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            yield ast.unparse(field.target), " ".join(str(below.value.value).split())


def show(value: Any) -> str:
    """A value as the command line takes it."""
    if isinstance(value, tuple):
        return " ".join(map(show, value))
    if value is None or isinstance(value, bool):
        return "" if value is None else "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def file_table(root: Path, paths: Iterable[Path]) -> str:
    """Python files below `root` with the first lines of their docstrings."""
    return table(("file", "what it holds"), [(f"`{path.relative_to(root)}`", first_line(path)) for path in paths])


def first_line(path: Path) -> str:
    """The first line of a module's docstring; empty where it has none."""
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
