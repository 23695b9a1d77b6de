"""Run-time checks of every annotation in micro_rl: shapes where there are any, classes everywhere else.

beartype checks them all. So that sizes with one name agree within a call, jaxtyping remembers them from its beginning
to its end. Its own way of doing so wraps each function in two more checkers and binds its arguments anew at each call;
only what needs that has it: classes, generators, names that are known later.
"""

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, get_args

import jaxtyping
from beartype import BeartypeConf, beartype

by_jaxtyping = jaxtyping.jaxtyped
by_beartype = beartype(conf=BeartypeConf(violation_type=jaxtyping.TypeCheckError))
CALL = by_jaxtyping("context")
"""Within it sizes with one name agree."""


def mentions(annotation: Any, asked: Callable[[Any], bool]) -> bool:
    """Whether an annotation, or a part of it, is what is asked for."""
    parts = annotation if isinstance(annotation, list | tuple) else get_args(annotation)
    return asked(annotation) or any(mentions(part, asked) for part in parts)


def is_shape(annotation: Any) -> bool:
    """Whether it is one of jaxtyping's."""
    return type(annotation).__module__.startswith("jaxtyping")


def is_name(annotation: Any) -> bool:
    """Whether it is one that is only known later."""
    return isinstance(annotation, str)


def with_sizes(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with every annotation checked, sizes with one name within a call alike."""
    checked_function = by_beartype(function)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with CALL:
            return checked_function(*args, **kwargs)

    return call


def checked(function: Any = None, *, typechecker: Any) -> Any:
    """What stands in for jaxtyping's decorator."""
    if function is None:
        return partial(checked, typechecker=typechecker)
    annotations = getattr(function, "__annotations__", {}).values()
    plain = inspect.isfunction(function) and not inspect.isgeneratorfunction(function)
    if not plain or any(mentions(annotation, is_name) for annotation in annotations):
        return by_jaxtyping(function, typechecker=typechecker)
    return (with_sizes if any(mentions(annotation, is_shape) for annotation in annotations) else by_beartype)(function)


def check_types_of(package: str) -> None:
    """Check every annotated function of a package from its import on."""
    jaxtyping.jaxtyped = checked
    jaxtyping.install_import_hook(package, "beartype.beartype")
