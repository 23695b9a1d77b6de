"""What is said about a log beside the file itself: flags, over the TOML of the same name."""

import dataclasses
import math
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.core.expression import Expression, parse
from micro_rl.core.tasks import UNKNOWN, Task, over
from micro_rl.data import recorded
from micro_rl.data.columns import Column, Columns
from micro_rl.data.layout import RawLog
from micro_rl.data.reading import NOTHING_SAID, Reading
from micro_rl.errors import UserError, did_you_mean

LARGEST = 2**20
"""Bytes of a TOML; nobody describes a log at greater length."""

ONLY_IN_TOML = ("termination", "bounds", "units", "missing_values", "task", "provenance")
TABLES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
FOR_ALL_FORMATS = ("horizon", "action_bounds", "observations", "actions")
"""What can be said of arrays too: there the lists give names to the columns."""
KNOWN = {*(field.name for field in dataclasses.fields(Reading)), *ONLY_IN_TOML}
"""Every word of a TOML."""


@dataclass(frozen=True)
class Description:
    """Flags and TOML, merged; `source` is the TOML, where there is one."""

    reading: Reading = NOTHING_SAID
    termination: str | None = None
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    missing_values: tuple[str, ...] = ()
    task: Task = UNKNOWN
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Where the log comes from, for people's eyes."""
    source: Path | None = None


def describe(path: Path, reading: Reading) -> Description:
    """What the TOML beside the log says, where there is one, with `reading` put over it."""
    source = beside(path)
    if source is None:
        return Description(reading)
    said = _checked(source, _table(source))
    own = {name: said.pop(name) for name in ONLY_IN_TOML if name in said}
    given = {name: value for name, value in vars(reading).items() if value not in (None, ())}
    return Description(Reading(**(said | given)), **own, source=source)


def beside(path: Path) -> Path | None:
    """The TOML of a log: NAME.SUFFIX.toml, else NAME.toml, unless that belongs to a table of the same stem."""
    own, shared = path.with_name(path.name + ".toml"), path.with_suffix(".toml")
    if own.is_file():
        return own
    if path.is_dir() or not shared.is_file():
        return None
    tables = [path.with_suffix(suffix) for suffix in TABLES]
    taken = path not in tables and any(table.is_file() for table in tables)
    return None if taken else shared


def apply(path: Path, raw: RawLog, description: Description) -> RawLog:
    """The log with the names, units, bounds, time limit and termination that are said of it."""
    named = _named(path, raw, description)
    low, high = _bounds(description, named) if description.bounds else (raw.action_low, raw.action_high)
    termination = raw.termination
    if description.termination is not None:
        termination = _rule(description, named)
    task = over(raw.task, description.task)
    return raw._replace(columns=named, action_low=low, action_high=high, termination=termination, task=task)


def refuse_for_arrays(path: Path, description: Description) -> None:
    """Refuses what is said about a file of arrays but has a meaning for tables only."""
    odd = [
        name
        for name, value in vars(description.reading).items()
        if value not in (None, ()) and name not in FOR_ALL_FORMATS
    ]
    odd += ["missing_values"] if description.missing_values else []
    if odd:
        raise UserError(f"{path}: {odd[0]} is for CSV and Parquet, and this file is neither: leave it out")


def _table(source: Path) -> dict[str, Any]:
    try:
        if source.stat().st_size > LARGEST:
            raise UserError(f"{source}: is larger than {LARGEST:,} bytes: not a description of a log")
        return tomllib.loads(source.read_bytes().decode())
    except UnicodeDecodeError:
        raise UserError(f"{source}: is not UTF-8: save it so") from None
    except OSError as error:
        raise UserError(f"{source}: cannot be opened ({error.strerror}): check its permissions") from error
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{source}: is no TOML ({reason}): correct it there") from None


def _checked(source: Path, table: dict[str, Any]) -> dict[str, Any]:
    """Every key known, every value of its type."""
    kinds = {one.name: one.type for one in dataclasses.fields(Reading)} | {"termination": str | None}
    known = (*kinds, *ONLY_IN_TOML[1:])
    values = {}
    for key, value in table.items():
        if key not in known:
            raise UserError(
                f"{source}: there is no key {_short(key)}{did_you_mean(key, known)}; known: {', '.join(known)}"
            )
        if key in ("bounds", "units"):
            values[key] = _by_column(source, key, value)
        elif key in ("task", "provenance"):
            values[key] = _apart(source, key, value)
        else:
            values[key] = _value(source, key, value, kinds.get(key, tuple[str, ...]))
    return values


