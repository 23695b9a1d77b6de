"""What a method from outside must have: options that can be typed, and a `build` that makes a method of them."""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from typing import Any

from micro_rl.algorithms.method import AnyMethod
from micro_rl.algorithms.own_code import in_one_line
from micro_rl.core.settings import Settings
from micro_rl.data.read_options import ReadOptions
from micro_rl.errors import UserError

TAKEN = {
    *("log", "method", "preset", "env", "termination", "model"),
    *("out", "resume", "branch", "refit", "until", "wandb", "help"),
    *("seeds", "grid", "width", "exact", "on", "dry_run", "commands"),
}
"""Words of `train` and `sweep` that are no settings; a test compares them with the commands."""


def check_options(definition: Any, reference: str) -> type:
    """The `Options` of a definition: a dataclass whose fields can be options of the command line.

    Args:
        definition: The method's.
        reference: The method as it was named.

    Raises:
        UserError: Names the field that cannot.
    """
    options = getattr(definition, "Options", None)
    if not (isinstance(options, type) and is_dataclass(options)):
        raise UserError(f"method: {reference}: has no dataclass `Options`; an empty one will do")
    general, reading = ({entry.name for entry in fields(kind)} for kind in (Settings, ReadOptions))
    for option in fields(options):
        if option.name in general:
            raise UserError(f"method: {reference}: Options.{option.name} is the name of a general setting; rename it")
        if option.name in TAKEN | reading:
            raise UserError(f"method: {reference}: Options.{option.name} is a word of the command line; rename it")
        if not _has_default(option):
            raise UserError(f"method: {reference}: Options.{option.name} has no default; give it one")
    with in_one_line(reference):
        defaults = options()
    if not hasattr(defaults, "__dict__"):
        raise UserError(f"method: {reference}: Options has slots; leave slots=True out")
    for name, value in vars(defaults).items():
        if not _can_be_typed(value):
            kind = type(value).__name__
            raise UserError(
                f"method: {reference}: Options.{name} is a {kind}; take a number, a text, or a tuple of them"
            )
    return options


def checked_build(build: Callable[[Any], Any], reference: str, learns_model: bool) -> Callable[[Any], AnyMethod]:
    """The same function, its mistakes in one line and its result checked.

    Args:
        build: The definition's own.
        reference: The method as it was named.
        learns_model: Whether what it makes must be a method with a model.
    """

    @wraps(build)
    def checked(options: Any) -> AnyMethod:
        with in_one_line(reference):
            method = build(options)
        if not isinstance(method, AnyMethod) or method.learns_model is not learns_model:
            wanted = "Method" if learns_model else "ModelFreeMethod, as USES says"
            raise UserError(
                f"method: {reference}: build(options) gives a {type(method).__name__}; it must be a {wanted}"
            )
        return method

    return checked


def _has_default(option: Field[Any]) -> bool:
    return option.default is not MISSING or option.default_factory is not MISSING


def _can_be_typed(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_can_be_typed, value))
    return value is None or isinstance(value, bool | int | float | str)
