"""Fit an ensemble to a log with progress, and keep it on disk with the units it works in."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Key

from micro_rl import trees
from micro_rl.arrays import read_arrays, write_arrays
from micro_rl.data import Dataset
from micro_rl.data.scaling import fit_scaling, to_core
from micro_rl.errors import Diverged, UserError
from micro_rl.loop import Keys, Problem
from micro_rl.model import Ensemble, finish_fit, fit_epoch, start_fit, unfinished
from micro_rl.rows import Row
from micro_rl.settings import ModelSettings
from micro_rl.types import Scaling, Transition

compiled_start = jax.jit(start_fit, static_argnames="sizes")
compiled_epoch = jax.jit(fit_epoch, static_argnames="sizes", donate_argnames="state")


class FittedModel(NamedTuple):
    """An ensemble, the units it works in, and what is worth remembering about its fit."""

    ensemble: Ensemble
    scaling: Scaling
    about: dict[str, Any]


class _Shape(NamedTuple):
    """The sizes that fix a saved model's arrays."""

    obs: int
    act: int
    members: int
    hidden: tuple[int, ...]

    def blank(self) -> dict[str, Any]:
        """The shapes of the arrays that a folder of this model holds."""

        def some_model(log: Transition, scaling: Scaling, key: Key[Array, ""]) -> dict[str, Any]:
            sizes = ModelSettings(
                members=self.members, model_hidden=self.hidden, weight_decay=(0.0,) * (len(self.hidden) + 1)
            ).fit_sizes()
            return {"ensemble": finish_fit(start_fit(log, sizes, key)), "scaling": scaling}

        obs, act, one, row = (jnp.zeros(shape) for shape in ((2, self.obs), (2, self.act), 2, ()))
        scaling = Scaling(obs[0], obs[0], act[0], act[0], row)
        return jax.eval_shape(some_model, Transition(obs, act, one, obs, one), scaling, jax.random.key(0))


def problem_of(dataset: Dataset, settings: ModelSettings, scaling: Scaling | None = None) -> Problem:
    """The log in core units on the device; `scaling` where a model brings its own."""
    if scaling is None:
        scaling = fit_scaling(dataset, settings.standardise, settings.scale_reward)
    rows = to_core(dataset.transitions(settings.keep_timeouts), scaling)
    if len(rows.reward) < 2:
        raise UserError(f"{dataset.path}: {len(rows.reward)} usable rows; a model needs at least 2")
    return Problem(*jax.tree.map(jnp.asarray, (rows, scaling)))


def fit_model(
    dataset: Dataset, problem: Problem, settings: ModelSettings, seed: int, on_epoch: Callable[[Row], None]
) -> FittedModel:
    """Fit until patience runs out; `on_epoch` sees each epoch's loss and holdout errors.

    Raises `Diverged` when the holdout errors stop being finite.
    """
    sizes = settings.fit_sizes()
    start_key, epochs_key = jax.random.split(Keys.of(seed).fit)
    state = compiled_start(problem.log, sizes=sizes, key=start_key)
    while unfinished(state, sizes):
        key = jax.random.fold_in(epochs_key, state.epoch)
        state, logged = compiled_epoch(state, problem.log, sizes=sizes, key=key)
        on_epoch(_row(int(state.epoch), logged))
    ensemble = finish_fit(state)
    about = {
        "log": dataset.name,
        "log_sha256": dataset.sha256,
        "seed": seed,
        "epochs": int(state.epoch),
        "settings": {field.name: getattr(settings, field.name) for field in fields(ModelSettings)},
        "holdout": np.sort(np.asarray(state.patience.error)).tolist(),
        "shape": _Shape(
            problem.log.observation.shape[-1], problem.log.action.shape[-1], sizes.members, sizes.hidden
        )._asdict(),
    }
    return FittedModel(ensemble, problem.scaling, about)


def _row(epoch: int, logged: dict[str, Array]) -> Row:
    errors = np.asarray(logged["holdout"])
    if not np.isfinite(errors).all():
        raise Diverged(f"epoch {epoch} of the dynamics fit gave errors that are not finite; lower model_rate")
    members = {f"holdout/member{i}": float(error) for i, error in enumerate(errors)}
    return {
        "epoch": epoch,
        "loss": float(logged["loss"]),
        "holdout/mean": float(errors.mean()),
        "holdout/best": float(errors.min()),
    } | members


def save_model(folder: Path, model: FittedModel) -> None:
    """Ensemble and scaling into one folder with a manifest."""
    write_arrays(
        folder,
        "ensemble",
        trees.to_arrays({"ensemble": model.ensemble, "scaling": model.scaling}),
        model.about,
    )


def load_model(folder: Path) -> FittedModel:
    """What `save_model` wrote; `UserError` if anything in it is damaged or of other sizes."""
    arrays, about = read_arrays(folder, "ensemble")
    try:
        shape = _Shape(**about["shape"])
        shape = shape._replace(hidden=tuple(shape.hidden))
    except (KeyError, TypeError) as error:
        raise UserError(f"{folder}: does not say the sizes of its model; fit it again") from error
    tree = trees.from_arrays(shape.blank(), arrays, str(folder))
    return FittedModel(tree["ensemble"], tree["scaling"], about)
