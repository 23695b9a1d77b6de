"""The TOML beside a log: where it lies, its keys, and every value of its type."""

import dataclasses
import tomllib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError

from micro_rl.data import log_metadata, process_words
from micro_rl.data.read_options import ReadOptions
from micro_rl.errors import UserError, did_you_mean

LARGEST = 2**20
"""Bytes of a TOML; nobody describes a log at greater length."""

TABLES = (".csv", ".tsv", ".txt", ".parquet", ".pq")


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if not pair[0] < pair[1]:
        raise ValueError("the lower must come first")
    return pair


Pair = Annotated[tuple[float, float], AfterValidator(_ordered)]
ONLY_IN_TOML: Mapping[str, Any] = {
    "termination": str,
    "group": str,
    "bounds": dict[str, Pair],
    "units": dict[str, str],
    "missing_values": tuple[str, ...],
    "task": dict[str, Any],
    "provenance": dict[str, Any],
}
KEYS: Mapping[str, Any] = {
    **{field.name: field.type for field in dataclasses.fields(ReadOptions) if field.name != "part"},
    "action_bounds": Pair,
    **process_words.IN_TOML,
    **ONLY_IN_TOML,
}
"""Every key of a TOML, and the type of its value."""
STRICT = ConfigDict(strict=True, allow_inf_nan=False)
_EXPECTED: Mapping[Any, str] = {
    int | None: "a whole number",
    float | None: "a number",
    str | None: "text in quotes",
    str | tuple[str, ...] | None: 'a column, or a list of those of date and time, as in ["Date", "Time"]',
    str: "text in quotes",
    Pair: "two numbers, the lower first",
    tuple[float, float] | None: "two numbers, the lower first",
    tuple[str, ...]: 'a list of names, as in ["first", "second"]',
    **process_words.EXPECTED,
}


def beside(path: Path) -> Path | None:
    """Finds the TOML of a log: NAME.SUFFIX.toml, else NAME.toml, unless that belongs to a table of the same stem."""
    own, shared = path.with_name(path.name + ".toml"), path.with_suffix(".toml")
    if own.is_file():
        return own
    if path.is_dir() or not shared.is_file():
        return None
    tables = [path.with_suffix(suffix) for suffix in TABLES]
    taken = path not in tables and any(table.is_file() for table in tables)
    return None if taken else shared


def text_of(source: Path) -> str:
    """Reads a TOML's text; `UserError` where it is too large, no UTF-8 or cannot be opened."""
    try:
        if source.stat().st_size > LARGEST:
            raise UserError(f"{source}: is larger than {LARGEST:,} bytes: not a description of a log")
        return source.read_bytes().decode()
    except UnicodeDecodeError:
        raise UserError(f"{source}: is not UTF-8: save it so") from None
    except OSError as error:
        raise UserError(f"{source}: cannot be opened ({error.strerror}): check its permissions") from error


def read(source: Path) -> dict[str, Any]:
    """Reads a TOML and checks it.

    Args:
        source: the TOML.

    Returns:
        Its values by key, of the types in `KEYS`, and a `Task` under `task`.

    Raises:
        UserError: it cannot be read, or a key or value is wrong; names the key.
    """
    return checked(source, _table(source))


def _table(source: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text_of(source))
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{source}: is no TOML ({reason}): correct it there") from None


def check_reading(reading: Any) -> None:
    """Refuse what Python gives in the place of `ReadOptions`, and values of another type than its words have.

    Raises:
        UserError: Names the word and what it must be.
    """
    if not isinstance(reading, ReadOptions):
        raise UserError("reading: must be a micro_rl.data.ReadOptions, as in ReadOptions(observations=('level',))")
    for field in dataclasses.fields(ReadOptions):
        value, kind = getattr(reading, field.name), cast(Any, field.type)
        try:
            TypeAdapter(kind, config=STRICT).validate_python(_tuples(value))
        except ValidationError:
            raise UserError(f"reading: {field.name} must be {_expected(kind)}, not {brief(value)}") from None


def checked(source: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    """Checks the words of a description: every key known, every value of its type.

    Args:
        source: what messages begin with.
        table: values by key.

    Returns:
        The values, of the types in `KEYS`, lists as tuples, and a `Task` under `task`.

    Raises:
        UserError: a key or value is wrong; names the key.
    """
    values = {}
    for key, value in table.items():
        if key not in KEYS:
            near = did_you_mean(key, KEYS)
            raise UserError(f"{source}: there is no key {brief(key)}{near}; known: {', '.join(KEYS)}")
        try:
            values[key] = TypeAdapter(KEYS[key], config=STRICT).validate_python(_tuples(value))
        except ValidationError as error:
            raise UserError(f"{source}: {_mismatch(key, value, error.errors()[0]['loc'])}") from None
    if unknown := [name for name in values.get("task", {}) if name not in log_metadata.OF_TASK]:
        near, known = did_you_mean(unknown[0], log_metadata.OF_TASK), ", ".join(log_metadata.OF_TASK)
        raise UserError(f"{source}: task: there is no key {brief(unknown[0])}{near}; known: {known}")
    values |= process_words.entries(values)
    return values | ({"task": log_metadata.task(source, values["task"])} if "task" in values else {})


def _tuples(value: Any) -> Any:
    """TOML's lists as the tuples that `ReadOptions` holds, those of a table's entries too."""
    if isinstance(value, dict):
        return {name: _tuples(entry) for name, entry in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _mismatch(key: str, value: Any, location: Sequence[Any]) -> str:
    """What the value of a key should be; `location` leads to the entry that is wrong."""
    kind = KEYS[key]
    if typing.get_origin(kind) is dict:
        if not isinstance(value, dict):
            return f"{key} must be a table: [{key}], then a line for each entry"
        name, value = location[0], value[location[0]]
        if name in KEYS and not isinstance(value, list):
            return f"{name} stands below [{key}], which is for columns alone: put it above"
        key, kind = f"{key} of {brief(name)}", typing.get_args(kind)[1]
    return f"{key} must be {_expected(kind)}, not {brief(value)}"


def _expected(kind: Any) -> str:
    choices = [choice for part in typing.get_args(kind) for choice in typing.get_args(part)]
    return _EXPECTED.get(kind) or f"one of {', '.join(map(str, choices))}"


def brief(value: Any) -> str:
    """Shows a value in a message, cut where it is long."""
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:40] + "..."
