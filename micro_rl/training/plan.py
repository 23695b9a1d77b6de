"""What a run is going to be: log, task, method and settings, resolved once.

The time limit of episodes is decided here alone: where the log is cut (`read_log`), where evaluations stop
(`Plan.task.horizon`), and how far an estimate in the model goes (`Plan.estimated_steps`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

from typing_extensions import TypedDict

from micro_rl.algorithms import presets, registry
from micro_rl.algorithms.method import AnyMethod
from micro_rl.core import arguments, tasks
from micro_rl.core.networks import PRODUCTS
from micro_rl.core.settings import Settings, check
from micro_rl.data import Dataset, load, log_paths, toml_file, windowed
from micro_rl.data.checks import episodes
from micro_rl.data.read_options import NO_OPTIONS, ReadOptions
from micro_rl.dynamics.termination_rules import Rule
from micro_rl.errors import UserError
from micro_rl.simulation.bounds_offer import offering_bounds
from micro_rl.simulation.env_objects import EnvLike, name_of
from micro_rl.training.feasible import refuse_what_cannot_work
from micro_rl.training.log_findings import log_findings
from micro_rl.training.termination import EpisodeEnds, NoRollouts, episode_ends


class Choices(TypedDict, total=False, extra_items=Any):
    """What can be chosen for a run beside its log and method; what is left out follows from the log and its name.

    Every other keyword is one of the settings (`micro_rl.core.settings.Settings`) or of the method's own options.
    """

    preset: str | None
    """Whose settings to start from; by default those of the log's name, else the generic ones."""
    env: EnvLike | None
    """Simulator to evaluate in: a Gymnasium id, an instance, of which copies are made, or what makes one."""
    horizon: int | None
    """An episode's time limit in steps. Of a `Dataset`, which is cut already, the evaluations' alone."""
    reading: ReadOptions
    """How the log is read, where it is a table without a TOML beside it."""
    termination: str | Rule | None
    """When the model's rows end: a rule's name, a condition as text, `learned`, or a JAX function from raw next
    observations [rows, obs] to bool [rows]."""
    model: str | Path | None
    """Folder of a fitted model to use instead of fitting one."""


@dataclass(frozen=True)
class Plan:
    """Everything that decides a run's outcome."""

    log: Dataset
    """As it was read."""
    dataset: Dataset
    """The same in windows of the history."""
    task: tasks.Task
    ends: EpisodeEnds
    preset: str
    method_name: str
    options: Any
    settings: Settings
    model: Path | None = None
    findings: tuple[str, ...] = ()
    """What the check finds in the log at next to no cost, for people."""
    bounds_recorded: bool = False
    """Whether reading the log again, without being told, finds the same bounds of the actions."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person must know of the log before trusting the result."""
        small = (finding.text for finding in episodes.small(self.dataset, self.settings.batch_size))
        return tuple(dict.fromkeys([*self.dataset.notes, *small, *self.findings]))

    @cached_property
    def method(self) -> AnyMethod:
        """The method with its coefficients, built once."""
        built: AnyMethod = registry.find(self.method_name).build(self.options)
        return built.multiplied_with(PRODUCTS[self.settings.precision])

    @property
    def newest(self) -> int | None:
        """In windows, how many columns the newest observation has."""
        return self.dataset.observation_size if self.settings.history > 1 else None

    @property
    def estimated_steps(self) -> int:
        """Steps of an estimate in the model: to the time limit, else as many as the log's longest episode has."""
        return self.task.horizon or int(self.dataset.lengths.max())

    def varied(self, changes: Mapping[str, Any]) -> "Plan":
        """The same with other settings and options, and perhaps by another method.

        Args:
            changes: Values by name; `method` may be among them. What departs from the preset's values here departs from
                them for the other method, too, as far as that has such a setting.

        Raises:
            UserError: One that the method does not have, or that cannot be.
        """
        own = {name: value for name, value in changes.items() if name != "method"}
        method = changes.get("method", self.method_name)
        if method == self.method_name:
            settings, options = registry.changed(method, self.settings, self.options, own)
        else:
            settings, options = registry.resolve(method, self.preset, _departures(self, method) | own)
        check(settings)
        ends = _ends_of_another(self, method)
        plan = replace(
            self,
            dataset=windowed(self.log, settings.history),
            task=replace(self.task, termination=ends.name),
            ends=ends,
            method_name=method,
            options=options,
            settings=settings,
            model=self.model if registry.learns_model(method) else None,
        )
        refuse_what_cannot_work(plan)
        return plan


