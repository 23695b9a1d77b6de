"""Methods from outside the package: from a file, an installed module, an entry point, or registered from Python.

A definition is a module or any object with `Options` (a dataclass) and `build(options)`, as the package's own methods
have them, and if it likes `SUMMARY` and `PAPER`. `USES` makes it a method without a model: it names the general
settings that it takes; `DEFAULTS` are those of them that it has otherwise than the rest.
"""

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Any

from micro_rl.algorithms.own_code import first_on_path, in_one_line
from micro_rl.algorithms.own_definitions import check_options, checked_build
from micro_rl.core.settings import Settings
from micro_rl.errors import UserError
from micro_rl.storage.files import sha256

GROUP = "micro_rl.methods"
"""The entry points of installed packages: `mine = "package.module"` or `"package.module:definition"`."""
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class OwnMethod:
    """A method from outside, with where its definition came from and what that file's content was."""

    name: str
    reference: str
    """As `--method` takes it: a file, `module:definition`, or a registered name."""
    sha256: str
    SUMMARY: str
    PAPER: str
    Options: type
    build: Callable[[Any], Any]
    file: Path | None = None
    """That defines it."""
    USES: frozenset[str] | None = None
    DEFAULTS: dict[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Its file, for messages; where there is none, what it is called by."""
        return str(self.file or self.reference)


def is_reference(name: str) -> bool:
    """Whether a method's name is a file or `module:definition`, and not a word in the table."""
    return ":" in name or name.endswith(".py")


def from_reference(reference: str, taken: Collection[str]) -> OwnMethod:
    """Load a method from a file or from an importable module.

    Args:
        reference: `path/to/mine.py`, or `package.module:definition`, whose module is looked for in the working
            folder, too. Only what a person types comes here, never what a run folder says.
        taken: names of the package's own methods.

    Returns:
        The method, called after its file or its definition.

    Raises:
        UserError: where there is no such file, module or definition, it fails while it is imported, or it is no method.
    """
    if reference.endswith(".py"):
        path = Path(reference).expanduser().resolve()
        if not path.is_file():
            raise UserError(f"method: {reference}: there is no such file")
        return define(path.stem, _module_of_file(path, reference), str(path), path, taken)
    module_name, _, attribute = reference.partition(":")
    with first_on_path(Path.cwd()), in_one_line(reference):
        module = importlib.import_module(module_name)
    if not hasattr(module, attribute):
        raise UserError(f"method: {reference}: the module {module_name} has no {attribute!r}")
    definition = getattr(module, attribute)
    return define(attribute, definition, reference, file_of(definition) or file_of(module), taken)


def from_entry_points(taken: Collection[str]) -> dict[str, Callable[[], OwnMethod]]:
    """Name the methods of installed packages, each with what loads it."""

    def load(point: metadata.EntryPoint) -> OwnMethod:
        with in_one_line(point.value):
            definition = point.load()
        return define(point.name, definition, point.name, file_of(definition), taken)

    points = metadata.entry_points(group=GROUP)
    return {point.name: lambda point=point: load(point) for point in points if point.name not in taken}


def define(name: str, definition: Any, reference: str, file: Path | None, taken: Collection[str]) -> OwnMethod:
    """Check that a definition is a method, under a name that is free.

    Args:
        name: what it is called from now on.
        definition: has `Options` and `build`.
        reference: where it came from, as `--method` takes it.
        file: that defines it, whose content is recorded; None where there is none.
        taken: names of the package's own methods.

    Raises:
        UserError: says what is missing or in the way.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"method: {reference}: {name!r} is no name for a method; use letters, digits, _ and -")
    if name in taken:
        raise UserError(f"method: {reference}: there is a method {name!r} already; rename yours")
    options, build = check_options(definition, reference), getattr(definition, "build", None)
    if not callable(build):
        raise UserError(f"method: {reference}: has no function `build(options)` that makes the method")
    uses = getattr(definition, "USES", None)
    if unknown := sorted(set(uses or ()) - {setting.name for setting in fields(Settings)}):
        raise UserError(f"method: {reference}: USES: there is no setting {unknown[0]!r}")
    summary = getattr(definition, "SUMMARY", None) or (inspect.getdoc(definition) or "no description").splitlines()[0]
    return OwnMethod(
        name=name,
        reference=reference,
        sha256=sha256(file) if file else "",
        SUMMARY=summary,
        PAPER=getattr(definition, "PAPER", reference),
        Options=options,
        build=checked_build(build, reference, learns_model=uses is None),
        file=file,
        USES=None if uses is None else frozenset(uses),
        DEFAULTS=dict(getattr(definition, "DEFAULTS", {})),
    )


def file_of(definition: Any) -> Path | None:
    """The file that defines a module, class or function; that of `build` for other objects."""
    return _file_of(definition) or _file_of(getattr(definition, "build", None))


def _file_of(definition: Any) -> Path | None:
    try:
        return Path(inspect.getfile(definition)).resolve()
    except (TypeError, OSError):
        return None


def _module_of_file(path: Path, reference: str) -> Any:
    """The file as a module; loaded anew where its content changed since."""
    name = f"micro_rl_method_{path.stem}_{sha256(path)[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"method: {reference}: is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        with first_on_path(path.parent), in_one_line(reference):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
