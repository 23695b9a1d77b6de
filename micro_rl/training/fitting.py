"""Fit an ensemble to a log with progress."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int, Key

from micro_rl.algorithms.buffer import rows_of
from micro_rl.core.settings import ModelSettings
from micro_rl.core.types import Keys, Problem, Scaling
from micro_rl.data import Dataset
from micro_rl.data.scaling import fit_scaling, to_core
from micro_rl.dynamics.fit_epoch import FitState, finish_fit, split_rows, unfinished
from micro_rl.dynamics.measure import report_of
from micro_rl.dynamics.saved_model import FittedModel, ModelShape
from micro_rl.errors import Diverged
from micro_rl.storage.jsonl import Row
from micro_rl.training.fit_feeding import begin, pass_over
from micro_rl.training.host_log import stays_on_host


class Keeper:
    """What happens to a fit's state between its epochs: nothing unless overridden."""

    def begun(self, fresh: FitState) -> FitState:
        """The state to go on from."""
        return fresh

    def passed(self, state: FitState, row: Row) -> None:
        """After each epoch, whose figures are finite."""

    def diverged(self, before: FitState, key: Key[Array, ""], row: Row) -> str:
        """After an epoch whose figures are not: the state and key it began with. What to tell the user of it."""
        return "lower model_rate"


def problem_of(dataset: Dataset, settings: ModelSettings, scaling: Scaling | None = None) -> Problem:
    """The log in core units, on the device unless it is too large; `scaling` where a model brings its own."""
    if scaling is None:
        scaling = fit_scaling(dataset, settings.standardise, settings.scale_reward)
    rows = to_core(dataset.transitions(settings.keep_timeouts), scaling)
    log = rows if stays_on_host(settings, dataset) else jax.tree.map(jnp.asarray, rows)
    return Problem(log, jax.tree.map(jnp.asarray, scaling))


def fit_model(
    dataset: Dataset,
    problem: Problem,
    settings: ModelSettings,
    seed: int,
    on_epoch: Callable[[Row], None],
    keeper: Keeper | None = None,
) -> FittedModel:
    """Fit until patience runs out; `on_epoch` sees each epoch's loss and holdout errors.

    Raises `Diverged` when the losses or the holdout errors stop being finite.
    """
    sizes, keeper = settings.fit_sizes(), keeper or Keeper()
    start_key, epochs_key = jax.random.split(Keys.of(seed).fit)
    log = rows_of(problem.log)
    state = keeper.begun(begin(log, sizes, start_key))
    while unfinished(state, sizes):
        key = jax.random.fold_in(epochs_key, state.epoch)
        before = jax.tree.map(jnp.copy, state)  # the next line donates it, and if it goes wrong this is what led there
        state, logged, _ = pass_over(state, log, sizes, key)
        row = fit_row(int(before.epoch) + 1, logged)
        if not np.isfinite(list(row.values())).all():
            told = keeper.diverged(before, key, row)
            raise Diverged(f"epoch {row['epoch']} of the dynamics fit gave errors that are not finite; {told}")
        on_epoch(row)
        keeper.passed(state, row)
    return fitted(dataset, problem, settings, seed, state)


def fitted(dataset: Dataset, problem: Problem, settings: ModelSettings, seed: int, state: FitState) -> FittedModel:
    """What a finished fit has made, measured."""
    log, sizes = rows_of(problem.log), settings.fit_sizes()
    ensemble = finish_fit(state)
    about = {
        "log": dataset.name,
        "log_sha256": dataset.sha256,
        "seed": seed,
        "epochs": int(state.epoch),
        "settings": {field.name: getattr(settings, field.name) for field in fields(ModelSettings)},
        "holdout": np.sort(np.asarray(state.patience.error)).tolist(),
        "shape": ModelShape(
            log.observation.shape[-1],
            log.action.shape[-1],
            sizes.members,
            sizes.hidden,
            sizes.history,
        )._asdict(),
    }
    about |= report_of(dataset, ensemble, problem.scaling, state.holdout, settings)
    return FittedModel(ensemble, problem.scaling, about)


def held_out(seed: int, rows: int, settings: ModelSettings) -> Int[np.ndarray, " holdout"]:
    """Which of so many rows a fit with this seed and these settings holds out, in its order."""
    start_key, _ = jax.random.split(Keys.of(seed).fit)
    return np.asarray(split_rows(jax.random.split(start_key, 3)[0], rows, settings.fit_sizes())[1])


def fit_row(epoch: int, logged: Mapping[str, Any]) -> Row:
    """What is logged of a fitting epoch, from 1."""
    errors = np.asarray(logged["holdout"])
    members = {f"holdout/member{i}": float(error) for i, error in enumerate(errors)}
    return {
        "epoch": epoch,
        "loss": float(logged["loss"]),
        "holdout/mean": float(errors.mean()),
        "holdout/best": float(errors.min()),
    } | members
