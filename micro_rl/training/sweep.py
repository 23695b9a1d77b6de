"""A sweep carried out: one program after another, each with as many runs as the memory holds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from micro_rl.errors import Diverged, UserError
from micro_rl.storage.files import reading
from micro_rl.storage.locks import is_locked
from micro_rl.training import memory, runner
from micro_rl.training.callbacks import Watcher
from micro_rl.training.grid import Trial, chunks, groups
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.models import given_model
from micro_rl.training.plan import Plan
from micro_rl.training.run import Run
from micro_rl.training.run_together import execute_together
from micro_rl.training.shared_fits import SharedFits


class SweepWatcher:
    """Is told how a sweep goes; does nothing unless overridden."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def of(self, trial: Trial) -> Watcher:
        """Who is told how one of its runs goes."""
        return Watcher()


def carry_out(
    trials: Sequence[Trial],
    folder: Path,
    *,
    resume: bool = False,
    until: int | None = None,
    exact: bool = False,
    width: int | None = None,
    watcher: SweepWatcher | None = None,
    interrupts: Interrupts | None = None,
    command: str = "",
) -> dict[str, Run | Diverged]:
    """Every trial's run, or its error where it diverged, by the trial's name, which is that of its folder in `folder`.

    `width`: at most so many in one program, by default what the memory holds. `exact`: one after another, each by the
    program of a single run and so to the same bits. Raises `UserError` and `Interrupted`, as `run.execute` does.
    """
    watcher, interrupts = watcher or SweepWatcher(), interrupts or Interrupts()
    _refuse(trials, folder, resume, exact, width)
    for note in dict.fromkeys(note for trial in trials for note in trial.plan.notes):
        watcher.note(note)
    done: dict[str, Run | Diverged] = {}
    fits = SharedFits()
    for group in groups(trials):
        for chunk in chunks(group, 1 if exact else _width(group, width, watcher), len(jax.devices())):
            if interrupts.received:
                interrupts.leave("the runs before it are kept; the same command with --resume goes on")
            more = {"resume": resume, "until": until, "interrupts": interrupts, "command": command}
            places = [_Place(*trial, folder / trial.name, watcher.of(trial)) for trial in chunk]
            done |= _made(places, fits, **more)
    return done


class _Place(NamedTuple):
    """Where one of the runs goes, and who is told."""

    name: str
    plan: Plan
    path: Path
    watcher: Watcher


def _made(places: Sequence[_Place], fits: SharedFits, *, resume: bool, **more: Any) -> dict[str, Run | Diverged]:
    """The outcome of every run of one program, by name; models that were fitted before are taken over."""
    begun = [fits.begin(place.plan, place.path, resume, place.watcher.note) for place in places]
    more["resume"] = resume or any(begun)
    if len(places) == 1:
        outcomes = [_alone(places[0], **more)]
    else:
        plans, paths, watchers = zip(*((place.plan, place.path, place.watcher) for place in places), strict=True)
        outcomes = execute_together(plans, paths, watchers, **more)
    for place in places:
        fits.remember(place.plan, place.path)
    return dict(zip((place.name for place in places), outcomes, strict=True))


def _alone(place: _Place, **more: Any) -> Run | Diverged:
    try:
        return runner.execute(place.plan, place.path, watcher=place.watcher, **more)
    except Diverged as error:
        place.watcher.diverged(str(error))
        return error


def _width(group: Sequence[Trial], most: int | None, watcher: SweepWatcher) -> int:
    """How many at once; told where it is fewer than there are."""
    asked = min(most or len(group), len(group))
    fitting = memory.width_that_fits(group[0].plan, asked)
    if fitting < asked:
        each = memory.bytes_of_run(group[0].plan) / 2**20
        watcher.note(f"{fitting} of {len(group)} runs at a time: each takes about {each:,.0f} MiB")
    return fitting


def _refuse(trials: Sequence[Trial], folder: Path, resume: bool, exact: bool, width: int | None) -> None:
    """`UserError` for what would go wrong only when other runs are done."""
    if width is not None and width < 1:
        raise UserError(f"width: {width} is too small; it must be at least 1")
    if exact and width is not None:
        raise UserError("exact: runs one at a time, so --width does nothing; leave one of them out")
    names = [trial.name for trial in trials]
    if len(set(names)) < len(names):
        raise UserError("grid: two of its combinations would share a folder; write their values otherwise")
    for trial in trials:
        _refuse_folder(trial.plan, folder / trial.name, resume)
    for first, *_ in groups(trials):
        memory.refuse_too_large(first.plan)
        if first.plan.learns_model:
            given_model(first.plan, folder / first.name, resume, Watcher())


def _refuse_folder(plan: Plan, path: Path, resume: bool) -> None:
    with reading(path):
        taken = path.exists() and any(not entry.name.endswith(".tmp") for entry in path.iterdir())
    begun = taken and (path / "config.json").exists()
    if taken and not (resume and begun):
        way = "go on with --resume or choose" if begun else "choose"
        raise UserError(f"{path}: is not empty; {way} another folder with --out")
    if is_locked(path / "lock"):
        raise UserError(f"{path}: another training is going on there; wait for it or stop it")
    if begun:
        runner.run_folder(plan, path, resume)
