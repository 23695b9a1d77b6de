"""What people who program hand over: what is of another kind than it must be is refused in one line with the remedy."""

from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any

from micro_rl.errors import UserError


def brief(value: Any) -> str:
    """A value as a message shows it: its text where that is short, else its kind."""
    text = repr(value)
    kind = type(value).__name__
    return text if len(text) <= 40 and "\n" not in text else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def whole(name: str, value: Any, least: int = 1) -> int:
    """A whole number of at least so many; NumPy's count too."""
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least:
        return int(value)
    raise UserError(f"{name}: {brief(value)} is not a whole number of at least {least}")


def optional_whole(name: str, value: Any, least: int = 1) -> int | None:
    """The same, or None."""
    return None if value is None else whole(name, value, least)


def number(name: str, value: Any) -> float:
    """A finite number; NumPy's count too."""
    if isinstance(value, Real) and not isinstance(value, bool) and isfinite(value):
        return float(value)
    raise UserError(f"{name}: {brief(value)} is not a finite number")


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if isinstance(value, bool):
        return value
    raise UserError(f"{name}: {brief(value)} is neither True nor False")


def text(name: str, value: Any, remedy: str) -> str:
    """A text."""
    if isinstance(value, str):
        return value
    raise UserError(f"{name}: {brief(value)} is no text: {remedy}")


def optional_formula(name: str, value: Any) -> str | None:
    """A formula, or None."""
    return None if value is None else text(name, value, "give a formula over the columns of a step")


def path(name: str, value: Any, remedy: str = "give its path") -> Path:
    """A path, or a text that is taken for one."""
    if isinstance(value, str | PathLike):
        return Path(value)
    raise UserError(f"{name}: {brief(value)} is no path: {remedy}")


def optional_path(name: str, value: Any) -> Path | None:
    """The same, or None."""
    return None if value is None else path(name, value)


def paths(name: str, value: Any) -> tuple[Path, ...]:
    """A list of paths, and no single one, whose letters would be taken for them."""
    if isinstance(value, str | PathLike) or not isinstance(value, Iterable):
        raise UserError(f"{name}: {brief(value)} is no list of paths: put it into one")
    return tuple(path(name, part) for part in value)


def names(name: str, value: Any, example: str = "['level', 'flow']", kind: str = "names") -> tuple[str, ...]:
    """A list of texts, and no single one, whose letters would be taken for them."""
    parts = () if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
    if isinstance(value, str) or not isinstance(value, Iterable) or not all(isinstance(part, str) for part in parts):
        raise UserError(f"{name}: {brief(value)} is no list of {kind}: give one, as in {example}")
    return parts


def by_name(name: str, value: Any, example: str) -> Mapping[str, Any]:
    """A dict whose keys are texts."""
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return value
    raise UserError(f"{name}: {brief(value)} is no dict by names: write {example}")


def function(name: str, value: Any, example: str) -> Callable[..., Any]:
    """Something that can be called."""
    if callable(value):
        return value
    raise UserError(f"{name}: {brief(value)} cannot be called: give a function, as {example}")
