"""Runs from start to end, one or several in one compiled program: folders, models, epoch after epoch, the results."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from micro_rl.algorithms.log_epoch import LogProblem
from micro_rl.core.types import Problem
from micro_rl.errors import Diverged, UserError
from micro_rl.simulation.guarded import SimulatorFault
from micro_rl.storage.locks import run_lock
from micro_rl.storage.metrics_log import open_metrics
from micro_rl.storage.wandb_log import WandbRun, WandbSettings
from micro_rl.training import memory
from micro_rl.training.async_epoch import EpochExecutor
from micro_rl.training.branch import branch_off
from micro_rl.training.callbacks import Callback
from micro_rl.training.evaluator import PolicyEvaluator
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.job import Job, Run
from micro_rl.training.lanes import set_run, stack, take_run, view_run
from micro_rl.training.learning import program_for
from micro_rl.training.models import given_model, prepare_models
from micro_rl.training.plan import Plan
from micro_rl.training.program import Program
from micro_rl.training.refit import adopt
from micro_rl.training.run import Epoch, RunTraining
from micro_rl.training.run_begin import run_folder
from micro_rl.training.saving import GO_ON, RunSaver, kept_of_all


def execute(
    plan: Plan,
    path: Path,
    *,
    branch: Path | None = None,
    refit: bool = False,
    callback: Callback | None = None,
    **more: Any,
) -> Run:
    """Fit or load a model, train epoch by epoch, evaluate, save: one run.

    Args:
        plan: What to do.
        path: The run folder.
        branch: A new folder, in which the run in `path` goes on under this plan.
        refit: The branch's model is fitted anew on the plan's log; its agent goes on in the units it knows.
        callback: Is told how the run goes.
        more: As `execute_all` takes it.

    Raises:
        UserError: Something the user can mend, before there is a folder where that is possible.
        Diverged: The fit or the training blew up.
        Interrupted: A signal came, and all is saved.
    """
    callback = callback or Callback()
    if refit and branch is None:
        raise UserError("refit: is of a run that goes on with --branch; name the new folder there")
    if branch is not None and more.get("resume") and (branch / "config.json").exists():
        path = branch
    elif branch is not None:
        last_epoch(plan, more.get("until"))
        memory.refuse_too_large(plan)
        with PolicyEvaluator(plan):  # mistakes are found before there is a folder
            branch_off(plan, path, branch, callback, refit)
        path, more["resume"] = branch, True
    [outcome] = execute_all([plan], [path], [callback], **more)
    if isinstance(outcome, Diverged):
        raise outcome
    return outcome


def execute_all(
    plans: Sequence[Plan],
    paths: Sequence[Path],
    callbacks: Sequence[Callback],
    *,
    resume: bool = False,
    until: int | None = None,
    wandb: WandbSettings | None = None,
    interrupts: Interrupts | None = None,
    command: str = "",
) -> list[Run | Diverged]:
    """Make runs in one program, whose plans differ in nothing but the values of leaves (`grid.groups`).

    Args:
        plans: One for each run.
        paths: Their folders.
        callbacks: Who is told how each goes.
        resume: Go on from the newest checkpoint in a folder that has one.
        until: Stop after that epoch with everything saved, as if the run were to go on to the plan's last.
        wandb: Where Weights & Biases takes the rows; None: nowhere.
        interrupts: Asks to save and leave.
        command: What was typed, for the record.

    Returns:
        Each run, or the error of one that diverged, which leaves the others alone.

    Raises:
        UserError: Before a folder is made, where that is possible.
        Interrupted: A signal came, and every run is saved.
    """
    interrupts, last = interrupts or Interrupts(), last_epoch(plans[0], until)
    memory.refuse_too_large(plans[0])
    _tell_notes(plans, callbacks)
    with ExitStack() as opened:
        runs = list(zip(plans, paths, callbacks, strict=True))
        evaluators = [_evaluator(plan, callback, opened) for plan, _, callback in runs]
        models = [given_model(plan, path, resume, callback) for plan, path, callback in runs]
        folders = [run_folder(*run[:2], resume, own.notes) for run, own in zip(runs, evaluators, strict=True)]
        jobs = [Job(*parts) for parts in zip(plans, folders, callbacks, models, strict=True)]
        for job in jobs:
            opened.enter_context(run_lock(job.folder, command, job.callback.note))
        trackers = _trackers(jobs, wandb, opened)  # what it refuses costs no fit
        problem = prepare_models(jobs, interrupts)
        able = [(job, evaluator) for job, evaluator in zip(jobs, evaluators, strict=True) if job.error is None]
        trainings = _train_all(able, problem, last, trackers, interrupts, opened) if able else {}
        return [_outcome(job, trainings.get(job)) for job in jobs]


def _tell_notes(plans: Sequence[Plan], callbacks: Sequence[Callback]) -> None:
    for plan, callback in zip(plans, callbacks, strict=True):
        for note in plan.notes:
            callback.note(note)


def _evaluator(plan: Plan, callback: Callback, opened: ExitStack) -> PolicyEvaluator:
    """The simulators of a run, open; what they differ in from the log is told."""
    evaluator = opened.enter_context(PolicyEvaluator(plan))
    for note in evaluator.notes:
        callback.note(note)
    return evaluator


def last_epoch(plan: Plan, until: int | None) -> int:
    """The epoch to stop after."""
    if until is None:
        return plan.settings.epochs
    if until < 1:
        raise UserError(f"until: {until} is too small; it must be at least 1")
    return min(until, plan.settings.epochs)


def _trackers(jobs: Sequence[Job], wandb: WandbSettings | None, opened: ExitStack) -> dict[Job, WandbRun]:
    """Each job's run at Weights & Biases; none where nobody asked for it."""
    if wandb is None:
        return {}
    trackers = {}
    for job in jobs:
        trackers[job] = WandbRun(job.folder, wandb)
        opened.callback(trackers[job].close)
    return trackers


