"""The models that runs work with: each its own from before, one that was given, or one fitted now."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from micro_rl.algorithms.log_epoch import LogProblem
from micro_rl.core.settings import OF_A_FIT
from micro_rl.core.types import Problem, Scaling
from micro_rl.core.wording import plural
from micro_rl.data.scaling import fit_scaling
from micro_rl.data.taking import content
from micro_rl.dynamics.saved_model import FittedModel, load_model
from micro_rl.errors import Diverged, UserError
from micro_rl.storage.files import CannotWrite
from micro_rl.storage.json_files import json_round_trip
from micro_rl.storage.jsonl import rewind_rows
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training import fitting
from micro_rl.training.callbacks import Callback
from micro_rl.training.feasible import sizes_of
from micro_rl.training.fitting import Fit, fit_models
from micro_rl.training.host_log import on_host, placement_notes, refuse_on_host
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.job import Job
from micro_rl.training.learning import problem_of
from micro_rl.training.plan import Plan
from micro_rl.training.refit import inherited_units
from micro_rl.training.saving import FitSaver


def given_model(plan: Plan, path: Path, resume: bool, callback: Callback) -> FittedModel | None:
    """The run's own copy if it has one, else the shared one; None where a model is to be fitted."""
    loaded = load_given(plan, path, resume)
    if loaded is None:
        return None
    source, model = loaded
    model = fitting.measured_for(model, plan.dataset, plan.settings)
    callback.note(f"model of {model.about.get('log')} from {source}{_other_than_asked(model, plan)}")
    if _read_otherwise(model, plan):
        callback.note(
            f"{source}: its model was fitted to this log read otherwise, with another reward or other rows: what it "
            "pays is what it learned then; fit another model where that is not meant"
        )
    callback.given(float(np.mean(model.about["holdout"])))
    tell_quality(model, callback, plan.scored_apart)
    used = min(model.ensemble.size, plan.settings.num_elites)
    if model.report is not None and model.report.elites != used:
        callback.note(f"{source}: its errors are those of its best {model.report.elites} members; this run uses {used}")
    return model


def load_given(plan: Plan, path: Path, resume: bool) -> tuple[Path, FittedModel] | None:
    """Where `given_model` has the model from, and the model, which suits the plan; `UserError` where it does not."""
    own = plan.model_use.place(RunFolder(path))
    source = own if resume and own.exists() else plan.model
    if source is None:
        return None
    model = load_model(source)
    check_fits(model, plan, source)
    return source, model


def _read_otherwise(model: FittedModel, plan: Plan) -> bool:
    """Whether a given model knows the plan's file by other rows: a reward by a flag, say; older models do not tell."""
    own = model.about.get("log_content")
    same_file = model.about.get("log_sha256") == plan.dataset.sha256
    return same_file and own is not None and own != content(plan.dataset)


def tell_quality(model: FittedModel, callback: Callback, scores_alone: bool = False) -> None:
    """Tell what a model's errors mean, and warn of one that is worth nothing; silent where nothing was measured."""
    if model.report is None:
        return
    callback.measured(model.report.sentence())
    if warning := model.report.warning(scores_alone):
        callback.note(warning)


def _other_than_asked(model: FittedModel, plan: Plan) -> str:
    """What a given model was fitted with, where the plan's settings, which do nothing then, say something else."""
    had = model.about.get("settings")
    own = {"model_norm": False} | (
        had if isinstance(had, dict) else {}
    )  # before there was the setting, no model had it
    asked = json_round_trip({name: getattr(plan.settings, name) for name in sorted(OF_A_FIT)})
    other = [f"{name} {own[name]}" for name in asked if name in own and own[name] != asked[name]]
    return f", fitted with {', '.join(other)}" if other else ""


