"""What a controller may and may not do: every setting in one place, from Python or from a TOML file."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Real
from pathlib import Path
from typing import Any, Literal, get_args

from micro_rl.core.columns import Column
from micro_rl.core.toml_text import lines
from micro_rl.errors import UserError, did_you_mean

Fallback = Literal["hold", "fixed", "policy", "function"]
FALLBACKS: tuple[str, ...] = get_args(Fallback)
LARGEST = 2**20
"""Bytes of a TOML."""
Pair = tuple[float, float]


@dataclass(frozen=True)
class ControlSettings:
    """How a controller treats what comes in, what goes out, and what to do in trouble.

    Tables are by the columns' names, in raw units; a column that a table leaves out has no such bound.
    """

    hold_missing: int = 3
    """Steps for which a value that is missing, or no measurement, is held; then the controller falls back."""
    range_margin: float = 1.0
    """Widths of a column's range in the log by which a value may lie outside before it counts as no measurement."""
    ranges: Mapping[str, Pair] = field(default_factory=dict)
    """What an observation can be: outside it counts as missing. Stands in the place of the log's range and margin."""
    clamp: Mapping[str, Pair] = field(default_factory=dict)
    """Lowest and highest of an action that the policy may ask for; the fallback is not held to it."""
    limits: Mapping[str, Pair] = field(default_factory=dict)
    """Lowest and highest of an action, whoever asks; by default the policy's own bounds."""
    rate: Mapping[str, float] = field(default_factory=dict)
    """How far an action may move in a step, whoever asks; counted from the action that was applied last, where one is
    known."""
    alarm_after: int = 3
    """Steps above the guard's limit, out of the last `alarm_window`, that make an alarm."""
    alarm_window: int = 5
    """See `alarm_after`."""
    healthy_after: int = 10
    """Healthy steps in a row, complete and below the limit, after which the policy acts again."""
    shadow: bool = False
    """Advise and record, and leave the action as it is."""
    fallback: Fallback = "hold"
    """What acts in trouble: hold the last action, a fixed one, another policy's file, a function (from Python only)."""
    fixed_action: Mapping[str, float] = field(default_factory=dict)
    """The action of the fallback `fixed`."""
    fallback_policy: str = ""
    """The file of the fallback `policy`, as the cloned behaviour of `micro-rl train LOG --method bc`."""

    def __post_init__(self) -> None:
        """Raises `UserError` for a value that a setting cannot have."""
        for name, check in _CHECKS.items():
            object.__setattr__(self, name, check(name, getattr(self, name)))
        if self.alarm_after > self.alarm_window:
            raise UserError(f"alarm_after: {self.alarm_after} steps do not fit into alarm_window {self.alarm_window}")
        for name, kind in (("fixed_action", "fixed"), ("fallback_policy", "policy")):
            if getattr(self, name) and self.fallback != kind:
                raise UserError(f"{name}: the fallback is {self.fallback!r}; say fallback = {kind!r}, or leave it out")
        if self.fallback == "fixed" and not self.fixed_action:
            raise UserError("fixed_action: the fallback 'fixed' needs a value for every action")
        if self.fallback == "policy" and not self.fallback_policy:
            raise UserError("fallback_policy: the fallback 'policy' needs the file of one")

    @classmethod
    def from_toml(cls, path: str | Path) -> ControlSettings:
        """Read a TOML file; what it leaves out has its default.

        Raises:
            UserError: naming the file and the key.
        """
        path = Path(path)
        try:
            if path.stat().st_size > LARGEST:
                raise UserError(f"{path}: is larger than {LARGEST:,} bytes: no settings of a controller")
            table = tomllib.loads(path.read_bytes().decode())
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}: is no TOML ({' '.join(str(error).split())[:160]}): correct it there") from None
        known = [setting.name for setting in fields(cls)]
        if unknown := [name for name in table if name not in known]:
            near = did_you_mean(unknown[0], known)
            raise UserError(f"{path}: there is no setting {unknown[0]!r:.40}{near}; known: {', '.join(known)}")
        try:
            return cls(**{name: _CHECKS[name](name, value) for name, value in table.items()})
        except UserError as error:
            raise UserError(f"{path}: {error}") from None

    def as_toml(self) -> str:
        """Write all of them as TOML; `from_toml` reads the same back."""
        values = [(setting.name, getattr(self, setting.name)) for setting in fields(self)]
        plain = lines((name, value) for name, value in values if not isinstance(value, dict))
        tables = [
            ["", f"[{name}]", *lines(value.items())] for name, value in values if isinstance(value, dict) and value
        ]
        return "\n".join([*plain, *(line for table in tables for line in table), ""])


