"""A run from start to end: its folder, its model, and one compiled epoch after another."""

import time
from pathlib import Path
from typing import Any

from micro_rl.algorithms import log_epoch
from micro_rl.errors import UserError
from micro_rl.storage import config_diff
from micro_rl.storage.locks import run_lock
from micro_rl.storage.metrics_log import MetricsLog, open_metrics
from micro_rl.storage.run_folder import RunFolder
from micro_rl.storage.wandb_log import WandbSettings
from micro_rl.training import memory
from micro_rl.training.async_epoch import Ahead
from micro_rl.training.branch import branch_off
from micro_rl.training.callbacks import Watcher
from micro_rl.training.evaluator import Judge
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.models import given_model, model_for
from micro_rl.training.plan import Plan
from micro_rl.training.plan_record import config_of, usual_of
from micro_rl.training.program import OnLog, OnModel, Program
from micro_rl.training.run import Epoch, Run, Training, seen
from micro_rl.training.saving import KeptRun


def execute(
    plan: Plan,
    path: Path,
    *,
    resume: bool = False,
    branch: Path | None = None,
    until: int | None = None,
    watcher: Watcher | None = None,
    wandb: WandbSettings | None = None,
    interrupts: Interrupts | None = None,
    command: str = "",
) -> Run:
    """Fit or load the model, train epoch by epoch, evaluate, save. Raises `UserError`, `Diverged`, `Interrupted`.

    `branch` is a new folder, in which the run in `path` goes on under this plan. `until` stops after that epoch,
    with everything saved, as if the run were to go on to the plan's last. `command` is what was typed, for the record.
    """
    watcher, interrupts = watcher or Watcher(), interrupts or Interrupts()
    last = last_epoch(plan, until)
    memory.refuse_too_large(plan)
    for note in plan.notes:
        watcher.note(note)
    with Judge(plan) as judge:
        if branch is not None:
            branch_off(plan, path, branch, watcher)
            path, resume = branch, True
        given = given_model(plan, path, resume, watcher) if plan.learns_model else None
        folder = run_folder(plan, path, resume)  # last, so that a mistake leaves no folder behind
        with run_lock(folder, command, watcher.note):
            fit_rows = folder.fit_rows()
            if plan.learns_model:
                model, problem = model_for(plan, given, folder, fit_rows, watcher, interrupts)
                program: Program = OnModel(plan, model, problem)
            else:
                model, program = None, OnLog(plan, log_epoch.problem_of(plan.dataset, plan.settings))
            kept = KeptRun(folder, fit_rows, model, plan.settings, watcher.note)
            training = Training(plan, folder, kept, program, judge, watcher, last)
            fresh: Any = program.fresh()
            state = kept.restored(fresh)
            with kept, open_metrics(folder, wandb) as log:  # after the rewind: every epoch stands there once
                state = _train(training, state, log, interrupts)
                return training.finish(state, log)


def run_folder(plan: Plan, path: Path, resume: bool) -> RunFolder:
    """A new run folder, or the one to go on with, whose plan must be this one."""
    if not (resume and (path / "config.json").exists()):
        return RunFolder.create(path, config_of(plan))
    folder = RunFolder.open(path)
    config_diff.require_same_config(folder.config(), config_of(plan), usual_of(plan), path)
    return folder


def last_epoch(plan: Plan, until: int | None) -> int:
    """The epoch to stop after."""
    if until is None:
        return plan.settings.epochs
    if until < 1:
        raise UserError(f"until: {until} is too small; it must be at least 1")
    return min(until, plan.settings.epochs)


def _train(training: Training, state: Any, log: MetricsLog, interrupts: Interrupts) -> Any:
    """The state after the epochs that are left; what one has made is seen to while the next is computed."""
    with Ahead() as ahead:
        ended = time.perf_counter()
        for number in range(int(state.epoch), training.last):
            if interrupts.received:
                training.conclude(log)
                training.kept.leave(state, log, interrupts)
            ahead.begin(training.program.epoch(state, training.coefficients(number)))
            training.conclude(log)
            state, logged, computing = ahead.outcome()
            figures = {name: float(value) for name, value in logged.items()}
            began, ended = ended, time.perf_counter()
            training.begin(Epoch(figures, ended - began, computing, seen(state), lambda now=state: now))
        training.conclude(log)
        return state
