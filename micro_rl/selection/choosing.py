"""A choice from start to end: look, part the log, make the judge, train in rungs, judge all, decide.

What it comes to is a function of the log, the question and the plan; whatever lies in the folder already is taken, so
that one that was killed goes on. Once its plan is final it ends as it would have ended; how many rungs are added before
hangs on the clock.
"""

import time
from pathlib import Path
from typing import Any, NamedTuple

from micro_rl.cluster import connection
from micro_rl.core.wording import duration, plural
from micro_rl.data import Dataset
from micro_rl.data.conversion import convert
from micro_rl.data.parts import Parts
from micro_rl.dynamics import known_reward
from micro_rl.dynamics.termination import episode_ends
from micro_rl.errors import TooLittle, UserError
from micro_rl.reports.choice.record import Choice
from micro_rl.selection import decision, plan_file
from micro_rl.selection.clock import Clock
from micro_rl.selection.crew import Crew, crew_for
from micro_rl.selection.field import Field
from micro_rl.selection.judging_part import make_judge
from micro_rl.selection.look import Look, look
from micro_rl.selection.plan_file import Planned
from micro_rl.selection.portfolio import SEEDS_FROM, Candidate, portfolio
from micro_rl.selection.question import READING, Question, check, enter
from micro_rl.selection.rungs import Rungs
from micro_rl.selection.watching import Watcher
from micro_rl.storage.locks import locked
from micro_rl.trust.apart import labelled
from micro_rl.trust.layout import lay_out
from micro_rl.trust.options import Options

JUDGED = 20.0
"""Seconds that the judgement at the end takes for each candidate, about."""
LOG = "training.hdf5"


def choose_policy(
    dataset: Dataset,
    question: Question,
    folder: Path,
    resume: bool,
    watcher: Watcher,
    command: str = "",
    on: str | None = None,
    began: float | None = None,
) -> Choice:
    """Choose a policy from a log.

    Args:
        dataset: the log, single observations.
        question: what was asked.
        folder: takes everything.
        resume: go on in that folder.
        watcher: is told how it goes.
        command: what was typed, for the record.
        on: the cluster that trains; None: this machine.
        began: when the log began to be read, by `time.monotonic`; by default now.

    Returns:
        The decision; the folder holds the policies and runs behind it.

    Raises:
        UserError: in one line, before anything is computed where that is possible.
    """
    began = time.monotonic() if began is None else began
    check(question)
    if on is not None:
        connection.check(on)
    seen = look(dataset)
    labels, options = _judged_by(dataset, seen.history, question.options(dataset, folder / "judge"))
    candidates = _candidates(question, seen)
    own = question.kept(dataset)
    asked = {name: own[name] for name in ("log", READING, "minutes", "seed")}
    if question.plan is not None:
        plan_file.read(question.plan, [candidate.name for candidate in candidates], asked)
    enter(folder, own, resume)
    with locked(folder / "lock", "choice"), crew_for(on, folder, watcher.note) as crew:
        watcher.looked(seen.lines)
        work = _Work(labels, question, options, folder, watcher, Clock(folder / "clock.json", began), crew)
        about = decision.About(dataset, question, seen.lines, command, folder)
        return work.choose(candidates, seen, asked, about)


