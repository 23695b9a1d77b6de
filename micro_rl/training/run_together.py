"""Several runs in one compiled program, from start to end; each leaves the folder that it would leave alone."""

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from micro_rl.algorithms import log_epoch
from micro_rl.errors import Diverged, Interrupted, UserError
from micro_rl.storage.locks import run_lock
from micro_rl.storage.metrics_log import MetricsLog, open_metrics
from micro_rl.training import host_log
from micro_rl.training.async_epoch import Ahead
from micro_rl.training.callbacks import Watcher
from micro_rl.training.evaluator import Judge
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.models import given_model
from micro_rl.training.models_together import Owner, models_for
from micro_rl.training.plan import Plan
from micro_rl.training.population import Population, lane, put, seen_of_all, stack
from micro_rl.training.program import OnLog, OnModel, Program
from micro_rl.training.run import Epoch, Run, Training
from micro_rl.training.runner import last_epoch, run_folder
from micro_rl.training.saving import KeptRun


def execute_together(
    plans: Sequence[Plan],
    paths: Sequence[Path],
    watchers: Sequence[Watcher],
    *,
    resume: bool = False,
    until: int | None = None,
    interrupts: Interrupts | None = None,
    command: str = "",
) -> list[Run | Diverged]:
    """What `run.execute` does, for plans whose programs differ in nothing but leaves (`grid.groups`).

    A run that diverges leaves the others alone and has its error in its place. Raises `UserError`, before it makes a
    folder, and `Interrupted`, when every run is saved.
    """
    interrupts, last = interrupts or Interrupts(), last_epoch(plans[0], until)
    if host_log.stays_on_host(plans[0].settings, plans[0].dataset):
        raise UserError("log_on: runs in one program need the log on the device; run them one by one with --exact")
    with ExitStack() as opened:
        judges = [opened.enter_context(Judge(plan)) for plan in plans]
        given = [
            given_model(plan, path, resume, watcher) if plan.learns_model else None
            for plan, path, watcher in zip(plans, paths, watchers, strict=True)
        ]
        folders = [run_folder(plan, path, resume) for plan, path in zip(plans, paths, strict=True)]
        owners = [Owner(*parts) for parts in zip(plans, folders, watchers, given, strict=True)]
        for owner in owners:
            opened.enter_context(run_lock(owner.folder, command, owner.watcher.note))
        programs = _programs(owners, interrupts)
        members = {}
        if programs:
            population = Population.of(list(programs.values()))
            members, states = _begin(programs, dict(zip(owners, judges, strict=True)), population, last, opened)
            with Ahead() as ahead:
                _train(list(members.values()), population, states, ahead, interrupts)
        return [owner.error or members[owner].result() for owner in owners]


def _programs(owners: Sequence[Owner], interrupts: Interrupts) -> dict[Owner, Program]:
    """Of those whose fit went well, whose models are there afterwards."""
    plan = owners[0].plan
    if not plan.learns_model:
        on_log = log_epoch.problem_of(plan.dataset, plan.settings)
        return {owner: OnLog(owner.plan, on_log) for owner in owners}
    problem = models_for(owners, interrupts)
    return {owner: OnModel(owner.plan, owner.model, problem) for owner in owners if owner.model is not None}


@dataclass
class _Member:
    """A run in training, and in the end what became of it."""

    training: Training
    watcher: Watcher
    log: MetricsLog
    outcome: Run | Diverged | UserError | None = None

    def passed(self, epoch: Epoch) -> None:
        """Take what is needed of a finished epoch, and see to the end of the run after its last."""
        try:
            self.training.begin(epoch)
        except Diverged as error:
            self.outcome = error
            self.watcher.diverged(str(error))
        else:
            self.finish_after(epoch.seen)

    def finish_after(self, state: Any) -> None:
        """Where the state is that after the last epoch."""
        if int(state.epoch) >= self.training.last:
            self.training.conclude(self.log)
            try:
                self.outcome = self.training.finish(state, self.log)
            except UserError as error:  # raised when the others are done
                self.outcome = error

    def result(self) -> Run | Diverged:
        """What became of it; raises `UserError` where the disk refused its end."""
        assert self.outcome is not None
        if isinstance(self.outcome, UserError):
            raise self.outcome
        return self.outcome


def _begin(
    programs: dict[Owner, Program], judges: dict[Owner, Judge], population: Population, last: int, opened: ExitStack
) -> tuple[dict[Owner, _Member], Any]:
    """Every run with its state, fresh or as it was saved; models are saved before anything is compiled."""
    kept = {
        owner: opened.enter_context(
            KeptRun(owner.folder, owner.fit_rows, owner.model, owner.plan.settings, owner.watcher.note)
        )
        for owner in programs
    }
    members, states = {}, population.fresh()
    blank = jax.eval_shape(lane, states, 0)
    for run, (owner, program) in enumerate(programs.items()):
        state = kept[owner].restored(blank)
        if state is not blank:
            states = put(states, run, state)
        training = Training(owner.plan, owner.folder, kept[owner], program, judges[owner], owner.watcher, last)
        members[owner] = _Member(training, owner.watcher, opened.enter_context(open_metrics(owner.folder)))
    return members, states


def _train(
    members: Sequence[_Member], population: Population, states: Any, ahead: Ahead, interrupts: Interrupts
) -> None:
    """Epoch by epoch until every run is over; one that is over earlier is computed on, and nobody looks at it."""
    for run, member in enumerate(members):
        member.finish_after(lane(seen_of_all(states), run))
    ended = time.perf_counter()
    while going := [(run, member) for run, member in enumerate(members) if member.outcome is None]:
        if interrupts.received:
            _leave(going, states, interrupts)
        numbers = states.epoch.tolist()
        c = stack([member.training.coefficients(number) for member, number in zip(members, numbers, strict=True)])
        ahead.begin(population.epoch(states, c))
        for _, member in going:
            member.training.conclude(member.log)
        states, logged, computing = ahead.outcome()
        began, ended = ended, time.perf_counter()
        for run, member in going:
            figures = {name: float(value[run]) for name, value in logged.items()}
            member.passed(Epoch(figures, ended - began, computing, lane(seen_of_all(states), run), _whole(states, run)))


def _whole(states: Any, run: int) -> Any:
    return lambda: lane(states, run)


def _leave(members: Sequence[tuple[int, _Member]], states: Any, interrupts: Interrupts) -> None:
    """Save every run, then raise `Interrupted`."""
    for run, member in members:
        member.training.conclude(member.log)
        with suppress(Interrupted):
            member.training.kept.leave(lane(states, run), member.log, interrupts)
    interrupts.leave("every run is saved; the same command with --resume goes on")
