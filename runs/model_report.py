"""The report of a model that was fitted before reports were kept, on the rows that its fit held out.

    python -m runs.model_report LOG MODEL...

The rows are drawn again from the fit's seed and settings; that they are the same is checked by the members' errors on
them, which the folder tells. Prints the tables of docs/model-report.md.
"""

import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from micro_rl.data import Dataset, load, windowed
from micro_rl.data.scaling import to_core
from micro_rl.fitting import FittedModel, held_out, load_model
from micro_rl.model import holdout_errors, inputs_of, standardise, targets_of
from micro_rl.model_measure import report_of
from micro_rl.model_report import KEY, ModelReport, of
from micro_rl.settings import Settings


def settings_of(about: dict[str, Any]) -> Settings:
    """Those of the fit, as far as its folder tells; the others are the defaults."""
    told = about.get("settings", {})
    known = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    return Settings(**known, elites=min(Settings.elites, about["shape"]["members"]))


def check_rows(dataset: Dataset, model: FittedModel, held: np.ndarray, settings: Settings) -> float:
    """Largest relative difference between the members' errors on these rows and those that their fit kept."""
    chosen = np.flatnonzero(dataset.learnable(settings.keep_timeouts))[held]
    rows = np.zeros(len(dataset), bool)
    rows[chosen] = True
    core = jax.tree.map(jnp.asarray, to_core(dataset.transitions(settings.keep_timeouts, rows), model.scaling))
    of_ensemble = model.ensemble
    inputs = standardise(inputs_of(core), of_ensemble.input_mean, of_ensemble.input_std)
    targets = targets_of(core, of_ensemble.target_mean.shape[0] - 1)
    targets = standardise(targets, of_ensemble.target_mean, of_ensemble.target_std)
    errors = np.asarray(holdout_errors(of_ensemble.members, inputs, targets))
    return float(np.max(np.abs(errors / np.asarray(model.about["holdout"]) - 1)))


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
        told = report.calibration
        lines += ["", "| interval | observations inside | rewards inside |", "|---|---|---|"]
        shares = zip(told.expected, told.observation, told.reward or [float("nan")] * len(told.expected), strict=True)
        lines += [f"| {' | '.join(f'{100 * share:.1f} %' for share in row)} |" for row in shares]
    return "\n".join(lines)


def main(log: str, folders: list[str]) -> None:
    """Print the report of each model."""
    for folder in folders:
        model = load_model(Path(folder))
        settings = settings_of(model.about)
        dataset = windowed(load(log), settings.history)
        rows = int(dataset.learnable(settings.keep_timeouts).sum())
        held = held_out(model.about["seed"], rows, settings)
        print(f"{folder}: errors on the held-out rows differ by {check_rows(dataset, model, held, settings):.1e}")
        began = time.perf_counter()
        report = of(report_of(dataset, model.ensemble, model.scaling, held, settings))
        print(f"measured in {time.perf_counter() - began:.2f} s" + (f"\n{report.sentence()}" if report else ""))
        print(f"{report.horizon.starts if report and report.horizon else 0} starts; {KEY}:\n")
        print(table(report) if report else "nothing to measure")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
