"""Run-time checks of every annotation in micro_rl: shapes where there are any, classes everywhere else.

jaxtyping wraps each function in two checkers and binds its arguments anew at each call, so that sizes with one name
agree. A function without shapes has no sizes to agree: beartype alone checks the same annotations, and costs less.
"""

import inspect
from functools import partial
from typing import Any, get_args

import jaxtyping
from beartype import BeartypeConf, beartype

with_shapes = jaxtyping.jaxtyped
without_shapes = beartype(conf=BeartypeConf(violation_type=jaxtyping.TypeCheckError))


def mentions_shape(annotation: Any) -> bool:
    """Whether an annotation holds one of jaxtyping's, or a name that is only known later."""
    if isinstance(annotation, str):
        return True
    if isinstance(annotation, list | tuple):
        return any(map(mentions_shape, annotation))
    return type(annotation).__module__.startswith("jaxtyping") or any(map(mentions_shape, get_args(annotation)))


def checked(function: Any = None, *, typechecker: Any) -> Any:
    """What stands in for jaxtyping's decorator."""
    if function is None:
        return partial(checked, typechecker=typechecker)
    if not inspect.isfunction(function) or any(map(mentions_shape, function.__annotations__.values())):
        return with_shapes(function, typechecker=typechecker)
    return without_shapes(function)


def check_types_of(package: str) -> None:
    """Check every annotated function of a package from its import on."""
    jaxtyping.jaxtyped = checked
    jaxtyping.install_import_hook(package, "beartype.beartype")