def by_column(source: str, table: Mapping[str, Any], columns: tuple[Column, ...]) -> dict[int, Any]:
    """Put a table of settings into the columns' numbers.

    Args:
        source: the setting, for messages.
        table: by name, or name with unit.
        columns: what there is.

    Raises:
        UserError: there is no such column, or one is given twice.
    """
    places: dict[str, int] = {}
    for number, column in enumerate(columns):
        places.setdefault(column.name, number)
        places.setdefault(str(column), number)
    spelled: dict[int, str] = {}
    for name in table:
        if name not in places:
            known = ", ".join(column.name for column in columns[:20])
            raise UserError(f"{source}: there is no column {name!r:.40}{did_you_mean(name, places)}; columns: {known}")
        if (other := spelled.setdefault(places[name], name)) != name:
            raise UserError(f"{source}: {other!r:.40} is given twice, as {name!r:.40} too; leave one of them out")
    return {places[name]: value for name, value in table.items()}


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise UserError(f"{name}: {value!r:.40} is not a whole number of at least {least}")


def _number(name: str, value: Any, least: float = -math.inf) -> float:
    if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value) and float(value) >= least:
        return float(value)
    at_least = "" if least == -math.inf else f" of at least {least:g}"
    raise UserError(f"{name}: {value!r:.40} is not a finite number{at_least}")


def _table(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return dict(value)
    raise UserError(f"{name}: {value!r:.40} is no table by the columns' names")


def _pairs(name: str, value: Any) -> dict[str, Pair]:
    pairs = {}
    for key, pair in _table(name, value).items():
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise UserError(f"{name} of {key!r:.40}: {pair!r:.40} is no pair of numbers, the lower first")
        low, high = (_number(f"{name} of {key!r:.40}", end) for end in pair)
        if not low < high:
            raise UserError(f"{name} of {key!r:.40}: the lower number must come first")
        pairs[key] = (low, high)
    return pairs


def _numbers(name: str, value: Any, least: float = -math.inf) -> dict[str, float]:
    return {key: _number(f"{name} of {key!r:.40}", entry, least) for key, entry in _table(name, value).items()}


def _one_of(name: str, value: Any) -> str:
    if isinstance(value, str) and value in FALLBACKS:
        return value
    raise UserError(f"{name}: {value!r:.40} is none of {', '.join(FALLBACKS)}")


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise UserError(f"{name}: {value!r:.40} is neither true nor false")


def _file(name: str, value: Any) -> str:
    if isinstance(value, str | Path):
        return str(value)
    raise UserError(f"{name}: {value!r:.40} is no path of a file")


_CHECKS: Mapping[str, Any] = {
    "hold_missing": lambda name, value: _whole(name, value, 0),
    "range_margin": lambda name, value: _number(name, value, 0.0),
    "ranges": _pairs,
    "clamp": _pairs,
    "limits": _pairs,
    "rate": lambda name, value: _numbers(name, value, 0.0),
    "alarm_after": lambda name, value: _whole(name, value, 1),
    "alarm_window": lambda name, value: _whole(name, value, 1),
    "healthy_after": lambda name, value: _whole(name, value, 1),
    "shadow": _flag,
    "fallback": _one_of,
    "fixed_action": _numbers,
    "fallback_policy": _file,
}
