"""What a run is going to be: log, task, method and settings, resolved once and written down in full."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from micro_rl import __version__, catalogue, presets, tasks, termination
from micro_rl.baseline import Baseline
from micro_rl.data import Dataset, episodes, load, names, windowed
from micro_rl.data.reading import NOTHING_SAID, Reading
from micro_rl.errors import UserError, did_you_mean
from micro_rl.feeding import refuse_on_host, stays_on_host
from micro_rl.method import Method
from micro_rl.nets import PRODUCTS
from micro_rl.settings import ModelSettings, Settings, check
from micro_rl.termination import LEARNED, RULES, Formula, Rule


@dataclass(frozen=True)
class Plan:
    """Everything that decides a run's outcome."""

    dataset: Dataset
    task: tasks.Task
    ends: Rule | None
    """None where a termination head is to be learned, and where the method makes no rollouts."""
    preset: str
    method_name: str
    options: Any
    settings: Settings
    model: Path | None = None
    bounds_recorded: bool = False
    """Whether reading the log again, without being told, finds the same bounds of the actions."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person must know of the log before trusting the result."""
        return (*self.dataset.notes, *(one.text for one in episodes.small(self.dataset, self.settings.batch)))

    def method(self) -> Method | Baseline:
        """The method with its coefficients."""
        built = catalogue.find(self.method_name).build(self.options)
        if isinstance(built, Baseline):
            return built
        return dataclasses.replace(built, product=PRODUCTS[self.settings.precision])

    @property
    def learns_model(self) -> bool:
        """Whether the method fits the dynamics."""
        return catalogue.learns_model(self.method_name)

    def varied(self, changes: Mapping[str, Any]) -> "Plan":
        """The same with other settings and options, by name; raises `UserError` for those that cannot be."""
        given = dataclasses.asdict(self.settings) | dataclasses.asdict(self.options) | dict(changes)
        settings, options = resolve(self.method_name, self.preset, given)
        plan = dataclasses.replace(self, settings=settings, options=options)
        _check_together(plan.method(), settings)
        return plan

    def command(self) -> str:
        """The command line that trains this plan anew: the log, the preset, and what departs from it.

        Empty where no command line can: a Python function ends the episodes, or each action was given its own bounds.
        """
        if not self._can_be_typed():
            return ""
        words = ["micro-rl", "train", _typed(self.dataset.path)]
        words += ["--method", self.method_name, "--preset", self.preset]
        usual = resolve(self.method_name, self.preset, {})
        words += _departures(self.settings, usual[0]) + _departures(self.options, usual[1])
        words += [word for name, value in _said(self.dataset.reading).items() for word in _flag(name, value)]
        if not self.bounds_recorded:
            words += _flag("action_bounds", (float(self.dataset.action_low[0]), float(self.dataset.action_high[0])))
        told = ("env", "horizon", "termination") if self.learns_model else ("env", "horizon")
        words += _departures(self.task, self.dataset.task, told)
        return shlex.join(words + (["--model", str(self.model)] if self.model else []))

    def _can_be_typed(self) -> bool:
        named_rule = self.ends is None or isinstance(self.ends, Formula) or self.ends in RULES.values()
        low, high = self.dataset.action_low, self.dataset.action_high
        return named_rule and (self.bounds_recorded or bool((low == low[0]).all() and (high == high[0]).all()))

    def usual(self) -> dict[str, Any]:
        """The defaults of everything in `config` that has some."""
        kinds = {"settings": catalogue.settings_of, "options": lambda name: catalogue.find(name).Options}
        return {part: dataclasses.asdict(kind(self.method_name)()) for part, kind in kinds.items()}

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
                "action_low": self.dataset.action_low.tolist(),
                "action_high": self.dataset.action_high.tolist(),
                "observation_std": self.dataset.observation_std().tolist(),
                "rows": len(self.dataset),
                "episodes": len(self.dataset.starts),
            }
            | ({"reading": said} if (said := _said(self.dataset.reading)) else {}),
            "notes": list(self.notes),
            "task": dataclasses.asdict(self.task),
            "preset": self.preset,
            "method": self.method_name,
            "learns_model": self.learns_model,
            "options": dataclasses.asdict(self.options),
            "settings": dataclasses.asdict(self.settings),
            "model": str(self.model) if self.model else None,
            "versions": {"micro-rl": __version__} | {name: metadata.version(name) for name in packages},
        }


def _typed(path: Path) -> str:
    """A log as the command line takes it: an embedded one by its name, wherever it is installed."""
    return next((name for name, place in names.EMBEDDED.items() if place == path), str(path))


def _said(reading: Reading) -> dict[str, Any]:
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
    return [option, *(str(part) for part in (value if isinstance(value, tuple) else (value,)))]