def _train_all(
    able: Sequence[tuple[Job, PolicyEvaluator]],
    problem: Problem | LogProblem,
    last: int,
    trackers: Mapping[Job, WandbRun],
    interrupts: Interrupts,
    opened: ExitStack,
) -> dict[Job, RunTraining]:
    """Train the jobs whose fits went well, in one program; what each has come to."""
    jobs = [job for job, _ in able]
    program = program_for([job.plan for job in jobs], [job.model for job in jobs], problem)
    savers = [_saver(job) for job in jobs]
    for run, job in enumerate(jobs):
        adopt(job, program, run)
    states = _restored(program, [opened.enter_context(saver) for saver in savers])
    trainings = {}
    for (job, evaluator), saver in zip(able, savers, strict=True):
        metrics = open_metrics(job.folder, trackers.get(job))  # after its folder went back to the checkpoint
        log = opened.enter_context(metrics)
        evaluator.score_by(job.model)
        trainings[job] = RunTraining(job, problem, saver, evaluator, log, last)
    _train(list(trainings.values()), program, states, interrupts)
    return trainings


def _saver(job: Job) -> RunSaver:
    model_folder = job.plan.model_use.place(job.folder)
    return RunSaver(job.folder, job.fit_rows, job.model, model_folder, job.plan.settings, job.callback.note)


def _restored(program: Program, savers: Sequence[RunSaver]) -> Any:
    """Every run's state, fresh or as it was saved; models are saved before anything is compiled."""
    blank = program.blank()
    saved = [saver.restore(blank) for saver in savers]
    states = program.fresh()
    for run, state in enumerate(saved):
        if state is not blank:
            states = set_run(states, run, state)
    return states


def _train(trainings: Sequence[RunTraining], program: Program, states: Any, interrupts: Interrupts) -> None:
    """Epoch by epoch until every run is over; one that is over earlier is computed on, and nobody looks at it.

    What one epoch has made is evaluated and saved while the next is computed.
    """
    light = states.without_buffer()
    for run, training in enumerate(trainings):
        training.finish_if_over(take_run(light, run))
    ended = time.perf_counter()
    with EpochExecutor() as executor:
        while going := [(run, training) for run, training in enumerate(trainings) if training.outcome is None]:
            if interrupts.received:
                _leave(going, states, interrupts)
            numbers = states.epoch.tolist()
            c = stack([training.coefficients(number) for training, number in zip(trainings, numbers, strict=True)])
            executor.submit(program.epoch(states, c))
            for _, training in going:
                training.finish_epoch()
            faults = [training.fault for _, training in going if training.fault is not None]
            states, means, first_bad, computing = executor.result()
            began, ended = ended, time.perf_counter()
            light = states.without_buffer()
            for run, training in going:
                state = take_run(light, run)
                training.receive_epoch(
                    Epoch(
                        {name: float(value[run]) for name, value in means.items()},
                        {name: int(value[run]) for name, value in first_bad.items()},
                        ended - began,
                        computing,
                        state,
                        lambda states=states, run=run: view_run(states, run),
                    )
                )
                training.finish_if_over(state)
            if faults:
                _leave_for(faults[0], [pair for pair in going if pair[1].outcome is None], states)


def _leave(going: Sequence[tuple[int, RunTraining]], states: Any, interrupts: Interrupts) -> None:
    """Save every run, then raise `Interrupted`."""
    saved = kept_of_all([training.save_now(view_run(states, run)) for run, training in going])
    interrupts.leave(f"{saved.words}; {GO_ON}", saved.whole)


def _leave_for(fault: SimulatorFault, going: Sequence[tuple[int, RunTraining]], states: Any) -> None:
    """Save every run that is not over, then raise what went wrong in a simulator."""
    saved = [training.save_now(view_run(states, run)) for run, training in going]
    if saved:
        raise UserError(f"{fault}; {kept_of_all(saved).words}, and {GO_ON}")


def _outcome(job: Job, training: RunTraining | None) -> Run | Diverged:
    """What became of a run; raises `UserError` where the disk refused its end."""
    outcome = job.error if training is None else training.outcome
    assert outcome is not None
    if isinstance(outcome, UserError):
        raise outcome
    return outcome
