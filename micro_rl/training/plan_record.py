"""A plan written down in full: as JSON that is enough to run it again, and as the command line that does."""

import dataclasses
import shlex
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from micro_rl._version import __version__
from micro_rl.algorithms import registry
from micro_rl.data import Dataset, log_paths, toml_file
from micro_rl.data.read_options import NO_OPTIONS, ReadOptions
from micro_rl.data.scaling import reward_size
from micro_rl.simulation.env_objects import is_object
from micro_rl.storage import config_diff
from micro_rl.training.plan import Plan

PACKAGES = ("jax", "jaxlib", "equinox", "optax", "numpy", "gymnasium", "mujoco")


def plan_to_config(plan: Plan) -> dict[str, Any]:
    """The whole plan as JSON: enough to run it again."""
    return {
        "command": plan_to_command(plan),
        "log": log_record(plan.dataset),
        "columns": plan.dataset.measured_columns.as_json(),
        "mapping": plan.dataset.mapping,
        "reward_rms": reward_size(plan.dataset),
        "notes": list(plan.notes),
        "task": dataclasses.asdict(plan.task),
        "preset": plan.preset,
        "method": plan.method_name,
        "learns_model": plan.method.learns_model,
        "episodes_end": plan.ends.on_page,
        **({config_diff.RULE: answers} if (answers := plan.ends.answers(plan.log)) else {}),
        **({"method_source": source} if (source := registry.source_of(plan.method_name)) else {}),
        "options": dataclasses.asdict(plan.options),
        "settings": dataclasses.asdict(plan.settings),
        "model": str(plan.model) if plan.model else None,
        "versions": {"micro-rl": __version__} | {name: metadata.version(name) for name in PACKAGES},
    }


def log_record(dataset: Dataset) -> dict[str, Any]:
    """What is recorded of a log: by this another one, or another reading of the same file, is known."""
    return {
        "name": dataset.name,
        "path": str(dataset.path),
        "sha256": dataset.sha256,
        "format": dataset.format,
        "action_low": dataset.action_low.tolist(),
        "action_high": dataset.action_high.tolist(),
        "observation_std": dataset.observation_std().tolist(),
        "rows": len(dataset),
        "episodes": len(dataset.starts),
        "reading": _said(dataset.reading),
    }


def default_config(plan: Plan) -> dict[str, Any]:
    """The defaults of everything in `plan_to_config` that has some."""
    kinds = {"settings": registry.settings_of, "options": lambda name: registry.find(name).Options}
    parts = {part: dataclasses.asdict(kind(plan.method_name)()) for part, kind in kinds.items()}
    return {"log": default_of_log(plan.dataset), **parts}


def default_of_log(dataset: Dataset) -> dict[str, Any]:
    """What `log_record` would say of the reading if flags said what the TOML beside the log does."""
    source = None if dataset.in_memory else toml_file.beside(dataset.path)
    words = toml_file.read(source) if source else {}
    return {"reading": _said(replace(NO_OPTIONS, **{name: words[name] for name in vars(NO_OPTIONS) if name in words}))}


def plan_to_command(plan: Plan) -> str:
    """The command line that trains this plan anew: the log, the preset, and what departs from it.

    Empty where no command line can: the log is no file, the simulator an object, a Python function ends the episodes,
    or each action was given its own bounds.
    """
    if not _can_be_typed(plan):
        return ""
    words = ["micro-rl", "train", _typed(plan.dataset.path)]
    method = registry.source_of(plan.method_name).get("reference", plan.method_name)
    words += ["--method", method, "--preset", plan.preset]
    usual = registry.resolve(plan.method_name, plan.preset, {})
    words += _departures(plan.settings, usual[0]) + _departures(plan.options, usual[1])
    words += [word for name, value in _said(plan.dataset.reading).items() for word in _flag(name, value)]
    if not plan.bounds_recorded:
        words += _flag("action_bounds", (float(plan.dataset.action_low[0]), float(plan.dataset.action_high[0])))
    words += _departures(plan.task, plan.dataset.task, ("env", "horizon"))
    if plan.ends.name not in (None, plan.dataset.task.termination):
        words += _flag("termination", plan.ends.name)
    return shlex.join(words + (["--model", str(plan.model)] if plan.model else []))


def _can_be_typed(plan: Plan) -> bool:
    if plan.dataset.in_memory or is_object(plan.task.env):
        return False
    low, high = plan.dataset.action_low, plan.dataset.action_high
    return plan.ends.can_be_typed and (plan.bounds_recorded or bool((low == low[0]).all() and (high == high[0]).all()))


def _typed(path: Path) -> str:
    """A log as the command line takes it: an embedded one by its name, wherever it is installed."""
    return next((name for name, embedded in log_paths.EMBEDDED.items() if embedded == path), str(path))


def _said(reading: ReadOptions) -> dict[str, Any]:
    """How the log was asked to be read; time limit and bounds stand elsewhere."""
    apart = ("horizon", "action_bounds")
    return {name: value for name, value in vars(reading).items() if value not in (None, ()) and name not in apart}


def _departures(chosen: Any, usual: Any, only: Sequence[str] | None = None) -> list[str]:
    """The options that make one of the usual values the chosen ones."""
    named = only or [field.name for field in dataclasses.fields(chosen)]
    changed = [name for name in named if getattr(chosen, name) != getattr(usual, name)]
    return [word for name in changed for word in _flag(name, getattr(chosen, name))]


def _flag(name: str, value: Any) -> list[str]:
    """A setting as the command line takes it."""
    option = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return [option if value else "--no-" + option[2:]]
    if isinstance(value, str) and value.startswith("-"):
        return [f"{option}={value}"]  # or it would be taken for an option itself
    return [option, *_words(value)]


def _words(value: Any) -> list[str]:
    """A value's words, those of tuples within tuples one after another."""
    return [word for part in value for word in _words(part)] if isinstance(value, tuple) else [str(value)]
