"""What a run is going to be: log, task, method and settings, resolved once and written down in full."""

import dataclasses
import difflib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from micro_rl import __version__, methods, presets, tasks, termination
from micro_rl.data import Dataset, load
from micro_rl.errors import UserError
from micro_rl.method import Method
from micro_rl.settings import Settings, check
from micro_rl.termination import Rule


@dataclass(frozen=True)
class Plan:
    """Everything that decides a run's outcome."""

    dataset: Dataset
    task: tasks.Task
    ends: Rule
    preset: str
    method_name: str
    options: Any
    settings: Settings
    model: Path | None = None

    def method(self) -> Method:
        """The method with its coefficients."""
        return methods.find(self.method_name).build(self.options)

    def command(self) -> str:
        """The command line that trains this plan anew: the log, the preset, and what departs from it.

        Empty where a Python function ends the episodes, which no command line can name.
        """
        if self.task.termination is not None and self.ends is not termination.RULES.get(self.task.termination):
            return ""
        usual_settings, usual_options = resolve(self.method_name, self.preset, {})
        words = [
            "micro-rl",
            "train",
            str(self.dataset.path),
            "--method",
            self.method_name,
            "--preset",
            self.preset,
        ]
        for usual, chosen in ((usual_settings, self.settings), (usual_options, self.options)):
            for field in dataclasses.fields(chosen):
                value = getattr(chosen, field.name)
                if value != getattr(usual, field.name):
                    words += _flag(field.name, value)
        low, high = set(self.dataset.action_low.tolist()), set(self.dataset.action_high.tolist())
        if len(low) == len(high) == 1 and (low, high) != ({-1.0}, {1.0}):
            words += _flag("action_bounds", (low.pop(), high.pop()))
        named, usual_task = self.task, tasks.find(self.dataset.name)
        for name in ("env", "horizon", "termination"):
            if getattr(named, name) != getattr(usual_task, name):
                words += _flag(name, getattr(named, name))
        return shlex.join(words + (["--model", str(self.model)] if self.model else []))

    def refuse_another(self, kept: Mapping[str, Any], path: Path) -> None:
        """Compare with the configuration of a run that is to go on; `UserError` names what differs."""
        now = self.config()
        for part in ("log", "method", "options", "settings", "task"):
            if _comparable(kept.get(part)) != _comparable(now[part]):
                raise UserError(
                    f"{path}: was begun with another {part} ({_difference(kept.get(part), now[part])}); "
                    "resume with the same or choose another folder"
                )

    def config(self) -> dict[str, Any]:
        """The whole plan as JSON: enough to run it again."""
        packages = ("jax", "jaxlib", "equinox", "optax", "numpy", "gymnasium", "mujoco")
        return {
            "command": self.command(),
            "log": {
                "name": self.dataset.name,
                "path": str(self.dataset.path),
                "sha256": self.dataset.sha256,
                "format": self.dataset.format,
                "rows": len(self.dataset),
                "episodes": len(self.dataset.starts),
            },
            "notes": list(self.dataset.notes),
            "task": dataclasses.asdict(self.task),
            "preset": self.preset,
            "method": self.method_name,
            "options": dataclasses.asdict(self.options),
            "settings": dataclasses.asdict(self.settings),
            "model": str(self.model) if self.model else None,
            "versions": {"micro-rl": __version__} | {name: metadata.version(name) for name in packages},
        }


def _comparable(part: Any) -> Any:
    """As JSON gives it back; the log's bytes count, not where they lie."""
    if isinstance(part, dict):
        return {key: _comparable(value) for key, value in part.items() if key not in ("path", "name")}
    return list(part) if isinstance(part, tuple) else part


def _difference(kept: Any, now: Any) -> str:
    if not (isinstance(kept, dict) and isinstance(now, dict)):
        return f"{kept}, now {now}"
    changed = (key for key in now if key != "path" and _comparable(kept.get(key)) != _comparable(now[key]))
    return ", ".join(f"{key}: {kept.get(key)}, now {now[key]}" for key in changed)


def _flag(name: str, value: Any) -> list[str]:
    """A setting as the command line takes it."""
    option = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return [option if value else "--no-" + option[2:]]
    return [option, *(str(part) for part in (value if isinstance(value, tuple) else (value,)))]


def make_plan(
    log: str | Path | Dataset,
    method: str = "micro",
    *,
    preset: str | None = None,
    env: str | None = None,
    horizon: int | None = None,
    ends: str | Rule | None = None,
    model: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Plan:
    """Resolve names and settings: what is given outranks the preset, which outranks the defaults.

    `overrides` holds settings and the method's own options by name. Raises `UserError` for anything unknown.
    """
    dataset = log if isinstance(log, Dataset) else load(log, horizon=horizon)
    task = _task(dataset.name, env, horizon, ends)
    preset = preset or presets.name_for(dataset.name)
    settings, options = resolve(method, preset, overrides or {})
    plan = Plan(
        dataset=dataset,
        task=task,
        ends=ends if callable(ends) else _rule(dataset, task),
        preset=preset,
        method_name=method,
        options=options,
        settings=settings,
        model=Path(model) if model else None,
    )
    plan.method()  # refuses options out of their bounds before anything is begun
    return plan


def resolve(method: str, preset: str, overrides: Mapping[str, Any]) -> tuple[Settings, Any]:
    """Settings and the method's options: defaults, then the preset, then `overrides`; checked."""
    chosen, kind = presets.find(preset), methods.find(method).Options
    own = {field.name for field in dataclasses.fields(kind)}
    general = {field.name for field in dataclasses.fields(Settings)}
    for name in overrides:
        if name not in own | general:
            near = difflib.get_close_matches(name, own | general, n=1)
            raise UserError(f"{name}: no such setting" + (f"; did you mean {near[0]}?" if near else ""))
    given = {name: value for name, value in overrides.items() if name in general}
    settings = Settings(**{**chosen.settings, **given})
    check(settings)
    given = {name: value for name, value in overrides.items() if name in own}
    return settings, kind(**{**chosen.options.get(method, {}), **given})


def _task(name: str, env: str | None, horizon: int | None, rule: str | Rule | None) -> tasks.Task:
    """What the name tells, with what was given put over it; another simulator has other scores."""
    task = tasks.find(name)
    if env is not None and env != task.env:
        task = dataclasses.replace(task, env=env, score_min=None, score_max=None)
    if horizon is not None:
        task = dataclasses.replace(task, horizon=horizon)
    if isinstance(rule, str):
        termination.find(rule)
        task = dataclasses.replace(task, termination=rule)
    elif rule is not None:
        own_name = f"{getattr(rule, '__module__', '')}.{getattr(rule, '__qualname__', repr(rule))}"
        task = dataclasses.replace(task, termination=own_name)
    return task


def _rule(dataset: Dataset, task: tasks.Task) -> Rule:
    if task.termination is not None:
        return termination.find(task.termination)
    if dataset.terminals.any():
        raise UserError(
            f"{dataset.path}: {int(dataset.terminals.sum())} rows end an episode and no rule says when model rows do; "
            f"name one with --termination ({', '.join(termination.RULES)}) or pass a function from Python"
        )
    return termination.never
