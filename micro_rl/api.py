"""The library's front door: from a log to a policy, or to a model that several runs share, in a few lines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from micro_rl.core import arguments
from micro_rl.core.settings import ModelSettings, Settings, check
from micro_rl.data import Dataset, windowed
from micro_rl.data.checks import episodes
from micro_rl.dynamics.saved_model import save_model
from micro_rl.errors import Diverged, UserError
from micro_rl.policy import Policy
from micro_rl.reports.run import write_page
from micro_rl.storage.config_diff import require_same_config
from micro_rl.storage.files import remove
from micro_rl.storage.jsonl import Row
from micro_rl.storage.locks import run_lock
from micro_rl.storage.run_folder import RunFolder
from micro_rl.storage.wandb_log import Mode, tracking_in
from micro_rl.training import host_log
from micro_rl.training.callbacks import Callback
from micro_rl.training.feasible import refuse_too_few
from micro_rl.training.fitting import Fit, fit_models, problem_of
from micro_rl.training.grid import Trial, sweep_folder, trials
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.job import Run
from micro_rl.training.log_findings import log_findings
from micro_rl.training.models import tell_quality
from micro_rl.training.plan import Choices, Plan, make_plan
from micro_rl.training.runner import execute
from micro_rl.training.saving import FitSaver
from micro_rl.training.sweep import SweepCallback, carry_out
from micro_rl.training.termination import EndByHead, needs_head

FIT = "dynamics fit"
"""What stands in place of a method where a model alone is fitted."""


OnEpoch = Callable[[Row, Policy], None]


class _Silent(Callback):
    """Passes each epoch on, and writes the page at the end."""

    def __init__(self, on_epoch: OnEpoch | None = None):
        self._on_epoch = on_epoch

    def trained(self, row: Row, policy: Policy) -> None:
        if self._on_epoch is not None:
            self._on_epoch(row, policy)

    def finished(self, path: Path) -> None:
        write_page(path, self.note)


class _SilentSweep(SweepCallback):
    """Passes each run's epochs on with the run's name."""

    def __init__(self, on_epoch: Callable[[str, Row, Policy], None] | None):
        self._on_epoch = on_epoch

    def of(self, trial: Trial) -> Callback:
        return _Silent(self._on_epoch and partial(self._on_epoch, trial.name))


def default_folder(plan: Plan) -> Path:
    """Where a run goes that was given no folder."""
    return Path("trained") / f"{plan.dataset.name}-{plan.method_name}-seed{plan.settings.seed}"


def train(
    log: str | Path | Dataset,
    method: str = "micro",
    *,
    out: str | Path | None = None,
    resume: bool = False,
    branch: str | Path | None = None,
    refit: bool = False,
    until: int | None = None,
    on_epoch: OnEpoch | None = None,
    wandb: Mode = "off",
    **choices: Unpack[Choices],
) -> Run:
    """Learn a policy from a log.

    Args:
        log: A path, a name, or a log that is loaded.
        method: One of those that `micro-rl methods` lists.
        out: The run folder; by default `trained/LOG-METHOD-seedN`.
        resume: Go on in that folder.
        branch: A new folder, in which the run in `out` goes on with other settings, or with a log that has grown.
        refit: The branch's model is fitted anew; its agent goes on.
        until: Stop after this epoch with everything saved.
        on_epoch: Sees each epoch's metrics and a policy that acts from NumPy, as `on_epoch(row, policy)`.
        wandb: Whether the metrics are sent to Weights & Biases too, or kept for it.
        choices: See `micro_rl.training.plan.Choices`: `preset`, `env`, `horizon`, `reading`, `termination`, `model`,
            and every setting and option of the method by its name.

    Returns:
        The finished run.

    Raises:
        UserError: A mistake, in one line with its remedy.
        Diverged: The fit or the training blew up.
    """
    places = arguments.optional_path("out", out), arguments.optional_path("branch", branch)
    _check_calls({"resume": resume, "refit": refit}, until, on_epoch, "show(row, policy)")
    plan = make_plan(log, method, **choices)
    return execute(
        plan,
        places[0] or default_folder(plan),
        resume=resume,
        branch=places[1],
        refit=refit,
        until=until,
        callback=_Silent(on_epoch),
        wandb=tracking_in(wandb),
    )


def _check_calls(flags: Mapping[str, Any], until: Any, on_epoch: Any, example: str) -> None:
    """Refuse before any work what `train` and `sweep` share and cannot take."""
    for name, value in flags.items():
        arguments.flag(name, value)
    arguments.optional_whole("until", until)
    if on_epoch is not None:
        arguments.function("on_epoch", on_epoch, example)


def sweep(
    log: str | Path | Dataset,
    method: str = "micro",
    *,
    seeds: int = 1,
    grid: Mapping[str, Sequence[Any]] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    until: int | None = None,
    exact: bool = False,
    width: int | None = None,
    on_epoch: Callable[[str, Row, Policy], None] | None = None,
    wandb: Mode = "off",
    **choices: Unpack[Choices],
) -> dict[str, Run | Diverged]:
    """Train every combination of the grid's values and so many seeds. What is not listed here is as of `train`.

    Args:
        seeds: Runs of every combination, with seeds from the setting `seed` on.
        grid: Values by the name of a setting or option, or methods by `method`. Runs that differ in leaves alone
            (seeds, beta, rates, ...) are made by one compiled program; runs of one seed share a fit wherever their
            model's settings are the same, whatever their method.
        out: The folder of the runs' folders; by default `trained/LOG-METHOD-sweep`.
        exact: One run after another, to the bits of `train`.
        width: At most so many runs in one program; by default what the memory holds.
        on_epoch: Sees every run's epochs, as `on_epoch(name, row, policy)`.

    Returns:
        Each run, or the error of one that diverged, by the name of its folder.

    Raises:
        UserError: A mistake, in one line with its remedy.
    """
    folder = arguments.optional_path("out", out)
    _check_calls({"resume": resume, "exact": exact}, until, on_epoch, "show(name, row, policy)")
    values = {} if grid is None else arguments.by_name("grid", grid, "{'beta': [0.1, 0.5]}")
    seeds, width = arguments.whole("seeds", seeds), arguments.optional_whole("width", width)
    plan = make_plan(log, method, **choices)
    return carry_out(
        trials(plan, seeds, values),
        folder or sweep_folder(plan, values),
        resume=resume,
        until=until,
        exact=exact,
        width=width,
        callback=_SilentSweep(on_epoch),
        wandb=tracking_in(wandb),
    )


def fit(
    dataset: Dataset,
    settings: ModelSettings,
    seed: int = 0,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    callback: Callback | None = None,
    interrupts: Interrupts | None = None,
    command: str = "",
) -> tuple[Path, dict[str, Any]]:
    """Fit a log's dynamics model alone; the folder, for `train`'s `model`, and what is known about the fit.

    Until it is finished, its state is kept beside that folder, under the name with `.fit` added; `resume` goes on
    from there. Raises `UserError`, before anything is computed, where the folder is taken or cannot be written,
    `Diverged` and `Interrupted`.
    """
    _check_fit(dataset, settings, callback)
    seed = arguments.whole("seed", seed, 0)
    folder = arguments.optional_path("out", out) or Path("trained") / f"{dataset.name}-model-seed{seed}"
    callback = callback or Callback()
    if folder.exists():
        raise UserError(f"{folder}: exists; choose another folder with --out")
    findings, dataset = log_findings(dataset), windowed(dataset, settings.history)
    refuse_too_few(dataset, settings)
    small = (finding.text for finding in episodes.small(dataset, settings.model_batch_size))
    notes = list(dict.fromkeys([*dataset.notes, *small, *findings]))
    for note in notes:
        callback.note(note)
    work = _fit_folder(folder, dataset, settings, seed, resume, notes)
    with run_lock(work, command, callback.note):
        problem = problem_of(dataset, settings)
        for note in host_log.placement_notes(problem, settings):
            callback.note(note)
        with FitSaver(work, work.fit_rows(), settings, callback.note) as saver:
            [model] = fit_models(dataset, problem, settings, [Fit(seed, callback.fitted, saver)], interrupts)
        if isinstance(model, Diverged):
            raise model
        tell_quality(model, callback)
        if needs_head(dataset):
            model = EndByHead().complete(model, dataset, settings, seed)
            callback.note(EndByHead().measurement(model))
        model.about["notes"] = notes
        save_model(folder, model)
    remove(work.path)
    return folder, model.manifest()


def _check_fit(dataset: Any, settings: Any, callback: Any) -> None:
    if not isinstance(dataset, Dataset):
        raise UserError(f"dataset: {arguments.brief(dataset)} is no loaded log: give micro_rl.load(LOG)")
    if not isinstance(settings, ModelSettings):
        raise UserError(
            f"settings: {arguments.brief(settings)} are no settings: give micro_rl.core.settings.ModelSettings(...)"
        )
    if not isinstance(callback, Callback | None):
        raise UserError(
            f"callback: {arguments.brief(callback)} is no micro_rl.training.callbacks.Callback: subclass it"
        )
    check(settings if isinstance(settings, Settings) else Settings(**asdict(settings), num_elites=1))


def _fit_folder(
    folder: Path, dataset: Dataset, settings: ModelSettings, seed: int, resume: bool, notes: list[str]
) -> RunFolder:
    """Where an unfinished fit is kept: a new folder, or that of the same fit which was stopped."""
    path = folder.with_name(folder.name + ".fit")
    bounds = {"action_low": dataset.action_low.tolist(), "action_high": dataset.action_high.tolist()}
    config = {
        "method": FIT,
        "notes": notes,
        "log": {"name": dataset.name, "path": str(dataset.path), "sha256": dataset.sha256, **bounds},
        "settings": asdict(settings) | {"seed": seed},
    }
    if not (resume and (path / "config.json").exists()):
        return RunFolder.create(path, config)
    work = RunFolder.open(path)
    require_same_config(work.config(), config, {"settings": asdict(ModelSettings())}, path)
    return work
