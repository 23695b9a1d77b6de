"""Every method by its name, the settings and options that it takes, and their values in a run."""

from collections.abc import Mapping
from dataclasses import fields, replace
from types import ModuleType
from typing import Any

from micro_rl.algorithms import presets, slot_shapes
from micro_rl.algorithms.method import AnyMethod
from micro_rl.algorithms.model_based import METHODS
from micro_rl.algorithms.model_free import BASELINES
from micro_rl.algorithms.own_code import raised_in
from micro_rl.algorithms.own_methods import OwnMethod, define, file_of, from_entry_points, from_reference, is_reference
from micro_rl.algorithms.presets.model_free import TASKS
from micro_rl.core import arguments
from micro_rl.core.renamed import in_our_words, new_name
from micro_rl.core.settings import Settings, restricted
from micro_rl.core.sizes import Sizes
from micro_rl.dynamics.saved_model import ModelShape
from micro_rl.errors import UserError, did_you_mean

ALL: dict[str, ModuleType | OwnMethod] = {**METHODS, **BASELINES}
"""Every method that this process knows; what is registered or loaded from outside joins it."""
SHIPPED = frozenset(ALL)


OF_SCORING = frozenset({"scoring_model"})
"""Settings that do nothing for a method whose own model scores it."""


def register(name: str, definition: Any) -> None:
    """Make a method of one's own known to this process under a name, as `--method` and `train(method=...)` take it.

    Args:
        name: letters, digits, `_` and `-`; not that of a method that ships. One that was registered before is replaced.
        definition: a module or object with `Options` and `build`; see `own_methods`.

    Raises:
        UserError: where it is no method, or the name is taken.
    """
    arguments.text("register", name, "give the method's name first, as in register('mine', mine)")
    ALL[name] = define(name, definition, name, file_of(definition), SHIPPED)


def name_of(method: str) -> str:
    """The name of a method in the table: a file or `module:definition` is loaded and joins it.

    Args:
        method: a name, `path/to/mine.py`, or `package.module:definition`.

    Raises:
        UserError: where there is no such method, or it cannot be loaded.
    """
    arguments.text("method", method, "give a name or a file, or make it known first with micro_rl.register")
    if not is_reference(method):
        find(method)
        return method
    own = from_reference(method, SHIPPED)
    ALL[own.name] = own
    return own.name


def known() -> list[str]:
    """Every name that `find` takes: methods that ship, registered ones, and those of installed packages."""
    return list(dict.fromkeys([*ALL, *from_entry_points(SHIPPED)]))


def find(name: str) -> ModuleType | OwnMethod:
    """The method's definition by its name; one of an installed package is loaded when it is asked for.

    Raises:
        UserError: lists the names there are.
    """
    if name not in ALL:
        installed, names = from_entry_points(SHIPPED), known()
        if name not in installed:
            raise UserError(
                f"method: there is no {name!r}{did_you_mean(name, names)}; choose one of {', '.join(names)}, "
                "or name a file of your own, as in --method mine.py"
            )
        ALL[name] = installed[name]()
    return ALL[name]


def source_of(name: str) -> dict[str, str]:
    """What is recorded of a method from outside: where it came from, and its file's SHA-256; {} for those that ship."""
    method = find(name)
    return {"reference": method.reference, "file_sha256": method.sha256} if isinstance(method, OwnMethod) else {}


def is_registered(name: str) -> bool:
    """Whether a method was made known by `register`: no other process can load it by what it is called."""
    method = find(name)
    return isinstance(method, OwnMethod) and method.reference == name and name not in from_entry_points(SHIPPED)


def check_slots(name: str, method: AnyMethod, sizes: Sizes, shape: ModelShape, rows: int) -> None:
    """Refuse a method from outside that gives other shapes than training takes; those that ship are tested.

    Args:
        name: Of the method.
        method: As it was built.
        sizes: The run's.
        shape: Of the model, or of its widths alone where the method learns none.
        rows: Of the log.

    Raises:
        UserError: Names the method's file and the shape that is needed.
    """
    definition = find(name)
    if isinstance(definition, OwnMethod):
        slot_shapes.check_slots(method, definition.place, sizes, shape, rows)


def own_slots(name: str, method: AnyMethod) -> dict[str, str]:
    """The slots that a method from outside fills, each with its file; {} for methods that ship.

    Args:
        name: Of the method.
        method: As it was built.
    """
    definition = find(name)
    if not isinstance(definition, OwnMethod):
        return {}
    return dict.fromkeys(method.filled_slots(), definition.place)


def mistake_of_own(error: BaseException) -> str | None:
    """What an exception is, in one line, that came through the file of a method from outside; None of any other."""
    own = (method.file for method in ALL.values() if isinstance(method, OwnMethod))
    return raised_in(error, {file for file in own if file is not None})


def learns_model(name: str) -> bool:
    """Whether the method fits the dynamics and trains on rollouts in them."""
    return getattr(find(name), "USES", None) is None


def for_a_model(name: str) -> tuple[str, ...]:
    """What can be chosen for a run and cannot for this method, since it learns no model."""
    return () if learns_model(name) else ("termination",)


def settings_of(name: str) -> type[Settings]:
    """The settings that the method uses: those that its module names as `USES`, else all of them."""
    uses = getattr(find(name), "USES", None)
    return Settings if uses is None else restricted(Settings, uses)


def accepted(name: str) -> tuple[set[str], set[str]]:
    """The names of the settings and of the method's own options."""
    general = {field.name for field in fields(settings_of(name))}
    return general - (OF_SCORING if learns_model(name) else set()), {field.name for field in fields(find(name).Options)}


def values(name: str, preset: str) -> dict[str, Any]:
    """What a run of the method starts from, settings and options by name, where the defaults are otherwise.

    A model-free method has its own values for the published tasks; elsewhere the preset's count as far as it uses them.
    """
    chosen, (settings, options) = presets.find(preset), accepted(name)
    own = TASKS.get(name, {}).get(preset, chosen.values(name))
    return getattr(find(name), "DEFAULTS", {}) | {key: own[key] for key in own if key in settings | options}


def resolve(method: str, preset: str, changes: Mapping[str, Any]) -> tuple[Settings, Any]:
    """Settings and the method's options: the defaults, over them the preset's values, over them `changes`."""
    start = settings_of(method)(), find(method).Options()
    return changed(method, *changed(method, *start, values(method, preset)), changes)


def changed(method: str, settings: Settings, options: Any, changes: Mapping[str, Any]) -> tuple[Settings, Any]:
    """The same with other values.

    Args:
        method: Whose they are.
        settings: As the method takes them.
        options: Its own.
        changes: Values of both, by name; whether each is within its bounds is for the plan to check.

    Raises:
        UserError: The method has no setting of such a name.
    """
    general, own = accepted(method)
    changes = {name: _plain(value) for name, value in changes.items()}
    for name in changes:
        if name not in own | general:
            if new := new_name(name, own | general):
                raise UserError(f"{name}: is called {new} now")
            known = {field.name for field in fields(Settings)}
            guess = f" in {method}" if name in known else did_you_mean(in_our_words(name), sorted(own | general))
            raise UserError(f"{name}: no such setting{guess}")
    settings = replace(settings, **{name: value for name, value in changes.items() if name in general})
    return settings, replace(options, **{name: value for name, value in changes.items() if name in own})


def _plain(value: Any) -> Any:
    """A number or a tuple of them, where NumPy's or JAX's is given, or a list; of lists within it too."""
    if getattr(value, "ndim", None) in (0, 1, 2):
        value = value.tolist()
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value
