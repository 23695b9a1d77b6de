"""What a setting may be: bounds, unit and source stand beside its type and default; checks and reference read them."""

import ast
import inspect
import textwrap
from dataclasses import dataclass, fields
from functools import cache
from itertools import pairwise
from math import isfinite
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from micro_rl.errors import UserError

YES_OR_NO = "True or False"
A_NUMBER, FINITE, A_TEXT = "a number", "a finite number", "a text"
AUTHORS = "the authors' code"
"""Of the paper that the method is from: of MICRO's, arXiv 2312.03991, for what methods share."""


@dataclass(frozen=True)
class Setting:
    """Beside a field's type, as in `Annotated[float, Setting(above=0)]`; bounds are those of a tuple's parts too."""

    minimum: int | float | None = None
    above: int | float | None = None
    maximum: int | float | None = None
    below: int | float | None = None
    finite: bool = True
    unit: str = ""
    source: str = ""
    """Of the default: the authors' code, another's, or `ours` with the reason."""
    free: bool = False
    """Whether runs of one compiled program may differ in it: it is a leaf, or the host's business."""
    fit: bool = False
    """Whether it decides how the dynamics are fitted, and so nothing where a model is given."""


class Entry(NamedTuple):
    """A setting as a reference page lists it."""

    name: str
    kind: Any
    default: Any
    bounds: str
    unit: str
    help: str
    source: str


@cache
def settings_in(kind: type) -> dict[str, tuple[Any, Setting]]:
    """The type and the `Setting` of each field of a dataclass that has one, by name."""
    types = get_type_hints(kind, include_extras=True)  # texts, where a file postpones its annotations
    annotated = {field.name: types[field.name] for field in fields(kind) if get_origin(types[field.name]) is Annotated}
    return {
        name: (get_args(declared)[0], next(part for part in get_args(declared)[1:] if isinstance(part, Setting)))
        for name, declared in annotated.items()
    }


def check_values(settings: Any) -> None:
    """Refuse a dataclass in which a value is not of its kind or out of its bounds, each on its own.

    Raises:
        UserError: names the setting, its value and its bound.
    """
    for name in settings_in(type(settings)):
        check_value(name, getattr(settings, name), type(settings))


def check_value(name: str, value: Any, kind: type) -> None:
    """Refuse one setting's value on its own; a tuple's parts each.

    Args:
        name: of the setting; one without a `Setting` may be anything.
        value: what it is to be.
        kind: the dataclass that defines it.

    Raises:
        UserError: names the setting, its value and its bound.
    """
    if name not in settings_in(kind):
        return
    declared, setting = settings_in(kind)[name]
    if value is None and NoneType in get_args(declared):
        return
    many, parts = get_origin(_there(declared)) is tuple, value if isinstance(value, tuple | list) else (value,)
    if many is not isinstance(value, tuple | list):
        raise UserError(f"{name}: {value!r:.60} is {'no list of values' if many else 'not one value'}")
    for part in parts:
        if rule := _broken(part, _of_one(declared), setting):
            raise UserError(f"{name}: {part!r:.60} is not {rule}")


def _there(declared: Any) -> Any:
    """The type of a value that is there."""
    if get_origin(declared) in (Union, UnionType):
        return next(part for part in get_args(declared) if part is not NoneType)
    return declared


def _of_one(declared: Any) -> Any:
    """The type of a value that is there, and of a tuple's parts."""
    declared = _there(declared)
    return get_args(declared)[0] if get_origin(declared) is tuple else declared


def _broken(value: Any, kind: Any, setting: Setting) -> str:
    """The first rule that a value breaks, in words; empty where it keeps all."""
    rules = _bounds(kind, setting)
    if isinstance(value, bool) and kind is not bool and rules:
        return rules[0][0]
    return next((words for words, holds in rules if not holds(value)), "")


def _bounds(kind: Any, setting: Setting) -> list[tuple[str, Any]]:
    """Rules in words, each with what tests it; a bound is tested where the rules before it hold."""
    low, above, high, below = setting.minimum, setting.above, setting.maximum, setting.below
    if get_origin(kind) is Literal:
        *others, last = get_args(kind)
        return [(f"{', '.join(others)} or {last}", lambda value: value in (*others, last))]
    if kind is int:
        least = 0 if low is None else low
        if below is not None:
            return [(f"in [{least}, {_power(below)})", lambda value: isinstance(value, int) and least <= value < below)]
        return [(f"a whole number of at least {least}", lambda value: isinstance(value, int) and value >= least)]
    if kind is str:
        return [(A_TEXT, lambda value: isinstance(value, str))]
    if kind is bool:
        return [(YES_OR_NO, lambda value: isinstance(value, bool))]
    rules: list[tuple[str, Any]] = [(A_NUMBER, lambda value: isinstance(value, int | float))]
    if setting.finite:
        rules = [(FINITE, lambda value: isinstance(value, int | float) and isfinite(value))]
    if above is not None:
        rules.append(("positive" if above == 0 else f"above {above:g}", lambda value: value > above))
    if low is not None:
        rules.append((f"{low:g} or more", lambda value: value >= low))
    if high is not None:
        rules.append((f"at most {high:g}", lambda value: value <= high))
    if below is not None:
        rules.append((f"below {below:g}", lambda value: value < below))
    return rules


def _power(bound: int | float) -> str:
    """2^32 rather than its digits."""
    exponent = int(bound).bit_length() - 1
    return f"2^{exponent}" if bound == 1 << exponent else f"{bound}"


def reference(kind: type) -> list[Entry]:
    """Every field of a dataclass of settings or options with its default, bounds, unit, help and source."""
    helps, known = _helps(kind), settings_in(kind)
    entries = []
    for field in fields(kind):
        declared, setting = known.get(field.name, (field.type, None))
        rules = _bounds(_of_one(declared), setting) if setting else []
        words = ", ".join(words for words, _ in rules if words not in (A_NUMBER, FINITE, A_TEXT, YES_OR_NO))
        about = setting or Setting()
        help_text = helps.get(field.name, "")
        entries.append(Entry(field.name, declared, field.default, words, about.unit, help_text, about.source))
    return entries


def _helps(kind: type) -> dict[str, str]:
    """The string below each field, in this class and those that it extends."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        try:
            source = inspect.getsource(base)
        except OSError:  # of `restricted`, which adds none
            continue
        body = ast.parse(textwrap.dedent(source)).body[0].body  # pyright: ignore[reportAttributeAccessIssue]
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                texts[ast.unparse(field.target)] = inspect.cleandoc(str(text.value.value))
    return texts