def _value(source: Path, key: str, value: Any, kind: Any) -> Any:
    """One value as the dataclass holds it."""
    choices = [choice for part in typing.get_args(kind) for choice in typing.get_args(part)]
    if kind == tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(value)
        raise UserError(f'{source}: {key} must be a list of names: {key} = ["first", "second"]')
    if kind == (tuple[float, float] | None):
        return _pair(source, key, value)
    if kind == (int | None) and type(value) is int:
        return value
    if kind == (float | None) and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if kind == (str | None) and isinstance(value, str):
        return value
    if choices and isinstance(value, str) and value in choices:
        return value
    wanted = {str(int | None): "a whole number", str(float | None): "a number", str(str | None): "text in quotes"}
    said = f"one of {', '.join(map(str, choices))}" if choices else wanted[str(kind)]
    raise UserError(f"{source}: {key} must be {said}, not {_short(value)}")


def _by_column(source: Path, key: str, table: Any) -> dict[str, Any]:
    """The table [bounds] or [units]: a pair of numbers or a text for each column."""
    if not isinstance(table, dict):
        raise UserError(f"{source}: {key} must be a table: [{key}], then a line for each column")
    if key == "bounds":
        for name in sorted(KNOWN & set(table)):
            if not isinstance(table[name], list):
                raise UserError(f"{source}: {name} stands below [{key}], which is for actions alone: put it above")
        return {name: _pair(source, f"bounds of {_short(name)}", value) for name, value in table.items()}
    for name, unit in table.items():
        if not isinstance(unit, str):
            raise UserError(f"{source}: the unit of {_short(name)} must be text in quotes, not {_short(unit)}")
    return table


def _apart(source: Path, key: str, table: Any) -> Any:
    """The table [task], what `micro_rl.data.recorded` lists of a task, or [provenance], which says what it likes."""
    if not isinstance(table, dict):
        raise UserError(f"{source}: {key} must be a table: [{key}], then a line for each fact")
    if key == "provenance":
        return table
    for name in table:
        if name not in recorded.OF_TASK:
            near = did_you_mean(name, recorded.OF_TASK)
            raise UserError(
                f"{source}: task: there is no key {_short(name)}{near}; known: {', '.join(recorded.OF_TASK)}"
            )
    return recorded.task(source, table)


def _pair(source: Path, key: str, value: Any) -> tuple[float, float]:
    numbers = isinstance(value, list) and len(value) == 2 and all(type(one) in (int, float) for one in value)
    try:
        low, high = map(float, value) if numbers else (math.nan, math.nan)
    except OverflowError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f"{source}: {key} must be two numbers, the lower first, not {_short(value)}")
    return low, high


def _named(path: Path, raw: RawLog, description: Description) -> Columns:
    """Names from the file, else from the lists; units put to them."""
    widths = [raw.arrays[part].shape[1] for part in ("observations", "actions")]
    lists = description.reading.observations, description.reading.actions
    named = raw.columns
    if not named.observations and not named.actions:
        for part, names, width in zip(("observations", "actions"), lists, widths, strict=True):
            if names and (len(names) != width or len(set(names)) < width):
                raise UserError(f"{path}: {part} must name its {width} columns, each by another name, not {len(names)}")
        named = Columns(*(tuple(map(Column, names)) for names in lists))
    named = named.filled(*widths)
    known = [column.name for column in (*named.observations, *named.actions)]
    for name in description.units:
        if name not in known:
            raise UserError(f"{description.source}: units: {_stranger(name, known)}")
    return Columns(
        *(tuple(Column(one.name, description.units.get(one.name, one.unit)) for one in part) for part in named)
    )


def _bounds(description: Description, named: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest of every action."""
    names = [column.name for column in named.actions]
    for name in description.bounds:
        if name not in names:
            raise UserError(f"{description.source}: bounds: {_stranger(name, names)}")
    if lacking := [name for name in names if name not in description.bounds]:
        raise UserError(f"{description.source}: bounds: none for {', '.join(lacking)}: give them for every action")
    pairs = np.array([description.bounds[name] for name in names], np.float64)
    return pairs[:, 0], pairs[:, 1]


def _rule(description: Description, named: Columns) -> Expression:
    """The condition by which episodes end, over the names of the observations."""
    where = f"{description.source}: termination"
    rule = parse(description.termination or "", [column.name for column in named.observations], where)
    if not rule.condition:
        raise UserError(f"{where}: {rule.text!r} is a number: compare it, as in level > 4")
    return rule


def _stranger(name: str, known: list[str]) -> str:
    listed = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    return f"there is no column {_short(name)}{did_you_mean(name, known)}; columns: {listed}"


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:40] + "..."
