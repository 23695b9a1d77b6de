"""The report of a model that was fitted before reports were kept, on the rows that its fit held out.

    python -m runs.model_report LOG MODEL...

The rows are drawn again from the fit's seed and settings; that they are the same is checked by the members' errors on
them, which the folder tells. Prints the tables of docs/guides/model-report.md.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from micro_rl.core.settings import Settings
from micro_rl.data import Dataset, load, windowed
from micro_rl.data.scaling import to_core
from micro_rl.dynamics.ensemble import inputs_of, standardise, targets_of
from micro_rl.dynamics.episode_holdout import fitted_rows
from micro_rl.dynamics.losses import holdout_errors
from micro_rl.dynamics.measure import STEPS, measure, report_of
from micro_rl.dynamics.quality_report import NO_EPISODES, ModelReport
from micro_rl.dynamics.saved_model import FittedModel, load_model
from micro_rl.training.fitting import held_out
from runs.usage import words


def settings_of(about: dict[str, Any]) -> list[Settings]:
    """Those of the fit; where its folder does not tell them, the defaults with and without the rows at a time limit."""
    usual = Settings(num_elites=min(Settings.num_elites, about["shape"]["members"]))
    settings = about.get("settings", {"keep_timeouts": True})
    known: Any = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
    both = [replace(usual, **known)]
    return both if "settings" in about else [*both, replace(usual, keep_timeouts=False)]


def difference(dataset: Dataset, model: FittedModel, settings: Settings) -> float:
    """Largest relative difference between the members' errors on the held-out rows and those that their fit kept."""
    learned = np.flatnonzero(dataset.learnable(settings.keep_timeouts))[fitted_rows(dataset, settings)]
    rows = np.zeros(len(dataset), bool)
    rows[learned[held_out(model.about["seed"], len(learned), settings)]] = True
    core = jax.tree.map(jnp.asarray, to_core(dataset.transitions(settings.keep_timeouts, rows), model.scaling))
    of_ensemble = model.ensemble
    inputs = standardise(inputs_of(core), of_ensemble.input_mean, of_ensemble.input_std)
    targets = targets_of(core, of_ensemble.target_mean.shape[0] - 1)
    targets = standardise(targets, of_ensemble.target_mean, of_ensemble.target_std)
    errors = np.asarray(holdout_errors(of_ensemble.members, inputs, targets))
    return float(np.max(np.abs(errors / np.asarray(model.about["holdout"]) - 1)))


def fitted(dataset: Dataset, model: FittedModel, holdout: np.ndarray, settings: Settings) -> ModelReport:
    """The report on as many rows that were not held out."""
    numbers = np.flatnonzero(dataset.learnable(settings.keep_timeouts))[fitted_rows(dataset, settings)]
    learned = np.random.default_rng(0).permutation(numbers)
    rows = np.setdiff1d(learned, np.sort(learned)[holdout], assume_unique=True)[: len(holdout)]
    return measure(dataset, model.ensemble.best(settings.num_elites), model.scaling, rows, STEPS)


def table(report: ModelReport) -> str:
    """The report in Markdown."""
    lines = []
    if report.horizon:
        columns = zip(report.horizon.error, report.horizon.unchanged, report.horizon.disagreement, strict=True)
        lines += ["| steps | error | if nothing changed | disagreement |", "|---|---|---|---|"]
        lines += [
            f"| {step} | {' | '.join(f'{value:.3f}' for value in row)} |" for step, row in enumerate(columns, start=1)
        ]
    if report.calibration:
        calibration = report.calibration
        lines += ["", "| interval | observations inside | rewards inside |", "|---|---|---|"]
        shares = zip(
            calibration.expected,
            calibration.observation,
            calibration.reward or [float("nan")] * len(calibration.expected),
            strict=True,
        )
        lines += [f"| {' | '.join(f'{100 * share:.1f} %' for share in row)} |" for row in shares]
    return "\n".join(lines)


def main(log: str, folders: list[str]) -> None:
    """Print the report of each model."""
    for folder in folders:
        model = load_model(Path(folder))
        tried = settings_of(model.about)
        dataset = windowed(load(log), tried[0].history)
        by_difference = {difference(dataset, model, settings): settings for settings in tried}
        settings = by_difference[min(by_difference)]
        print(f"{folder}: errors on the held-out rows differ by {min(by_difference):.1e} from those that the fit kept")
        holdout = held_out(model.about["seed"], int(fitted_rows(dataset, settings).sum()), settings)
        covered = model.report and model.report.episodes
        print(covered.sentence() if covered else NO_EPISODES)
        began = time.process_time()
        report = report_of(dataset, model.ensemble, model.scaling, holdout, settings)
        print(f"measured in {time.process_time() - began:.2f} s of a processor")
        print(f"{report.sentence()}\n\n{table(report)}" if report else "nothing to measure")
        print(f"\nthe same from rows that were fitted: \n\n{table(fitted(dataset, model, holdout, settings))}\n")


if __name__ == "__main__":
    log, *models = words(__doc__, 2)
    main(log, models)