def make_plan(
    log: str | Path | Dataset,
    method: str = "micro",
    *,
    preset: str | None = None,
    env: str | None = None,
    horizon: int | None = None,
    reading: Reading = NOTHING_SAID,
    ends: str | Rule | None = None,
    model: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Plan:
    """Resolve names and settings: what is given outranks the preset, which outranks the defaults.

    `overrides` holds settings and the method's own options by name. A `Dataset` comes with its episodes cut and
    its action bounds known: `horizon` is then the evaluations' alone. Raises `UserError` for anything unknown.
    """
    reading = reading if reading.horizon is not None else dataclasses.replace(reading, horizon=horizon)
    if isinstance(log, Dataset) and dataclasses.replace(reading, horizon=None) != NOTHING_SAID:
        raise UserError(f"{log.path}: is loaded already; say to micro_rl.load how it is read")
    dataset = log if isinstance(log, Dataset) else read_log(log, reading)
    preset = preset or presets.name_for(dataset.name)
    settings, options = resolve(method, preset, overrides or {})
    task, rule = _task(dataset, env, horizon), None
    if catalogue.learns_model(method):
        task = _ending(dataset, task, ends)
        rule = ends if callable(ends) else _rule(dataset, task)
    else:
        _refuse_for_want_of_a_model(method, model=model, termination=ends)
        task = dataclasses.replace(task, termination=None)  # the log's terminals stand as they are
    plan = Plan(
        dataset=windowed(dataset, settings.history),
        task=task,
        ends=rule,
        preset=preset,
        method_name=method,
        options=options,
        settings=settings,
        model=Path(model) if model else None,
        bounds_recorded=dataset is not log and reading.action_bounds is None,
    )
    _check_together(plan.method(), settings)  # refuses options out of their bounds before anything is begun
    refuse_too_few(plan.dataset, settings, least=2 if plan.learns_model else 1)
    if stays_on_host(settings, plan.dataset):
        refuse_on_host(plan.method(), method, settings.log_on)
    return plan


def refuse_too_few(dataset: Dataset, settings: ModelSettings, least: int = 2) -> None:
    """`UserError` unless so many rows can be learned from; of two a model keeps one back to be measured on."""
    count = int(dataset.learnable(settings.keep_timeouts).sum())
    if count < least:
        without = "" if settings.keep_timeouts else " without the rows that end by a time limit (--no-keep-timeouts)"
        raise UserError(
            f"{dataset.path}: {count} row{'s' * (count != 1)} to learn from{without}, and there must be {least} at the "
            "least: log more"
        )


def _refuse_for_want_of_a_model(method: str, **given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise UserError(f"{name}: {method} learns no model; leave it out")


def _check_together(method: Method | Baseline, settings: Settings) -> None:
    if isinstance(method, Baseline) and settings.updates % method.steps:
        raise UserError(f"actor_every: {method.steps} does not divide the {settings.updates} updates of an epoch")


def read_log(log: str | Path, reading: Reading) -> Dataset:
    """A checked log; its episodes are cut at the time limit that is given, else at the one that its name tells."""
    if reading.horizon is not None:
        return load(log, reading=reading)
    return load(log, reading=reading, usual_horizon=tasks.find(names.title(names.locate(log))).horizon)


def resolve(method: str, preset: str, overrides: Mapping[str, Any]) -> tuple[Settings, Any]:
    """Settings and the method's options: defaults, then the preset, then `overrides`; checked."""
    general, own = catalogue.accepted(method)
    for name in overrides:
        if name not in own | general:
            known = {field.name for field in dataclasses.fields(Settings)}
            guess = f" in {method}" if name in known else did_you_mean(name, sorted(own | general))
            raise UserError(f"{name}: no such setting{guess}")
    values = {**catalogue.values(method, preset), **overrides}
    settings = catalogue.settings_of(method)(**{name: value for name, value in values.items() if name in general})
    check(settings)
    options = catalogue.find(method).Options(**{name: value for name, value in values.items() if name in own})
    return settings, options


def _task(dataset: Dataset, env: str | None, horizon: int | None) -> tasks.Task:
    """What is known, with what was given put over it; another simulator has other scores."""
    task = dataset.task
    if env is not None and env != task.env:
        task = dataclasses.replace(task, env=env, score_min=None, score_max=None)
    if horizon is not None:
        task = dataclasses.replace(task, horizon=horizon)
    return task


def _ending(dataset: Dataset, task: tasks.Task, rule: str | Rule | None) -> tasks.Task:
    """The task with the rule that ends model rows: the one that is given, else the one that is known."""
    if callable(rule):
        own_name = f"{getattr(rule, '__module__', '')}.{getattr(rule, '__qualname__', repr(rule))}"
        return dataclasses.replace(task, termination=own_name)
    known = rule or known_termination(dataset)
    if known == LEARNED:
        _refuse_unless_it_can_be_learned(dataset)
    return dataclasses.replace(task, termination=known)


def known_termination(dataset: Dataset) -> str | None:
    """The condition that the log states, else the rule of its name, else `LEARNED`; None where no row terminates."""
    if dataset.termination is not None:
        return dataset.termination.text
    return dataset.task.termination or (LEARNED if dataset.terminals.any() else None)


def _refuse_unless_it_can_be_learned(dataset: Dataset) -> None:
    if (dataset.terminals & dataset.usable).any():
        return
    ends, said = int(dataset.terminals.sum()), "no row ends an episode"
    if ends:
        said = f"{ends} rows end an episode, but without their next observations"
    raise UserError(
        f"{dataset.path}: {said}, so it cannot be learned when episodes end; "
        f"name a rule with --termination ({', '.join(RULES)}), write one as a condition on the next observation, or "
        "pass a function from Python"
    )


def _rule(dataset: Dataset, task: tasks.Task) -> Rule | None:
    """None where it is to be learned."""
    if task.termination == LEARNED:
        return None
    columns = [column.name for column in dataset.columns.observations]
    return termination.never if task.termination is None else termination.find(task.termination, columns)
