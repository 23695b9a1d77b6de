"""What a run is going to be: log, task, method and settings, resolved once."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from micro_rl.algorithms import presets, registry
from micro_rl.algorithms.model_free.base import ModelFreeMethod
from micro_rl.algorithms.slots import Method
from micro_rl.core import tasks
from micro_rl.core.networks import PRODUCTS
from micro_rl.core.settings import ModelSettings, Settings
from micro_rl.core.wording import plural
from micro_rl.data import Dataset, load, log_paths, windowed
from micro_rl.data.checks import episodes
from micro_rl.data.read_options import NO_OPTIONS, ReadOptions
from micro_rl.dynamics.termination_rules import Rule
from micro_rl.errors import UserError
from micro_rl.simulation.bounds_offer import offering_bounds
from micro_rl.simulation.env_objects import EnvLike, name_of
from micro_rl.training.host_log import refuse_on_host, stays_on_host
from micro_rl.training.termination_choice import ended


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
        return (*self.dataset.notes, *(one.text for one in episodes.small(self.dataset, self.settings.batch_size)))

    @cached_property
    def method(self) -> Method | ModelFreeMethod:
        """The method with its coefficients, built once."""
        built = registry.find(self.method_name).build(self.options)
        if isinstance(built, ModelFreeMethod):
            return built
        return dataclasses.replace(built, product=PRODUCTS[self.settings.precision])

    @property
    def learns_model(self) -> bool:
        """Whether the method fits the dynamics."""
        return registry.learns_model(self.method_name)

    def varied(self, changes: Mapping[str, Any]) -> "Plan":
        """The same with other settings and options, by name; raises `UserError` for those that cannot be."""
        given = dataclasses.asdict(self.settings) | dataclasses.asdict(self.options) | dict(changes)
        settings, options = registry.resolve(self.method_name, self.preset, given)
        plan = dataclasses.replace(self, settings=settings, options=options)
        _check_together(plan.method, settings)
        return plan


def make_plan(
    log: str | Path | Dataset,
    method: str = "micro",
    *,
    preset: str | None = None,
    env: EnvLike | None = None,
    horizon: int | None = None,
    reading: ReadOptions = NO_OPTIONS,
    ends: str | Rule | None = None,
    model: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Plan:
    """Resolve names and settings: what is given outranks the preset, which outranks the defaults.

    `overrides` holds settings and the method's own options by name. A `Dataset` comes with its episodes cut and
    its action bounds known: `horizon` is then the evaluations' alone. Raises `UserError` for anything unknown.
    """
    method = registry.name_of(method)
    env = None if env is None else name_of(env)
    reading = reading if reading.horizon is not None else dataclasses.replace(reading, horizon=horizon)
    with offering_bounds(env):
        dataset = _dataset(log, reading)
    preset = preset or presets.name_for(dataset.name)
    settings, options = registry.resolve(method, preset, overrides or {})
    _refuse_for_want_of_a_model(method, model=model, termination=ends)
    task, rule = _ended(method, dataset, _task(dataset, env, horizon), ends)
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
    _refuse_what_cannot_work(plan)
    return plan


def _dataset(log: str | Path | Dataset, reading: ReadOptions) -> Dataset:
    """The log, read unless it is loaded already."""
    if not isinstance(log, Dataset):
        return read_log(log, reading)
    if dataclasses.replace(reading, horizon=None) != NO_OPTIONS:
        raise UserError(f"{log.path}: is loaded already; say to micro_rl.load how it is read")
    return log


def read_log(log: str | Path, reading: ReadOptions) -> Dataset:
    """A checked log; its episodes are cut at the time limit that is given, else at the one that its name tells."""
    if reading.horizon is not None:
        return load(log, reading=reading)
    return load(log, reading=reading, usual_horizon=tasks.find(log_paths.log_name(log_paths.locate(log))).horizon)


def _task(dataset: Dataset, env: str | None, horizon: int | None) -> tasks.Task:
    """What is known, with what was given put over it; another simulator has other scores."""
    task = dataset.task
    if env is not None and env != task.env:
        task = dataclasses.replace(task, env=env, score_min=None, score_max=None)
    if horizon is not None:
        task = dataclasses.replace(task, horizon=horizon)
    return task


def _ended(method: str, dataset: Dataset, task: tasks.Task, ends: str | Rule | None) -> tuple[tasks.Task, Rule | None]:
    """When the model's rows end; where a method makes none, the log's terminals stand as they are."""
    return (
        ended(dataset, task, ends)
        if registry.learns_model(method)
        else (dataclasses.replace(task, termination=None), None)
    )


def _refuse_for_want_of_a_model(method: str, **given: Any) -> None:
    for name, value in given.items():
        if value is not None and not registry.learns_model(method):
            raise UserError(f"{name}: {method} learns no model; leave it out")


def _refuse_what_cannot_work(plan: Plan) -> None:
    """Before anything is begun; options out of their bounds are refused when the method is made of them."""
    method = plan.method
    _check_together(method, plan.settings)
    refuse_too_few(plan.dataset, plan.settings, least=2 if plan.learns_model else 1)
    if stays_on_host(plan.settings, plan.dataset):
        if plan.dataset.exogenous and plan.learns_model:
            raise UserError(
                f"{plan.dataset.path}: exogenous columns are replayed from a log on the device alone, and this one "
                "stays on the host: leave exogenous out, or take --log-on device"
            )
        refuse_on_host(method, plan.method_name, plan.settings.log_on)


def _check_together(method: Method | ModelFreeMethod, settings: Settings) -> None:
    if isinstance(method, ModelFreeMethod) and settings.updates_per_epoch % method.steps:
        raise UserError(
            f"policy_delay: {method.steps} does not divide the {settings.updates_per_epoch} updates of an epoch"
        )


def refuse_too_few(dataset: Dataset, settings: ModelSettings, least: int = 2) -> None:
    """`UserError` unless so many rows can be learned from; of two a model keeps one back to be measured on."""
    count = int(dataset.learnable(settings.keep_timeouts).sum())
    if count < least:
        without = "" if settings.keep_timeouts else " without the rows that end by a time limit (--no-keep-timeouts)"
        raise UserError(
            f"{dataset.path}: {plural(count, 'row')} to learn from{without}, and there must be {least} at the "
            "least: log more"
        )
