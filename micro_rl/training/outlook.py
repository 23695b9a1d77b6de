"""A sweep before it is begun: its programs, their memory, and by a trial of each how long they would take."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from micro_rl.core.epoch_time import computing_seconds
from micro_rl.core.model_settings import ModelSettings
from micro_rl.storage.jsonl import Row
from micro_rl.training import memory
from micro_rl.training.callbacks import Callback
from micro_rl.training.grid import Trial, groups
from micro_rl.training.plan import Plan
from micro_rl.training.runner import execute
from micro_rl.training.sweep import what_is_fitted

TRIAL: dict[str, Any] = {"epochs": 2, "eval_every": 1_000_000, "checkpoint_every": 1_000_000}
"""The first epoch is compiled, the second is timed; a sweep that follows finds the program compiled."""
FIT_TRIAL = 3
"""Epochs of a fit that is tried."""


class Program(NamedTuple):
    """Runs that one compiled program makes: their trials, bytes that each takes, and seconds by a trial of one.

    `epoch` is of training, `fit` of an epoch of a fit; both None where nobody tried. `until`: the last epoch.
    """

    trials: tuple[Trial, ...]
    memory: int
    epoch: float | None = None
    fit: float | None = None
    until: int | None = None

    @property
    def plan(self) -> Plan:
        """The first run's."""
        return self.trials[0].plan

    @property
    def seconds(self) -> float:
        """All epochs of all runs, one after the other, without fits and evaluations."""
        ends = [own.plan.settings.epochs for own in self.trials]
        return sum(min(self.until or end, end) for end in ends) * (self.epoch or 0.0)


class Outlook(NamedTuple):
    """All programs, and how many different fits they need."""

    programs: tuple[Program, ...]
    fits: int

    def fitting(self) -> tuple[float, float]:
        """Seconds that all fits take at the least and at the most."""
        least = most = 0.0
        for own in _fits([trial for program in self.programs for trial in program.trials]):
            program = next(program for program in self.programs if own in program.trials)
            settings: ModelSettings = own.plan.settings
            each = program.fit or 0.0
            least += each * min(settings.patience + 1, settings.max_fit_epochs)
            most += each * settings.max_fit_epochs
        return least, most


def outlook(trials: Sequence[Trial], until: int | None = None) -> Outlook:
    """The programs of a sweep, which may stop after an epoch; nothing is compiled."""
    programs = [Program(tuple(group), memory.bytes_of_run(group[0].plan), until=until) for group in groups(trials)]
    return Outlook(tuple(programs), len(_fits(trials)))


def tried(ahead: Outlook, watch: Callable[[int, int], None] = lambda done, of: None) -> Outlook:
    """The same with what an epoch of each program takes on this machine, by one of few updates.

    Args:
        ahead: the programs.
        watch: is told how many of how many are tried.
    """
    programs = []
    for number, program in enumerate(ahead.programs):
        watch(number, len(ahead.programs))
        programs.append(_tried(program))
    watch(len(programs), len(programs))
    return ahead._replace(programs=tuple(programs))


def _tried(program: Program) -> Program:
    plan, clock = program.plan, _FitClock()
    settings = replace(plan.settings, **TRIAL)
    fewer = min(plan.settings.max_fit_epochs, FIT_TRIAL)
    object.__setattr__(settings, "max_fit_epochs", fewer)  # no field of a method whose fit is for scoring alone
    with tempfile.TemporaryDirectory() as folder:
        run = execute(replace(plan, settings=settings), Path(folder) / "trial", callback=clock)
        return program._replace(epoch=computing_seconds(run.metrics[-1]), fit=clock.epoch)


def _fits(trials: Sequence[Trial]) -> list[Trial]:
    """The first trial of every different fit."""
    first: dict[object, Trial] = {}
    for trial in trials:
        if trial.plan.fits_model:
            first.setdefault(what_is_fitted(trial.plan), trial)
    return list(first.values())


class _FitClock(Callback):
    """Times the epochs of a fit but the first, which is compiled."""

    def __init__(self) -> None:
        self._marks: list[float] = []

    def fitted(self, row: Row) -> None:
        self._marks.append(time.monotonic())

    @property
    def epoch(self) -> float | None:
        """Seconds of an epoch; None where nothing was fitted."""
        marks = self._marks
        return (marks[-1] - marks[0]) / (len(marks) - 1) if len(marks) > 1 else None