def prepare_models(jobs: Sequence[Job], interrupts: Interrupts) -> Problem | LogProblem:
    """Give every job whose method learns a model that, or its fit's error; returns the log in the units of the models.

    Runs of the same seed share a fit. Raises `Interrupted` when every fit is saved.
    """
    plan = jobs[0].plan
    scaling = next((job.model.scaling for job in jobs if job.model), None) or inherited_units(jobs[0].folder)
    problem = problem_of(plan, scaling)
    if isinstance(problem, LogProblem):  # of methods without a model
        if plan.scored_apart:
            _fit_owners(jobs, fitting.problem_of(plan.dataset, plan.settings), interrupts)
        return problem
    if on_host(problem.log):  # refused with the plan already, but for memory that was taken since
        refuse_on_host(plan.method, plan.method_name, plan.settings.log_on)
    for note in placement_notes(problem, plan.settings):
        jobs[0].callback.note(note)
    _fit_owners(jobs, problem, interrupts)
    return problem


def _fit_owners(jobs: Sequence[Job], problem: Problem, interrupts: Interrupts) -> None:
    """Complete the models that there are; fit one for every seed that has none, and share it."""
    for job in jobs:
        if job.model is not None:
            job.model = with_termination(job.model, job.plan, job.callback)
    owners = {job.plan.settings.seed: job for job in reversed(jobs)}
    owners |= {job.plan.settings.seed: job for job in jobs if job.model is not None}
    fresh = [job for job in jobs if job.model is None and job is owners[job.plan.settings.seed]]
    if fresh:
        _fit_all(fresh, problem, interrupts)
    for job in jobs:
        if job.model is None and job.error is None:
            _share_fit(owners[job.plan.settings.seed], job)


def _fit_all(jobs: Sequence[Job], problem: Problem, interrupts: Interrupts) -> None:
    """Fit a model for each, the state of its fit saved in its folder."""
    plan = jobs[0].plan
    with ExitStack() as stack:
        savers = [
            stack.enter_context(FitSaver(job.folder, job.fit_rows, job.plan.settings, job.callback.note))
            for job in jobs
        ]
        fits = [
            Fit(job.plan.settings.seed, job.callback.fitted, saver) for job, saver in zip(jobs, savers, strict=True)
        ]
        models = fit_models(plan.dataset, problem, plan.settings, fits, interrupts)
    for job, model in zip(jobs, models, strict=True):
        if isinstance(model, Diverged):
            job.fail(model)
            continue
        tell_quality(model, job.callback, job.plan.scored_apart)
        job.model = with_termination(model, job.plan, job.callback)


def _share_fit(owner: Job, job: Job) -> None:
    """Take what another run's fit has made, which is this one's as well; rows that the disk refuses wait."""
    if owner.error is not None:
        job.fail(owner.error)
    job.model = owner.model
    rows = [*owner.folder.fit(), *owner.fit_rows.waiting]
    try:
        rewind_rows(job.folder.path / "fit.jsonl", -1, rows)
    except CannotWrite as error:
        job.callback.note(f"not saved, training goes on: {error}")
        job.fit_rows.waiting.extend(rows)


def with_termination(model: FittedModel, plan: Plan, callback: Callback) -> FittedModel:
    """The model with a termination head where the plan has no rule: the one it brings, else one learned now."""
    ends = plan.model_ends
    model = ends.complete(model, plan.dataset, plan.settings, plan.settings.seed)
    if sentence := ends.measurement(model):
        callback.note(sentence)
    return model


def check_fits(model: FittedModel, plan: Plan, source: Path) -> None:
    """`UserError` unless the model of `source` can be used in this plan."""
    history = model.about["shape"].get("history", 1)
    if history != plan.settings.history:
        raise UserError(f"{source}: its model was fitted with history {history}; use that or fit another model")
    log = (plan.dataset.observations.shape[1], plan.dataset.actions.shape[1])
    own = (len(model.scaling.observation_mean), len(model.scaling.action_mid))
    if own != log:
        raise UserError(
            f"{source}: its model has {plural(own[0], 'observation')} and {plural(own[1], 'action')}, "
            f"the log {log[0]} and {log[1]}"
        )
    if plan.scored_apart:  # nothing is learned in it, and policies are shown to it in its own units
        return
    _check_units(model.scaling, plan, source)
    layers = len(model.ensemble.members.net.weights)
    plan.method.refuse(sizes_of(plan.settings, layers, model.ensemble.size))
    if model.ensemble.size < plan.settings.num_elites:
        raise UserError(
            f"{source}: its model has {plural(model.ensemble.size, 'member')}; "
            f"num_elites {plan.settings.num_elites} is too many"
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