def _departures(plan: Plan, method: str) -> dict[str, Any]:
    """What was chosen otherwise than the preset has it, as far as another method has such a setting or option."""
    usual = [vars(part) for part in registry.resolve(plan.method_name, plan.preset, {})]
    chosen = vars(plan.settings) | vars(plan.options)
    general, own = registry.accepted(method)
    shared = (general | own) & set(chosen)
    return {name: chosen[name] for name in shared if chosen[name] != (usual[0] | usual[1])[name]}


def _ends_of_another(plan: Plan, method: str) -> EpisodeEnds:
    """The plan's own ends of episodes, as far as the method makes rollouts."""
    if not registry.learns_model(method):
        return NoRollouts()
    return episode_ends(plan.log, None) if isinstance(plan.ends, NoRollouts) else plan.ends


def make_plan(
    log: str | Path | Dataset,
    method: str = "micro",
    *,
    resolved: tuple[Settings, Any] | None = None,
    **choices: Unpack[Choices],
) -> Plan:
    """Resolve names and settings: what is chosen outranks the preset, which outranks the defaults.

    Args:
        log: A path, a name, or a loaded log, whose episodes are cut and whose action bounds are known.
        method: A name in the registry, or one of your own: a file, or `package.module:definition`.
        resolved: Its settings and options where they are known in full, as the command line parses them.
        choices: See `Choices`.

    Returns:
        The plan, checked.

    Raises:
        UserError: Anything unknown, out of its bounds, or that cannot work together.
    """
    method = registry.name_of(method)
    reading, env = choices.get("reading", NO_OPTIONS), choices.get("env")
    horizon = arguments.optional_whole("horizon", choices.get("horizon"))
    arguments.optional_path("model", choices.get("model"))
    env = None if env is None else name_of(env)
    with offering_bounds(env):
        dataset = read_log(log, reading, horizon)
    preset = choices.get("preset") or presets.name_for(dataset.name)
    own = {name: value for name, value in choices.items() if name not in Choices.__annotations__}
    settings, options = resolved or registry.resolve(method, preset, own)
    check(settings)
    ends, model = _ends(method, dataset, choices), choices.get("model")
    plan = Plan(
        log=dataset,
        dataset=windowed(dataset, settings.history),
        task=replace(_task(dataset, env, horizon), termination=ends.name),
        ends=ends,
        preset=preset,
        method_name=method,
        options=options,
        settings=settings,
        model=Path(model) if model else None,
        findings=log_findings(dataset),
        bounds_recorded=dataset is not log and reading.action_bounds is None,
    )
    refuse_what_cannot_work(plan)
    return plan


def read_log(log: str | Path | Dataset, reading: ReadOptions = NO_OPTIONS, horizon: int | None = None) -> Dataset:
    """A checked log.

    Args:
        log: Where it is; one that is loaded stays as it is.
        reading: How it is read.
        horizon: The time limit at which episodes are cut, unless `reading` has one; by default the one that a TOML, the
            log's name or the log itself tells.

    Raises:
        UserError: Whatever is wrong with the log.
    """
    toml_file.check_reading(reading)
    if isinstance(log, Dataset):
        if replace(reading, horizon=None) != NO_OPTIONS:
            raise UserError(f"{log.path}: is loaded already; say to micro_rl.load how it is read")
        return log
    reading = reading if reading.horizon is not None else replace(reading, horizon=horizon)
    usual = None if reading.horizon is not None else tasks.find(log_paths.log_name(log_paths.locate(log))).horizon
    return load(log, reading=reading, usual_horizon=usual)


def _task(dataset: Dataset, env: str | None, horizon: int | None) -> tasks.Task:
    """What is known, with what was given put over it; another simulator has other scores."""
    task = dataset.task if horizon is None else replace(dataset.task, horizon=horizon)
    if env is None or env == task.env:
        return task
    return replace(task, env=env, score_min=None, score_max=None)


def _ends(method: str, dataset: Dataset, choices: Choices) -> EpisodeEnds:
    """When the model's rows end; without a model nothing may be said of it."""
    if registry.learns_model(method):
        return episode_ends(dataset, choices.get("termination"))
    for name in ("model", "termination"):
        if choices.get(name) is not None:
            raise UserError(f"{name}: {method} learns no model; leave it out")
    return NoRollouts()
