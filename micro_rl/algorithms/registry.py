"""Every method by its name, what a run with it can be told, and what that comes to."""

from collections.abc import Mapping
from dataclasses import fields
from types import ModuleType
from typing import Any

from micro_rl.algorithms import presets
from micro_rl.algorithms.model_based import METHODS
from micro_rl.algorithms.model_free import BASELINES
from micro_rl.algorithms.presets.model_free import TASKS
from micro_rl.core.renamed import new_name
from micro_rl.core.settings import Settings, check, restricted
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
    """The settings that the method uses: all of them, or those that a model-free method names."""
    return Settings if learns_model(name) else restricted(Settings, find(name).USES)


def accepted(name: str) -> tuple[set[str], set[str]]:
    """The names of the settings and of the method's own options."""
    return {field.name for field in fields(settings_of(name))}, {field.name for field in fields(find(name).Options)}


def values(name: str, preset: str) -> dict[str, Any]:
    """What a run of the method starts from, settings and options by name, where the defaults are otherwise.

    A model-free method has its own values for the published tasks; elsewhere the preset's count as far as it uses them.
    """
    chosen = presets.find(preset)
    if learns_model(name):
        return chosen.values(name)
    usual, own = find(name).DEFAULTS, TASKS.get(name, {}).get(preset)
    settings, options = accepted(name)
    values = chosen.settings if own is None else own
    return usual | {key: value for key, value in values.items() if key in settings | options}


def resolve(method: str, preset: str, overrides: Mapping[str, Any]) -> tuple[Settings, Any]:
    """Settings and the method's options: defaults, then the preset, then `overrides`; checked."""
    general, own = accepted(method)
    for name in overrides:
        if name not in own | general:
            if new := new_name(name, own | general):
                raise UserError(f"{name}: is called {new} now")
            known = {field.name for field in fields(Settings)}
            guess = f" in {method}" if name in known else did_you_mean(name, sorted(own | general))
            raise UserError(f"{name}: no such setting{guess}")
    chosen = {**values(method, preset), **overrides}
    settings = settings_of(method)(**{name: value for name, value in chosen.items() if name in general})
    check(settings)
    options = find(method).Options(**{name: value for name, value in chosen.items() if name in own})
    return settings, options
