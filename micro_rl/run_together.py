"""Several runs in one compiled program, from start to end; each leaves the folder that it would leave alone."""

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from micro_rl import feeding, log_loop, model_report
from micro_rl.at_work import at_work
from micro_rl.errors import Diverged, Interrupted, UserError
from micro_rl.files import CannotWrite
from micro_rl.fit_keeping import KeptFit
from micro_rl.fitting import FittedModel, problem_of
from micro_rl.fitting_together import Fit, fit_models
from micro_rl.interrupts import Interrupts
from micro_rl.judge import Judge
from micro_rl.loop import Problem
from micro_rl.metrics import MetricsLog, open_metrics
from micro_rl.plan import Plan
from micro_rl.population import Population, lane, put, seen_of_all, stack
from micro_rl.program import OnLog, OnModel, Program
from micro_rl.rows import rewind_rows
from micro_rl.run import last_epoch, run_folder
from micro_rl.run_keeping import KeptRun
from micro_rl.run_model import given_model, with_end
from micro_rl.store import RunFolder
from micro_rl.training import Epoch, Run, Training
from micro_rl.watcher import Watcher


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

    A run that diverges leaves the others alone and has its error in its place. Raises `UserError`, before there is a
    folder, and `Interrupted`, when every run is saved.
    """
    interrupts, last = interrupts or Interrupts(), last_epoch(plans[0], until)
    if feeding.stays_on_host(plans[0].settings, plans[0].dataset):
        raise UserError("log_on: runs in one program need the log on the device; run them one by one with --exact")
    with ExitStack() as opened:
        judges = [opened.enter_context(Judge(plan)) for plan in plans]
        given = [
            given_model(plan, path, resume, watcher) if plan.learns_model else None
            for plan, path, watcher in zip(plans, paths, watchers, strict=True)
        ]
        folders = [run_folder(plan, path, resume) for plan, path in zip(plans, paths, strict=True)]
        members = [_Member(*parts) for parts in zip(plans, folders, judges, watchers, given, strict=True)]
        for member in members:
            opened.enter_context(at_work(member.folder, command, member.watcher))
        programs = _programs(members, interrupts)
        going = [member for member in members if member.outcome is None]
        if going:
            population = Population.of(programs)
            states = _begin(going, programs, population, last, opened)
            _train(going, population, states, interrupts)
        return [member.result() for member in members]


@dataclass(eq=False)
class _Member:
    """One of the runs, and in the end what became of it."""

    plan: Plan
    folder: RunFolder
    judge: Judge
    watcher: Watcher
    model: FittedModel | None
    outcome: Run | Diverged | UserError | None = None

    def __post_init__(self) -> None:
        self.fit_rows = self.folder.fit_rows()
        self.kept: KeptRun
        self.training: Training
        self.log: MetricsLog

    def result(self) -> Run | Diverged:
        """What became of it; raises `UserError` where the disk refused its end."""
        assert self.outcome is not None
        if isinstance(self.outcome, UserError):
            raise self.outcome
        return self.outcome

    def fitted_with(self, other: "_Member") -> None:
        """Take what another's fit has made, which was this one's as well; rows that the disk refuses wait."""
        if isinstance(other.outcome, Diverged):
            self._diverged(other.outcome)
        self.model = other.model
        rows = [*other.folder.fit(), *other.fit_rows.waiting]
        try:
            rewind_rows(self.folder.path / "fit.jsonl", -1, rows)
        except CannotWrite as error:
            self.watcher.note(f"not saved, training goes on: {error}")
            self.fit_rows.waiting.extend(rows)

    def fitted(self, model: FittedModel | Diverged) -> None:
        """Take the fitted model, or its error."""
        if isinstance(model, Diverged):
            self._diverged(model)
            return
        if report := model_report.of(model.about):
            self.watcher.measured(report.sentence())
        self.model = with_end(model, self.plan, self.watcher)

    def keep(self, opened: ExitStack) -> None:
        """Save the model, and from now on the training."""
        kept = KeptRun(self.folder, self.fit_rows, self.model, self.plan.settings, self.watcher.note)
        self.kept = opened.enter_context(kept)

    def begin(self, program: Program, blank: Any, last: int, opened: ExitStack) -> Any:
        """Go on from the newest checkpoint, whose state is returned, else `blank`."""
        self.training = Training(self.plan, self.folder, self.kept, program, self.judge, self.watcher, last)
        state = self.kept.restored(blank)
        self.log = opened.enter_context(open_metrics(self.folder))
        return state

    def passed(self, epoch: Epoch) -> None:
        """Take what is needed of a finished epoch, and see to the end of the run after its last."""
        try:
            self.training.begin(epoch)
        except Diverged as error:
            self._diverged(error)
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

    def _diverged(self, error: Diverged) -> None:
        self.outcome = error
        self.watcher.diverged(str(error))


def _programs(members: Sequence[_Member], interrupts: Interrupts) -> list[Program]:
    """Of the members whose fit went well, whose models are there afterwards."""
    plan = members[0].plan
    if not plan.learns_model:
        on_log = log_loop.problem_of(plan.dataset, plan.settings)
        return [OnLog(member.plan, on_log) for member in members]
    brought = next((member.model.scaling for member in members if member.model), None)
    problem = problem_of(plan.dataset, plan.settings, brought)
    for member in members:
        if member.model is not None:
            member.model = with_end(member.model, member.plan, member.watcher)
    _fit(members, problem, interrupts)
    return [
        OnModel(member.plan, member.model, problem)
        for member in members
        if member.model is not None and member.outcome is None
    ]


def _fit(members: Sequence[_Member], problem: Problem, interrupts: Interrupts) -> None:
    """Give each its model, or the error of its fit; runs of the same seed have the same, which is fitted once."""
    firsts = {member.plan.settings.seed: member for member in reversed(members)}
    firsts |= {member.plan.settings.seed: member for member in members if member.model is not None}
    if fresh := [member for member in members if member.model is None and member in firsts.values()]:
        for first, model in zip(fresh, _fitted(fresh, problem, interrupts), strict=True):
            first.fitted(model)
    for member in members:
        if member.model is None and member.outcome is None:
            member.fitted_with(firsts[member.plan.settings.seed])


def _fitted(members: Sequence[_Member], problem: Problem, interrupts: Interrupts) -> list[FittedModel | Diverged]:
    """One model for each, the state of its fit kept in the member's folder."""
    plan, fits = members[0].plan, []
    with ExitStack() as opened:
        for member in members:
            keeper = KeptFit(
                member.folder, member.fit_rows, member.plan.settings, problem, member.watcher.note, interrupts
            )
            fits.append(Fit(member.plan.settings.seed, opened.enter_context(keeper), member.watcher.fitted))
        return fit_models(plan.dataset, problem, plan.settings, fits)


