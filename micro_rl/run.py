"""A run from start to end: everything between the compiled epochs, that is disk, simulator and watchers."""

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from micro_rl import comparing, divergence, log_loop, trees
from micro_rl.at_work import at_work
from micro_rl.branching import branch_off
from micro_rl.buffer import rows_of
from micro_rl.errors import Diverged, UserError
from micro_rl.export import export
from micro_rl.files import CannotWrite
from micro_rl.interrupts import Interrupts
from micro_rl.judge import Judge, final_scores
from micro_rl.loop import actor_rate, coefficients
from micro_rl.metrics import MetricsLog, open_metrics
from micro_rl.plan import Plan
from micro_rl.policy import Policy
from micro_rl.program import OnLog, OnModel, Program
from micro_rl.report import write_report
from micro_rl.rows import Row
from micro_rl.run_keeping import KeptRun
from micro_rl.run_model import given_model, model_for
from micro_rl.sac import Coefficients
from micro_rl.store import RunFolder
from micro_rl.wandb_run import WandbSettings
from micro_rl.watcher import Watcher

RAW_REWARD_KEYS = (
    "q/real",
    "q/model",
    "q/target",
    "value/real",
    "conservative_term",
    "inconsistency",
    "rollout/reward",
)


@dataclass(frozen=True)
class Run:
    """A finished run: where it lies, what it learned and what it scored."""

    path: Path
    policy: Policy
    scores: dict[str, Any]
    metrics: list[Row]


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
    last = _last_epoch(plan, until)
    for note in plan.notes:
        watcher.note(note)
    with Judge(plan) as judge:
        if branch is not None:
            branch_off(plan, path, branch, watcher)
            path, resume = branch, True
        given = given_model(plan, path, resume, watcher) if plan.learns_model else None
        folder = _folder(plan, path, resume)  # last, so that a mistake leaves no folder behind
        with at_work(folder, command, watcher):
            fit_rows = folder.fit_rows()
            if plan.learns_model:
                model, problem = model_for(plan, given, folder, fit_rows, watcher, interrupts)
                program: Program = OnModel(plan, model, problem)
            else:
                model, program = None, OnLog(plan, log_loop.problem_of(plan.dataset, plan.settings))
            kept = KeptRun(folder, fit_rows, model, plan.settings, watcher.note)
            training = _Training(plan, folder, kept, program, watcher, interrupts)
            with kept, training.open_metrics(wandb) as log:
                training.train(judge, log, last)
                return training.finish(log)


def _folder(plan: Plan, path: Path, resume: bool) -> RunFolder:
    """A new run folder, or the one to go on with, whose plan must be this one."""
    if not (resume and (path / "config.json").exists()):
        return RunFolder.create(path, plan.config())
    folder = RunFolder.open(path)
    comparing.refuse_another(folder.config(), plan.config(), plan.usual(), path)
    return folder


def _last_epoch(plan: Plan, until: int | None) -> int:
    if until is None:
        return plan.settings.epochs
    if until < 1:
        raise UserError(f"until: {until} is too small; it must be at least 1")
    return min(until, plan.settings.epochs)


class _Training:
    """One process's part of a run: the state, and what happens to it between epochs."""

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        kept: KeptRun,
        program: Program,
        watcher: Watcher,
        interrupts: Interrupts,
    ):
        self.plan, self.folder, self.kept = plan, folder, kept
        self.program, self.settings = program, plan.settings
        self.watcher, self.interrupts = watcher, interrupts
        self.problem = problem = program.problem
        act, scale = rows_of(problem.log).action.shape[-1], float(problem.scaling.reward_scale)
        self.coefficients = coefficients(self.settings, act, scale)
        self.limit = divergence.largest_value(problem, self.settings.discount)
        self.state = kept.restored(program.fresh())

    def open_metrics(self, wandb: WandbSettings | None) -> MetricsLog:
        """After the rewind, so that every epoch stands there once."""
        return open_metrics(self.folder, wandb)

    def train(self, judge: Judge, log: MetricsLog, last: int) -> None:
        """The epochs that are left up to `last`."""
        for number in range(int(self.state.epoch), last):
            if self.interrupts.received:
                self.kept.leave(self.state, log, self.interrupts)
            began = time.perf_counter()
            self.state, logged = self.program.epoch(self.state, self._coefficients(number))
            logged = {name: float(value) for name, value in jax.device_get(logged).items()}
            seconds = time.perf_counter() - began
            reason = divergence.reason(logged, self.state.agent, self.limit)
            if reason is not None:
                self._stop(reason, number)
            row = self._row(number + 1, logged) | {"time/updates_per_second": self.settings.updates / seconds}
            policy = self._policy()
            if (number + 1) % self.settings.evaluate_every == 0 or number + 1 == self.settings.epochs:
                row |= judge(self.state, policy, self.problem.scaling, self.program.ends)
            row["time/seconds"] = time.perf_counter() - began
            self.kept.epoch(self.state, row, log, final=number + 1 == last)
            self.watcher.trained(row, policy)

    def _coefficients(self, number: int) -> Coefficients:
        return self.coefficients._replace(actor_rate=actor_rate(self.settings, number))

    def _policy(self) -> Policy:
        return export(self.state.agent.actor, self.problem.scaling, self.plan.task.env, self.settings.history)

    def _row(self, number: int, logged: dict[str, float]) -> Row:
        """An epoch's means; rewards and values in raw units."""
        scale = float(self.problem.scaling.reward_scale)
        row: Row = {name: value * (scale if name in RAW_REWARD_KEYS else 1.0) for name, value in logged.items()}
        return {"epoch": number, "updates": number * self.settings.updates} | row

    def _stop(self, reason: str, number: int) -> None:
        """Go back to the state that led to this, find what blew up first, keep it, and raise `Diverged`."""
        self.kept.finish()
        self.watcher.note(f"epoch {number + 1}: {reason}; the epoch is gone through again to find the cause")
        before, c = self._state_before(number), self._coefficients(number)
        found = divergence.first_to_blow_up(self.program.steps(before, c), self.limit)
        key = jax.random.fold_in(self.program.keys.epochs, number)
        told = divergence.keep(self.folder.diverged, before, key, found, reason)
        raise Diverged(f"epoch {number + 1}: {reason}; {told}")

    def _state_before(self, number: int) -> Any:
        """The state after `number` epochs, computed again from the newest checkpoint, which gives the same bits."""
        state, kept = self.program.fresh(), None
        with suppress(UserError):
            kept = self.folder.checkpoints.newest()
        if kept is not None and kept.epoch <= number:
            state = trees.from_arrays(state, kept.arrays, str(self.folder.checkpoints.path))
        for again in range(int(state.epoch), number):
            state, _ = self.program.epoch(state, self._coefficients(again))
        return state

    def finish(self, log: MetricsLog) -> Run:
        """Policy, scores and the page."""
        log.write_waiting()
        policy = self._policy()
        policy.save(self.folder.path / "policy.safetensors")
        rows = self.folder.metrics()
        result = final_scores(rows, self.plan)
        self.folder.write_scores(result)
        try:
            write_report(self.folder.path)
        except CannotWrite as error:
            self.watcher.note(f"no page: {error}")
        self.folder.seal()
        return Run(self.folder.path, policy, result, rows)
