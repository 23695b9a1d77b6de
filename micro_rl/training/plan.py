"""What a run is going to be: log, task, method and settings, resolved once.

The time limit of episodes is decided here alone: where the log is cut (`log_reading.read_log`), where evaluations stop
(`Plan.task.horizon`).
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
from micro_rl.core.setting import check_values
from micro_rl.core.settings import Settings, check
from micro_rl.data import Dataset
from micro_rl.data.checks import episodes
from micro_rl.data.read_options import NO_OPTIONS, ReadOptions
from micro_rl.dynamics import known_reward
from micro_rl.dynamics.known_reward import KnownReward
from micro_rl.dynamics.termination import EpisodeEnds, episode_ends
from micro_rl.dynamics.termination_rules import Rule
from micro_rl.errors import UserError
from micro_rl.simulation.bounds_offer import offering_bounds
from micro_rl.simulation.env_objects import EnvLike, name_of
from micro_rl.training.feasible import refuse_idle_model, refuse_what_cannot_work
from micro_rl.training.log_findings import log_findings
from micro_rl.training.log_reading import read_log
from micro_rl.training.log_support import log_support
from micro_rl.training.model_use import ModelUse, model_use_of
from micro_rl.training.support_choice import settled


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
        own = [*self._known_reward, *self._support, *self._one_action]
        return tuple(dict.fromkeys([*self.dataset.notes, *small, *self.findings, *own]))

    @cached_property
    def _known_reward(self) -> list[str]:
        """Whether what the model's steps pay is computed, or could be."""
        return known_reward.sentences(self.known_reward, self.log) if self.method.learns_model else []

    @property
    def _support(self) -> list[str]:
        """What the log can vouch for, where that is asked."""
        if self.settings.support == "off":
            return []
        return log_support(self.dataset, self.settings.keep_timeouts).sentences(self.settings)

    @property
    def _one_action(self) -> list[str]:
        """That nothing keeps critics apart whose actions have one direction."""
        name = self.method.keeps_apart
        if not name or self.dataset.actions.shape[1] > 1:
            return []
        return [
            f"{name}: keeps the critics' gradients by the action apart, and with a single action they have no "
            "direction to differ in: it changes nothing on this log but the time of an update; set it to 0"
        ]

    @cached_property
    def method(self) -> AnyMethod:
        """The method with its coefficients, built once."""
        built: AnyMethod = registry.find(self.method_name).build(self.options)
        return built.configured(self.settings)

    @cached_property
    def known_reward(self) -> KnownReward | None:
        """What a step pays, where a formula says it."""
        text = self.settings.known_reward
        return None if text is None else known_reward.find(text, self.log)

    @property
    def model_use(self) -> ModelUse:
        """What a run does about a model."""
        return model_use_of(self.method_name)

    @property
    def fits_model(self) -> bool:
        """Whether a model is fitted for it: the method learns one or is to be scored by one, and none is given."""
        return self.model is None and (self.method.learns_model or self.scored_apart)

    @property
    def scored_apart(self) -> bool:
        """Whether its policies are scored by a model that they do not learn in, since no simulator does it."""
        wanted = self.settings.scoring_model or self.model is not None
        return wanted and not self.method.learns_model and self.task.env is None

    @property
    def model_ends(self) -> EpisodeEnds:
        """When episodes end in the model that it learns in, or that scores it."""
        return episode_ends(self.log) if self.scored_apart else self.ends

    @property
    def newest(self) -> int | None:
        """In windows, how many columns the newest observation has."""
        return self.dataset.observation_size if self.settings.history > 1 else None

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
        ends = model_use_of(method).ends_of_another(self.ends, self.log)
        windows, settings, reasons = settled(self.log, settings)
        plan = replace(
            self,
            dataset=windows,
            findings=tuple(dict.fromkeys(self.findings + reasons)),
            task=replace(self.task, termination=ends.name),
            ends=ends,
            method_name=method,
            options=options,
            settings=settings,
            model=self.model if registry.learns_model(method) or self.task.env is None else None,
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


def make_plan(
    log: str | Path | Dataset,
    method: str = "micro",
    *,
    resolved: tuple[Settings, Any] | None = None,
    for_sweep: bool = False,
    **choices: Unpack[Choices],
) -> Plan:
    """Resolve names and settings: what is chosen outranks the preset, which outranks the defaults.

    Args:
        log: A path, a name, or a loaded log, whose episodes are cut and whose action bounds are known.
        method: A name in the registry, or one of your own: a file, or `package.module:definition`.
        resolved: Its settings and options where they are known in full, as the command line parses them.
        for_sweep: It is not run itself. What must suit each other is then checked of the plans that `Plan.varied`
            makes of it, since a grid may hold other values.
        choices: See `Choices`.

    Returns:
        The plan, checked.

    Raises:
        UserError: Anything unknown, out of its bounds, or that cannot work together.
    """
    method = registry.name_of(method)
    arguments.optional_path("model", choices.get("model"))
    dataset, task = _log_and_task(log, choices)
    preset = choices.get("preset") or presets.name_for(dataset.name)
    settings, options = resolved or registry.resolve(method, preset, _settings_among(choices))
    check_values(settings) if for_sweep else check(settings)
    _refuse_for_a_model(method, choices)
    windows, settings, reasons = settled(dataset, settings)
    ends, model = model_use_of(method).ends(dataset, choices.get("termination")), choices.get("model")
    plan = Plan(
        log=dataset,
        dataset=windows,
        task=replace(task, termination=ends.name),
        ends=ends,
        preset=preset,
        method_name=method,
        options=options,
        settings=settings,
        model=Path(model) if model else None,
        findings=log_findings(dataset) + reasons,
        bounds_recorded=dataset is not log and choices.get("reading", NO_OPTIONS).action_bounds is None,
    )
    refuse_idle_model(plan) if for_sweep else refuse_what_cannot_work(plan)
    return plan


def _settings_among(choices: Mapping[str, Any]) -> dict[str, Any]:
    """The settings and options by name: what `Choices` does not name itself."""
    return {name: value for name, value in choices.items() if name not in Choices.__annotations__}


def _log_and_task(log: str | Path | Dataset, choices: Choices) -> tuple[Dataset, tasks.Task]:
    """The log as it is read, and what is known of its task, with what was chosen put over it."""
    env, horizon = choices.get("env"), arguments.optional_whole("horizon", choices.get("horizon"))
    env = None if env is None else name_of(env)
    with offering_bounds(env):
        dataset = read_log(log, choices.get("reading", NO_OPTIONS), horizon)
    task = tasks.at_limit(dataset.task, horizon)
    if env is None or env == task.env:
        return dataset, task
    return dataset, replace(task, env=env, score_min=None, score_max=None)  # another simulator has other scores


def _refuse_for_a_model(method: str, choices: Choices) -> None:
    for name in registry.for_a_model(method):
        if choices.get(name) is not None:
            raise UserError(f"{name}: {method} learns no model; leave it out")
    if choices.get("preset") == presets.CAUTIOUS and not registry.learns_model(method):
        raise UserError(f"preset: {presets.CAUTIOUS} does nothing for {method}, which learns no model; leave it out")
