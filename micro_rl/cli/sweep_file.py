"""A sweep that a TOML says: its keys as the words of the command line, logs first."""

import tomllib
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

from micro_rl.errors import UserError

EXAMPLE = 'logs = ["pump.csv", "tank.csv"]'


def with_file(arguments: list[str]) -> list[str]:
    """The words of `micro-rl sweep FILE.toml ...`, the file's before the others, which outrank them.

    Raises:
        UserError: it is no TOML, names no logs, holds what no word can, or does not stand first and alone.
    """
    _refuse_beside(arguments)
    if not arguments or not arguments[0].endswith(".toml"):
        return arguments
    path = Path(arguments[0])
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be opened ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path}: is no TOML ({' '.join(str(error).split())[:160]})") from None
    logs, grid = table.pop("logs", None), table.pop("grid", {})
    if not isinstance(logs, list) or not logs or not all(isinstance(log, str) for log in logs):
        raise UserError(f"{path}: logs is missing: name them, as in {EXAMPLE}")
    if not isinstance(grid, dict):
        raise UserError(f"{path}: grid must be a table: [grid], then a line for each setting")
    words = [word for name, value in table.items() for word in _option(path, name, value)]
    axes = [f"{name}={','.join(_text(path, name, value) for value in _list(path, name, grid))}" for name in grid]
    return [*logs, *words, *(["--grid", *axes] if axes else []), *arguments[1:]]


def _refuse_beside(arguments: list[str]) -> None:
    """Refuse logs beside a sweep file, which names them, and a sweep file behind options."""
    front = list(takewhile(lambda word: not word.startswith("-"), arguments))
    file = next((word for word in front if word.endswith(".toml")), None)
    if file is not None and len(front) > 1:
        others = ", ".join(repr(word) for word in front if word != file) or repr(file)
        raise UserError(
            f"{file}: a sweep file names all logs itself and stands alone: write {others} into the logs of one file, "
            "then micro-rl sweep FILE.toml"
        )
    for before, word in pairwise(arguments[len(front) :]):
        if word.endswith(".toml") and not before.startswith("-"):
            raise UserError(f"{word}: a sweep file comes before all options: micro-rl sweep {word} OPTIONS")


def _list(path: Path, name: str, grid: dict[str, Any]) -> list[Any]:
    values = grid[name]
    if not isinstance(values, list) or not values:
        raise UserError(f"{path}: grid: {name} must be a list of values, as in {name} = [1, 2]")
    return values


def _option(path: Path, name: str, value: Any) -> list[str]:
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [option if value else f"--no-{option[2:]}"]
    return [option, *(_text(path, name, part) for part in (value if isinstance(value, list) else [value]))]


def _text(path: Path, name: str, value: Any) -> str:
    """A value as it is typed; of several numbers, as widths, they stand side by side."""
    if isinstance(value, list):
        return " ".join(_text(path, name, part) for part in value)
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise UserError(f"{path}: {name}: {value!r:.40} cannot be typed; give numbers, texts or lists of them")
    return str(value)