def _begin(
    members: Sequence[_Member], programs: Sequence[Program], population: Population, last: int, opened: ExitStack
) -> Any:
    """Every run's state, fresh or as it was saved; models are saved before anything is compiled."""
    for member in members:
        member.keep(opened)
    states = population.fresh()
    blank = jax.eval_shape(lane, states, 0)
    for run, (member, program) in enumerate(zip(members, programs, strict=True)):
        state = member.begin(program, blank, last, opened)
        if state is not blank:
            states = put(states, run, state)
    return states


def _train(members: Sequence[_Member], population: Population, states: Any, interrupts: Interrupts) -> None:
    """Epoch by epoch until every run is over; one that is over earlier is computed on, and nobody looks at it."""
    for run, member in enumerate(members):
        member.finish_after(lane(seen_of_all(states), run))
    while going := [(run, member) for run, member in enumerate(members) if member.outcome is None]:
        if interrupts.received:
            _leave(going, states, interrupts)
        began, numbers = time.perf_counter(), states.epoch.tolist()
        c = stack([member.training.coefficients(number) for member, number in zip(members, numbers, strict=True)])
        states, logged = population.epoch(states, c)
        for _, member in going:
            member.training.conclude(member.log)
        logged = jax.device_get(logged)
        seconds = time.perf_counter() - began
        for run, member in going:
            figures = {name: float(value[run]) for name, value in logged.items()}
            member.passed(Epoch(figures, seconds, lane(seen_of_all(states), run), _whole(states, run)))


def _whole(states: Any, run: int) -> Any:
    return lambda: lane(states, run)


def _leave(members: Sequence[tuple[int, _Member]], states: Any, interrupts: Interrupts) -> None:
    """Save every run, then raise `Interrupted`."""
    for run, member in members:
        member.training.conclude(member.log)
        with suppress(Interrupted):
            member.training.kept.leave(lane(states, run), member.log, interrupts)
    interrupts.leave("every run is saved; the same command with --resume goes on")
