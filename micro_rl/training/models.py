"""The model a run works with: its own from before, one that was given, or one fitted now."""

from pathlib import Path

import numpy as np

from micro_rl.core.settings import OF_A_FIT
from micro_rl.core.types import Problem, Scaling
from micro_rl.data.scaling import fit_scaling
from micro_rl.dynamics import quality_report
from micro_rl.dynamics.termination_rules import ByRule, Termination
from micro_rl.errors import UserError
from micro_rl.storage.json_files import json_round_trip
from micro_rl.storage.jsonl import RowFile
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training import host_log
from micro_rl.training.callbacks import Watcher
from micro_rl.training.fit_keeping import KeptFit
from micro_rl.training.fitting import FittedModel, fit_model, load_model, problem_of
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.plan import Plan
from micro_rl.training.termination_fit import learn_termination, measurement


def given_model(plan: Plan, path: Path, resume: bool, watcher: Watcher) -> FittedModel | None:
    """The run's own copy if it has one, else the shared one; None where a model is to be fitted."""
    own = RunFolder(path).model
    source = own if resume and own.exists() else plan.model
    if source is None:
        return None
    model = load_model(source)
    check_fits(model, plan, source)
    watcher.note(f"model of {model.about.get('log')} from {source}{_other_than_asked(model, plan)}")
    watcher.given(float(np.mean(model.about["holdout"])))
    return model


def _other_than_asked(model: FittedModel, plan: Plan) -> str:
    """What a given model was fitted with, where the plan's settings, which do nothing then, say something else."""
    had = model.about.get("settings")
    own = had if isinstance(had, dict) else {}
    asked = json_round_trip({name: getattr(plan.settings, name) for name in sorted(OF_A_FIT)})
    other = [f"{name} {own[name]}" for name in asked if name in own and own[name] != asked[name]]
    return f", fitted with {', '.join(other)}" if other else ""


def model_for(
    plan: Plan, given: FittedModel | None, folder: RunFolder, rows: RowFile, watcher: Watcher, interrupts: Interrupts
) -> tuple[FittedModel, Problem]:
    """The given model or a fresh fit, whose `rows` are written; and the log in its units."""
    problem = problem_of(plan.dataset, plan.settings, given.scaling if given else None)
    for note in host_log.told(problem, plan.settings):
        watcher.note(note)
    if given is not None:
        return with_end(given, plan, watcher), problem
    with KeptFit(folder, rows, plan.settings, problem, watcher.note, interrupts) as keeper:
        model = fit_model(plan.dataset, problem, plan.settings, plan.settings.seed, watcher.fitted, keeper)
    if report := quality_report.of(model.about):
        watcher.measured(report.sentence())
    return with_end(model, plan, watcher), problem


def with_end(model: FittedModel, plan: Plan, watcher: Watcher) -> FittedModel:
    """The model with a termination head where the plan has no rule: the one it brings, else one learned now."""
    if plan.ends is not None:
        return model
    if model.head is None:
        model = learn_termination(plan.dataset, model, plan.settings, plan.settings.seed)
    watcher.note(measurement(model.about))
    return model


def termination_of(model: FittedModel, plan: Plan) -> Termination:
    """When the model's episodes end: by the plan's rule, else by the model's own head."""
    if plan.ends is not None:
        return ByRule(plan.ends, plan.dataset.observation_size if plan.settings.history > 1 else None)
    assert model.head is not None, "learned with the model"
    return model.head


def check_fits(model: FittedModel, plan: Plan, source: Path) -> None:
    """`UserError` unless the model of `source` can be used in this plan."""
    history = model.about["shape"].get("history", 1)
    if history != plan.settings.history:
        raise UserError(f"{source}: its model was fitted with history {history}; use that or fit another model")
    log = (plan.dataset.observations.shape[1], plan.dataset.actions.shape[1])
    own = (len(model.scaling.observation_mean), len(model.scaling.action_mid))
    if own != log:
        raise UserError(
            f"{source}: its model has {own[0]} observations and {own[1]} actions, the log {log[0]} and {log[1]}"
        )
    _check_units(model.scaling, plan, source)
    if model.ensemble.size < plan.settings.elites:
        raise UserError(
            f"{source}: its model has {model.ensemble.size} members; elites {plan.settings.elites} is too many"
        )


def _check_units(units: Scaling, plan: Plan, source: Path) -> None:
    """A model brings its own units; they must be those that the plan's settings and log ask for."""
    usual = fit_scaling(plan.dataset, plan.settings.standardise, plan.settings.scale_reward)
    width = plan.dataset.observation_size
    for name, own, asked in (
        ("action bounds", (units.action_mid, units.action_half), (usual.action_mid, usual.action_half)),
        ("standardise", np.ptp(units.observation_std[:width]) > 0, np.ptp(usual.observation_std[:width]) > 0),
        ("scale_reward", float(units.reward_scale) != 1, float(usual.reward_scale) != 1),
    ):
        if not np.allclose(own, asked):
            raise UserError(f"{source}: its model was fitted with other {name}; use those or fit another model")
