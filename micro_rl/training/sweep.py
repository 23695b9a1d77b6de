"""A sweep carried out: one program after another, each with as many runs as the memory holds."""

import shlex
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import jax

from micro_rl.core.model_settings import ModelSettings
from micro_rl.dynamics.saved_model import load_model, save_model
from micro_rl.errors import Diverged, UserError
from micro_rl.storage.files import reading
from micro_rl.storage.jsonl import rewind_rows
from micro_rl.storage.locks import OF_CLUSTER, is_locked, locked, refuse_locked
from micro_rl.storage.run_folder import RunFolder, taken
from micro_rl.storage.wandb_log import WandbSettings
from micro_rl.training import memory, runner
from micro_rl.training.callbacks import Callback
from micro_rl.training.evaluator import PolicyEvaluator
from micro_rl.training.fitting import measured_for
from micro_rl.training.grid import Trial, chunks, groups, twins
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.job import Run
from micro_rl.training.models import load_given
from micro_rl.training.plan import Plan
from micro_rl.training.run_begin import run_folder


class SweepCallback:
    """Is told how a sweep goes; does nothing unless overridden."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def of(self, trial: Trial) -> Callback:
        """The callback of one of its runs."""
        return Callback()


class SharedFits:
    """Where each fit of a sweep lies, for its later programs: the same seed and model settings make the same fit."""

    def __init__(self) -> None:
        self._fits: dict[Any, tuple[RunFolder, Path]] = {}

    def remember(self, plan: Plan, path: Path) -> None:
        """A run whose program is over; one that has no model has none to share."""
        folder = RunFolder(path)
        if plan.model_use.place(folder).exists():
            self._fits.setdefault(what_is_fitted(plan), (folder, plan.model_use.place(folder)))

    def begin(self, plan: Plan, path: Path, resume: bool, callback: Callback) -> bool:
        """Make the run's folder with the model in it, where one was made and the folder has none; whether it was done.

        Raises `UserError` as `run_folder` does. A model that cannot be read or written any more is fitted again.
        """
        shared, place = self._fits.get(what_is_fitted(plan)), plan.model_use.place(RunFolder(path))
        if not plan.fits_model or shared is None or place.exists():
            return False
        source, model_place = shared
        with PolicyEvaluator(plan) as evaluator:  # its remarks stand in every run's record
            folder = run_folder(plan, path, resume, evaluator.notes)
        with locked(folder.lock):
            try:
                model, rows = measured_for(load_model(model_place), plan.dataset, plan.settings), source.fit()
                rewind_rows(path / "fit.jsonl", -1, rows)
                save_model(place, model)
            except UserError as error:
                callback.note(f"the model is fitted again: {error}")
            else:
                callback.note(f"takes over the model of {source.path.name}")
        return True


def what_is_fitted(plan: Plan) -> Any:
    """What decides a fit: runs that have the same share one. A log is itself alone, as of `grid.groups`."""
    settings = plan.settings
    return plan.log, settings.seed, *(getattr(settings, field.name) for field in fields(ModelSettings))


def carry_out(
    trials: Sequence[Trial],
    folder: Path,
    *,
    resume: bool = False,
    until: int | None = None,
    exact: bool = False,
    width: int | None = None,
    callback: SweepCallback | None = None,
    wandb: WandbSettings | None = None,
    interrupts: Interrupts | None = None,
    command: str = "",
) -> dict[str, Run | Diverged]:
    """Every trial's run, or its error where it diverged, by the trial's name, which is that of its folder in `folder`.

    `width`: at most so many in one program, by default what the memory holds. `exact`: one after another, each by the
    program of a single run and so to the same bits. `wandb`: where Weights & Biases takes the rows of each. Raises
    `UserError` and `Interrupted`, as `runner.execute_all` does.
    """
    callback, interrupts = callback or SweepCallback(), interrupts or Interrupts()
    refuse_locked(folder / OF_CLUSTER, "sweep")
    refuse(trials, folder, resume, exact, width)
    for note in dict.fromkeys([*(note for trial in trials for note in trial.plan.notes), *twins(trials)]):
        callback.note(note)
    done: dict[str, Run | Diverged] = {}
    fits = SharedFits()
    for group in groups(trials):
        for chunk in chunks(group, 1 if exact else _width(group, width, callback), len(jax.devices())):
            if interrupts.received:
                interrupts.leave("the runs before it are kept; the same command with --resume goes on")
            refuse_locked(folder / OF_CLUSTER, "sweep")  # one that began meanwhile has these runs too
            more = {"resume": resume, "until": until, "wandb": wandb, "interrupts": interrupts, "command": command}
            callbacks = [callback.of(trial) for trial in chunk]
            done |= _run_chunk(chunk, folder, fits, callbacks, **more)
    return done


def _run_chunk(
    chunk: Sequence[Trial], folder: Path, fits: SharedFits, callbacks: Sequence[Callback], **more: Any
) -> dict[str, Run | Diverged]:
    """The outcome of every run of one program, by name; models that were fitted before are taken over."""
    paths = [folder / trial.name for trial in chunk]
    plans = [trial.plan for trial in chunk]
    places = zip(plans, paths, callbacks, strict=True)
    begun = [fits.begin(plan, path, more["resume"], callback) for plan, path, callback in places]
    more["resume"] |= any(begun)
    outcomes = runner.execute_all(plans, paths, callbacks, **more)
    for plan, path in zip(plans, paths, strict=True):
        fits.remember(plan, path)
    return {trial.name: outcome for trial, outcome in zip(chunk, outcomes, strict=True)}


def _width(group: Sequence[Trial], most: int | None, callback: SweepCallback) -> int:
    """How many at once; told where it is fewer than there are."""
    asked = min(most or len(group), len(group))
    fitting = memory.width_that_fits(group[0].plan, asked)
    if fitting < asked:
        each = memory.bytes_of_run(group[0].plan) / 2**20
        callback.note(f"{fitting} of {len(group)} runs at a time: each takes about {each:,.0f} MiB")
    return fitting


def refuse(trials: Sequence[Trial], folder: Path, resume: bool, exact: bool, width: int | None) -> None:
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
        load_given(first.plan, folder / first.name, resume)


def _refuse_folder(plan: Plan, path: Path, resume: bool) -> None:
    with reading(path):
        full = taken(path)
    begun = full and (path / "config.json").exists()
    if full and not (resume and begun):
        way = "go on with --resume or choose" if begun else "choose"
        raise UserError(f"{path}: is not empty; {way} another folder with --out")
    if is_locked(path / "lock"):
        raise UserError(f"{path}: another training is going on there; wait for it or stop it")
    if begun:
        alone = f"micro-rl train LOG --out {shlex.quote(str(path))} --branch NEW"
        way = f"choose another folder with --out (this run alone goes on otherwise with {alone})"
        run_folder(plan, path, resume, way=way)
