"""A dynamics model fitted for itself, into a folder of its own, for several runs to share."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.settings import Settings, check
from micro_rl.data import Dataset, windowed
from micro_rl.data.checks import episodes
from micro_rl.dynamics.saved_model import FittedModel, save_model
from micro_rl.dynamics.termination import EndByHead, needs_head
from micro_rl.errors import Diverged, UserError
from micro_rl.storage.config_diff import require_same_config
from micro_rl.storage.files import remove
from micro_rl.storage.locks import begun, run_lock
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training import host_log
from micro_rl.training.callbacks import Callback
from micro_rl.training.feasible import refuse_too_few
from micro_rl.training.fitting import Fit, fit_models, problem_of
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.log_findings import log_findings
from micro_rl.training.models import tell_quality
from micro_rl.training.plan_record import default_of_log, log_record
from micro_rl.training.saving import FitSaver

FIT = "dynamics fit"
"""What stands in place of a method where a model alone is fitted."""


def fit_to_folder(
    folder: Path,
    dataset: Dataset,
    settings: ModelSettings,
    seed: int,
    resume: bool,
    callback: Callback,
    interrupts: Interrupts | None,
    command: str,
) -> dict[str, Any]:
    """Fit a log's model and save it; returns what is known about the fit. See `micro_rl.api.fit`."""
    check(settings if isinstance(settings, Settings) else Settings(**asdict(settings), num_elites=1))
    if folder.exists():
        raise UserError(f"{folder}: exists; choose another folder with --out")
    findings, dataset = log_findings(dataset), windowed(dataset, settings.history)
    refuse_too_few(dataset, settings)
    small = (finding.text for finding in episodes.small(dataset, settings.model_batch_size))
    notes = list(dict.fromkeys([*dataset.notes, *small, *findings]))
    for note in notes:
        callback.note(note)
    work = _work_folder(folder, dataset, settings, seed, resume, notes)
    with run_lock(work, command, callback.note):
        model = _fit(dataset, settings, seed, work, callback, interrupts)
        model.about["notes"] = notes
        save_model(folder, model)
    remove(work.path)
    return model.manifest()


def _fit(
    dataset: Dataset,
    settings: ModelSettings,
    seed: int,
    work: RunFolder,
    callback: Callback,
    interrupts: Interrupts | None,
) -> FittedModel:
    """The model, with a head that ends its episodes where the log needs one; the fit's state is saved as it goes."""
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
    return model


def _work_folder(
    folder: Path, dataset: Dataset, settings: ModelSettings, seed: int, resume: bool, notes: list[str]
) -> RunFolder:
    """Where an unfinished fit is kept: a new folder, or that of the same fit which was stopped."""
    path = folder.with_name(folder.name + ".fit")
    config = {
        "method": FIT,
        "notes": notes,
        "log": log_record(dataset),
        "settings": asdict(settings) | {"seed": seed},
    }
    if not (resume and (path / "config.json").exists()):
        return begun(path, config)
    work = RunFolder.open(path)
    defaults = {"log": default_of_log(dataset), "settings": asdict(ModelSettings())}
    way = f"delete {path} to fit anew, or choose another folder with --out"
    require_same_config(work.config(), config, defaults, path, way)
    return work
