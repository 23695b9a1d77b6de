"""What the columns of a log are called, their units and ranges, for people's eyes and for formulas over them."""

import math
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np

from micro_rl.core.shapes import Shaped
from micro_rl.errors import UserError, did_you_mean

FEW = 5
"""So many columns are each called by its name; of more their numbers are told, and the first names."""
LONGEST = 60
"""Characters of a name in a list."""


class Column(NamedTuple):
    """One quantity: its name in the log and its unit, empty where it is not known.

    `low` and `high` are its least and greatest value in a log, raw units, where somebody has measured them.
    """

    name: str
    unit: str = ""
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        in_name = f"[{self.unit}]" in self.name or f"({self.unit})" in self.name
        return f"{self.name} [{self.unit}]" if self.unit and not in_name else self.name


class Columns(NamedTuple):
    """The quantities of a log, in the order of its arrays."""

    observations: tuple[Column, ...] = ()
    actions: tuple[Column, ...] = ()

    def filled(self, observations: int, actions: int) -> "Columns":
        """Fills in o0, o1, ... and a0, a1, ... for columns that the file does not name."""
        return Columns(_filled(self.observations, "o", observations), _filled(self.actions, "a", actions))

    def measured(
        self, observations: Shaped[np.ndarray, "row obs"], actions: Shaped[np.ndarray, "other act"]
    ) -> "Columns":
        """Gives the same with the least and the greatest value of each in these rows, raw units."""
        return Columns(_measured(self.observations, observations), _measured(self.actions, actions))

    def unlike(self, others: "Columns") -> str:
        """Tells how they differ from others: in number or order of names, or in a unit that both know; else nothing."""
        for part, own, other in zip(self._fields, self, others, strict=True):
            names, theirs = ([column.name for column in columns] for columns in (own, other))
            if names != theirs:
                return f"{part} {listed(names)}; not {listed(theirs)}"
            for one, another in zip(own, other, strict=True):
                if one.unit and another.unit and one.unit != another.unit:
                    return f"{in_one_line(one.name)} in {one.unit}; not in {another.unit}"
        return ""

    def as_json(self) -> dict[str, Any]:
        """Gives what JSON can hold of it; `of_json` reads it back."""
        return {part: [column._asdict() for column in columns] for part, columns in self._asdict().items()}

    @classmethod
    def of_json(cls, declared: Any) -> "Columns":
        """Reads what `as_json` gave; `ValueError` where it is something else."""
        if not isinstance(declared, dict) or set(declared) != set(cls._fields):
            raise ValueError("its columns are no observations and actions")
        return cls(*(_read(part, declared[part]) for part in cls._fields))


UNNAMED = Columns()


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def in_one_line(name: str) -> str:
    """Puts a name in one line: line breaks, tabs and other control signs become a space."""
    return " ".join(filter(None, map(str.strip, _CONTROL.split(name)))) if _CONTROL.search(name) else name


def _filled(named: Sequence[Column], prefix: str, width: int) -> tuple[Column, ...]:
    return tuple(named) or tuple(Column(f"{prefix}{number}") for number in range(width))


def _measured(columns: Sequence[Column], values: np.ndarray) -> tuple[Column, ...]:
    limits = zip(columns, values.min(0), values.max(0), strict=True)
    return tuple(column._replace(low=float(str(low)), high=float(str(high))) for column, low, high in limits)


def _read(part: str, entries: Any) -> tuple[Column, ...]:
    if not isinstance(entries, list) or not all(map(_is_column, entries)):
        raise ValueError(f"its {part} are no columns with name, unit, low and high")
    return tuple(Column(**entry) for entry in entries)


def _is_column(entry: Any) -> bool:
    """Whether it is a column's JSON: two texts, and two numbers in order or neither."""
    if not isinstance(entry, Mapping) or set(entry) != set(Column._fields):
        return False
    low, high = entry["low"], entry["high"]
    texts = isinstance(entry["name"], str) and isinstance(entry["unit"], str)
    return texts and ((low is None and high is None) or _is_range(low, high))


