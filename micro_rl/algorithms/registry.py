"""Every method by its name, the settings and options that it takes, and their values in a run."""

from collections.abc import Mapping
from dataclasses import fields, replace
from types import ModuleType
from typing import Any

from micro_rl.algorithms import presets
from micro_rl.algorithms.model_based import METHODS
from micro_rl.algorithms.model_free import BASELINES
from micro_rl.algorithms.presets.model_free import TASKS
from micro_rl.core.renamed import new_name
from micro_rl.core.settings import Settings, restricted
from micro_rl.errors import UserError, did_you_mean

ALL: dict[str, ModuleType] = METHODS | BASELINES


def find(name: str) -> ModuleType:
    """The method's module; `UserError` lists the names there are."""
    if name not in ALL:
        raise UserError(f"method: there is no {name!r}{did_you_mean(name, ALL)}; choose one of {', '.join(ALL)}")
    return ALL[name]


def learns_model(name: str) -> bool:
    """Whether the method fits the dynamics and trains on rollouts in them."""
    find(name)
    return name in METHODS


def settings_of(name: str) -> type[Settings]:
    """The settings that the method uses: those that its module names as `USES`, else all of them."""
    uses = getattr(find(name), "USES", None)
    return Settings if uses is None else restricted(Settings, uses)


def accepted(name: str) -> tuple[set[str], set[str]]:
    """The names of the settings and of the method's own options."""
    return {field.name for field in fields(settings_of(name))}, {field.name for field in fields(find(name).Options)}


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
    for name in changes:
        if name not in own | general:
            if new := new_name(name, own | general):
                raise UserError(f"{name}: is called {new} now")
            known = {field.name for field in fields(Settings)}
            guess = f" in {method}" if name in known else did_you_mean(name, sorted(own | general))
            raise UserError(f"{name}: no such setting{guess}")
    settings = replace(settings, **{name: value for name, value in changes.items() if name in general})
    return settings, replace(options, **{name: value for name, value in changes.items() if name in own})