class _Work(NamedTuple):
    """What every step of a choice needs."""

    dataset: Dataset
    question: Question
    options: Options
    folder: Path
    watcher: Watcher
    clock: Clock
    crew: Crew

    def choose(
        self, candidates: tuple[Candidate, ...], seen: Look, asked: dict[str, Any], about: decision.About
    ) -> Choice:
        """From the judge to the decision."""
        try:
            judge = make_judge(self.dataset, seen.history, self.options, self._judging)
        except TooLittle as error:
            return decision.without_judge(about, str(error), self.clock)
        lines = (("parts", judge.parts.made), ("judge", judge.words))
        self.watcher.looked(lines)
        for candidate in candidates:
            self.watcher.note(f"{'try':10}{candidate.name}: {candidate.why}")
        seeds = (self.question.seed, self.question.seed + 1)
        seeds = seeds if self.question.minutes >= SEEDS_FROM else seeds[:1]
        log, mapping = _training_log(judge.parts, self.folder), self.dataset.mapping
        field = Field(candidates, log, self.folder, seeds, self.crew, mapping)
        planned = self._planned(field, len(judge.parts.training), asked)
        rungs = Rungs(field, judge.yardstick, planned, self.folder / "tasks", self.watcher, self.clock)
        rungs.carry_out(planned)
        while not planned.final:
            planned = self._further(field, rungs, planned)
            rungs.carry_out(planned)
        self.watcher.at_work("judging every candidate's best policy", JUDGED * len(field.candidates))
        about = about._replace(looks=(*seen.lines, *lines), workers=planned.workers, apart=judge.apart)
        return decision.decide(about, rungs, self.options, self.clock)

    def _further(self, field: Field, rungs: Rungs, planned: Planned) -> Planned:
        """The plan with what is left of the time dealt out; it is kept."""
        spare, rising = 60 * self.question.minutes - self.clock.seconds - JUDGED * len(field.candidates), rungs.rising
        planned = plan_file.further(planned, rungs.going, rising, spare)
        if not planned.final:
            words = f"{duration(spare)} are left, and what still rises: {', '.join(rising)}"
            self.watcher.note(f"{'plan':10}a further rung, as {words}")
        path = self.folder / plan_file.PLAN
        cores = plan_file.read(path, field.names, planned.asked).workers  # here there may be fewer for a while
        plan_file.write(path, planned._replace(workers=cores))
        return planned

    def _judging(self, what: str, share: float) -> None:
        self.watcher.at_work(f"the judge: {what}", max(0.0, 60 * self.question.minutes - self.clock.seconds))

    def _planned(self, field: Field, rows: int, asked: dict[str, Any]) -> Planned:
        """The plan that is there, or was given, or follows from the first epochs of every candidate."""
        path, spent, minutes = self.folder / plan_file.PLAN, self.clock.before_training(), self.question.minutes
        if not path.exists() and self.question.plan is not None:
            plan_file.write(path, plan_file.read(self.question.plan, field.names, asked)._replace(final=True))
        failures = plan_file.begin(field, minutes, self.crew.size, rows, self.watcher, self.clock)
        if not path.exists():
            rest = 60 * minutes - spent - JUDGED * len(field.candidates)
            plan_file.write(path, plan_file.make(field, rest, self.crew.size, rows, failures, asked))
        planned = plan_file.read(path, field.names, asked)
        planned = planned._replace(workers=min(planned.workers, self.crew.size))
        for name, reason in planned.failures.items():
            self.watcher.note(f"{name}: {reason}")
        self.watcher.note(
            f"{'plan':10}rungs for {', '.join(map(str, planned.schedule.places))} candidates with "
            f"{plural(len(field.seeds), 'seed')} each on {plural(planned.workers, 'core')}, about "
            f"{duration(planned.schedule.seconds(planned.costs, planned.workers))}"
        )
        return planned


def _candidates(question: Question, seen: Look) -> tuple[Candidate, ...]:
    """The portfolio; those that learn in a model end its episodes, and reward its steps, as the judge does."""
    every = portfolio(question.minutes, seen.history, seen.narrow, seen.negative)
    asked = {"termination": question.termination, "known_reward": question.known_reward}
    rules = {name: value for name, value in asked.items() if value is not None}
    return tuple(own._replace(settings=own.settings | rules) if own.learns_model else own for own in every)


def _judged_by(dataset: Dataset, history: int, asked: Options) -> tuple[Dataset, Options]:
    """The log with the labels that were asked for, and the judge's options.

    Raises:
        UserError: for whatever the user can ask otherwise; a log that is too small is no mistake.
    """
    labels, options = labelled(dataset, asked)
    episode_ends(labels, options.termination)
    if options.known_reward is not None:
        known_reward.find(options.known_reward, labels)
    try:
        lay_out(labels, history, options)
    except TooLittle:
        if (asked.window is not None or asked.groups is not None) and _is_enough(dataset, history, asked):
            raise
    return labels, options


def _is_enough(dataset: Dataset, history: int, asked: Options) -> bool:
    """Whether the log can be judged by windows and groups that nobody asked for."""
    try:
        lay_out(dataset, history, asked._replace(window=None, groups=None))
    except UserError:
        return False
    return True


def _training_log(parts: Parts, folder: Path) -> Path:
    """The file of the candidates' part."""
    path = folder / LOG
    if not path.exists():
        convert(parts.training, path, "hdf5", "micro-rl choose")
    return path


def folder_of(dataset: Dataset) -> Path:
    """Where a choice goes that was given no folder."""
    return Path("trained") / f"{dataset.name}-choice"