def _is_range(low: Any, high: Any) -> bool:
    return type(low) is float and type(high) is float and -math.inf < low <= high < math.inf


def distinct(names: Sequence[str]) -> list[str]:
    """Gives every column a name of its own: of two that are called "a0" the later one is "a0_2"."""
    taken: set[str] = set()
    chosen = []
    for name in names:
        own, again = name, 1
        while own in taken or (again > 1 and own in names):
            again += 1
            own = f"{name}_{again}"
        taken.add(own)
        chosen.append(own)
    return chosen


def title(what: str, number: int, column: Column) -> str:
    """Calls a column as its log does, "observation 3 (level [m])"; by its number where the log gives no name.

    Args:
        what: "observation", "next observation" or "action".
        number: its number among them.
        column: its name and unit.
    """
    return f"{what} {number}" if column.name in (f"o{number}", f"a{number}") else f"{what} {number} ({column})"


def titles(what: str, numbers: Sequence[int], columns: Sequence[Column]) -> str:
    """Calls several columns so, "observations 3 (level [m]), 5"; of many "observations 27 to 51 (level [m], ...)".

    Args:
        what: "observation", "next observation" or "action".
        numbers: their numbers.
        columns: names and units of all columns.
    """
    called = [title(what, number, columns[number]).removeprefix(f"{what} ") for number in numbers]
    names = [f"{columns[number]}" for number, name in zip(numbers, called, strict=True) if name != f"{number}"]
    if len(numbers) <= FEW and names:
        return f"{what}{'s' if len(called) > 1 else ''} {listed(called)}"
    some = f" ({', '.join(names[:FEW])}{', ...' * (len(names) > FEW)})" if names else ""
    return f"{what}{'s' if len(called) > 1 else ''} {listed(_stretches(numbers))}{some}"


def _stretches(numbers: Sequence[int]) -> list[str]:
    """Numbers in order, three or more side by side by their ends: '3', '27 to 51'."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return [text for part in parts for text in ([f"{part[0]} to {part[-1]}"] if len(part) > 2 else map(str, part))]


def listed(names: Sequence[str]) -> str:
    """Lists the first names of many, each in one line and cut where it is long."""
    return ", ".join(map(_brief, names[:20])) + (", ..." if len(names) > 20 else "")


def _brief(name: str) -> str:
    line = in_one_line(name)
    return line if len(line) <= LONGEST else line[:LONGEST] + "..."


def no_column(name: str, names: Sequence[str]) -> str:
    """Says that there is no such column, which one may be meant, and which there are."""
    shown = repr(name)
    shown = shown if len(shown) <= 40 else shown[:40] + "..."
    return f"there is no column {shown}{did_you_mean(name, names)}; columns: {listed(names)}"


def matching(source: str, part: str, wanted: Sequence[str], names: tuple[str, ...]) -> tuple[str, ...]:
    """Lists the wanted columns, patterns replaced by what they match in the file's order.

    Args:
        source: what messages begin with.
        part: the word that the columns belong to, for messages.
        wanted: names, and patterns in which * stands for any letters.
        names: the columns that there are.

    Returns:
        The names.

    Raises:
        UserError: there is no such column, or one is named twice.
    """
    chosen: list[str] = []
    for entry in wanted:
        if entry in names or "*" not in entry:
            known(source, part, entry, names)
            chosen.append(entry)
            continue
        # Only the star is special: names hold brackets, around units for one.
        escaped = entry.replace("[", "[[]").replace("?", "[?]")
        matches = [name for name in names if fnmatchcase(name, escaped)]
        if not matches:
            raise UserError(f"{source}: {part}: no column matches {entry!r}; columns: {listed(names)}")
        chosen += [name for name in matches if name not in chosen]
    if twice := [name for name in chosen if chosen.count(name) > 1]:
        raise UserError(f"{source}: {part}: {twice[0]!r} is named twice: leave one out")
    return tuple(chosen)


def known(source: str, part: str, name: str, names: tuple[str, ...]) -> None:
    """Refuses a name that no column has."""
    if name not in names:
        raise UserError(f"{source}: {part}: {no_column(name, names)}")
