"""What is said about a log beside the file itself: flags, over the TOML of the same name."""

import dataclasses
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError

from micro_rl.core.expression import Expression, parse
from micro_rl.core.tasks import UNKNOWN, Task, over
from micro_rl.data import log_metadata
from micro_rl.data.columns import Column, Columns
from micro_rl.data.raw_log import RawLog
from micro_rl.data.read_options import NO_OPTIONS, ReadOptions
from micro_rl.errors import UserError, did_you_mean

LARGEST = 2**20
"""Bytes of a TOML; nobody describes a log at greater length."""

TABLES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
FOR_ALL_FORMATS = ("horizon", "action_bounds", "observations", "actions")
"""What can be said of arrays too: there the lists give names to the columns."""


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if not pair[0] < pair[1]:
        raise ValueError("the lower must come first")
    return pair


Pair = Annotated[tuple[float, float], AfterValidator(_ordered)]
ONLY_IN_TOML: Mapping[str, Any] = {
    "termination": str,
    "bounds": dict[str, Pair],
    "units": dict[str, str],
    "missing_values": tuple[str, ...],
    "task": dict[str, Any],
    "provenance": dict[str, Any],
}
KEYS: Mapping[str, Any] = {
    **{field.name: field.type for field in dataclasses.fields(ReadOptions)},
    "action_bounds": Pair,
    **ONLY_IN_TOML,
}
"""Every key of a TOML, and the type of its value."""
STRICT = ConfigDict(strict=True, allow_inf_nan=False)
_EXPECTED: Mapping[Any, str] = {
    int | None: "a whole number",
    float | None: "a number",
    str | None: "text in quotes",
    str: "text in quotes",
    Pair: "two numbers, the lower first",
    tuple[str, ...]: 'a list of names, as in ["first", "second"]',
}


@dataclass(frozen=True)
class Description:
    """Flags and TOML, merged; `source` is the TOML, where there is one."""

    reading: ReadOptions = NO_OPTIONS
    termination: str | None = None
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    missing_values: tuple[str, ...] = ()
    task: Task = UNKNOWN
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Where the log comes from, for people's eyes."""
    source: Path | None = None


def describe(path: Path, reading: ReadOptions) -> Description:
    """Reads the TOML beside a log, where there is one.

    Args:
        path: the log.
        reading: what the flags say; it outranks the TOML.

    Returns:
        Flags and TOML, merged.

    Raises:
        UserError: the TOML cannot be read, or a key or value of it is wrong.
    """
    source = beside(path)
    if source is None:
        return Description(reading)
    values = _checked(source, _table(source))
    own = {name: values.pop(name) for name in ONLY_IN_TOML if name in values}
    flags = {name: value for name, value in vars(reading).items() if value not in (None, ())}
    return Description(ReadOptions(**(values | flags)), **own, source=source)


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
    """Puts the names, units, bounds and termination of a description over those of the file.

    Args:
        path: the log.
        raw: what its reader made of it.
        description: flags and TOML.

    Returns:
        The log so described; the TOML is among its files.

    Raises:
        UserError: the description names columns that the log does not have.
    """
    named = _named(path, raw, description)
    raw = raw._replace(columns=named, task=over(raw.task, description.task))
    if description.bounds:
        low, high = _bounds(description, named)
        raw = raw._replace(action_low=low, action_high=high)
    elif description.reading.action_bounds is not None:
        low, high = description.reading.action_bounds
        raw = raw._replace(action_low=low, action_high=high)
    if description.termination is not None:
        raw = raw._replace(termination=_rule(description, named))
    if description.source is not None:
        raw = raw._replace(files=(*(raw.files or (path,)), description.source))
    return raw


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
    values = {}
    for key, value in table.items():
        if key not in KEYS:
            near = did_you_mean(key, KEYS)
            raise UserError(f"{source}: there is no key {_short(key)}{near}; known: {', '.join(KEYS)}")
        try:
            values[key] = TypeAdapter(KEYS[key], config=STRICT).validate_python(_tuples(value))
        except ValidationError as error:
            raise UserError(f"{source}: {_mismatch(key, value, error.errors()[0]['loc'])}") from None
    if unknown := [name for name in values.get("task", {}) if name not in log_metadata.OF_TASK]:
        near, known = did_you_mean(unknown[0], log_metadata.OF_TASK), ", ".join(log_metadata.OF_TASK)
        raise UserError(f"{source}: task: there is no key {_short(unknown[0])}{near}; known: {known}")
    return values | ({"task": log_metadata.task(source, values["task"])} if "task" in values else {})


def _tuples(value: Any) -> Any:
    """TOML's lists as the tuples that `ReadOptions` holds, those of a table's entries too."""
    if isinstance(value, dict):
        return {name: _tuples(entry) for name, entry in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _mismatch(key: str, value: Any, place: Sequence[Any]) -> str:
    """What the value of a key should be; `place` leads to the entry that is wrong."""
    kind = KEYS[key]
    if typing.get_origin(kind) is dict:
        if not isinstance(value, dict):
            return f"{key} must be a table: [{key}], then a line for each entry"
        name, value = place[0], value[place[0]]
        if name in KEYS and not isinstance(value, list):
            return f"{name} stands below [{key}], which is for columns alone: put it above"
        key, kind = f"{key} of {_short(name)}", typing.get_args(kind)[1]
    choices = [choice for part in typing.get_args(kind) for choice in typing.get_args(part)]
    expected = _EXPECTED.get(kind) or f"one of {', '.join(map(str, choices))}"
    return f"{key} must be {expected}, not {_short(value)}"


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
            raise UserError(f"{description.source}: units: {_unknown_column(name, known)}")
    return Columns(*(tuple(c._replace(unit=description.units.get(c.name, c.unit)) for c in part) for part in named))


def _bounds(description: Description, named: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest of every action."""
    names = [column.name for column in named.actions]
    for name in description.bounds:
        if name not in names:
            raise UserError(f"{description.source}: bounds: {_unknown_column(name, names)}")
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


def _unknown_column(name: str, known: list[str]) -> str:
    listed = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    return f"there is no column {_short(name)}{did_you_mean(name, known)}; columns: {listed}"


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:40] + "..."
