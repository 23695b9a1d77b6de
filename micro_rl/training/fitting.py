"""Fit an ensemble to a log with progress, and keep it on disk with the units it works in."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int, Key

from micro_rl.algorithms.buffer import rows_of
from micro_rl.core.settings import ModelSettings
from micro_rl.core.types import Keys, Problem, Scaling, Transition
from micro_rl.core.windows import newest
from micro_rl.data import Dataset
from micro_rl.data.scaling import fit_scaling, to_core
from micro_rl.dynamics import quality_report, termination_classifier
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.fit_epoch import FitState, finish_fit, split_rows, start_fit, unfinished
from micro_rl.dynamics.measure import report_of
from micro_rl.dynamics.termination_classifier import TerminationHead, check_measured
from micro_rl.errors import Diverged, UserError
from micro_rl.storage import pytree_io
from micro_rl.storage.arrays import read_arrays, write_arrays
from micro_rl.storage.jsonl import Row
from micro_rl.training.fit_feeding import begin, pass_over
from micro_rl.training.host_log import stays_on_host

LARGEST = {"obs": 100_000, "act": 10_000, "members": 1_000, "layers": 100, "hidden": 100_000, "history": 1_000}
"""What a saved model may declare of itself: far more than is used, and little enough to be compared with its arrays."""


class FittedModel(NamedTuple):
    """An ensemble, the units it works in, what is worth remembering about its fit, and where one was learned, a head.

    `about["termination"]` is then what the head's measurement found; `about["report"]` is a `ModelReport`, where the
    fit made one.
    """

    ensemble: Ensemble
    scaling: Scaling
    about: dict[str, Any]
    head: TerminationHead | None = None

    def arrays(self) -> dict[str, Any]:
        """What is saved of it."""
        parts = {"ensemble": self.ensemble, "scaling": self.scaling}
        return parts if self.head is None else parts | {"termination": self.head}


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


class _Shape(NamedTuple):
    """The sizes that fix a saved model's arrays."""

    obs: int
    act: int
    members: int
    hidden: tuple[int, ...]
    history: int = 1

    @classmethod
    def read(cls, declared: Any) -> "_Shape":
        """What a folder declares, bounded before anything is made of it; raises `ValueError`."""
        if not isinstance(declared, dict) or set(declared) | {"history"} != set(cls._fields):
            raise ValueError("its shape does not name " + ", ".join(cls._fields))
        shape = cls(**declared)
        if not isinstance(shape.hidden, list) or len(shape.hidden) > LARGEST["layers"]:
            raise ValueError("its hidden widths are no short list")
        numbers = [(name, getattr(shape, name)) for name in ("obs", "act", "members", "history")]
        for name, number in numbers + [("hidden", width) for width in shape.hidden]:
            if type(number) is not int or not 1 <= number <= LARGEST[name]:
                raise ValueError(f"its {name} is {number!r:.40}, not a number from 1 to {LARGEST[name]}")
        newest(shape.obs, shape.act, shape.history)
        return shape._replace(hidden=tuple(shape.hidden))

    def blank(self) -> dict[str, Any]:
        """The shapes of the arrays that a folder of this model holds; allocates nothing."""

        def some_model(log: Transition, scaling: Scaling, key: Key[Array, ""]) -> dict[str, Any]:
            sizes = ModelSettings(
                members=self.members,
                model_hidden=self.hidden,
                weight_decay=(0.0,) * (len(self.hidden) + 1),
                history=self.history,
            ).fit_sizes()
            return {"ensemble": finish_fit(start_fit(log, sizes, key)), "scaling": scaling}

        def floats(*shape: int) -> Any:
            return jax.ShapeDtypeStruct(shape, jnp.float32)

        obs, act = self.obs, self.act
        log = Transition(floats(2, obs), floats(2, act), floats(2), floats(2, obs), floats(2))
        scaling = Scaling(floats(obs), floats(obs), floats(act), floats(act), floats())
        return jax.eval_shape(some_model, log, scaling, jax.random.key(0))


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
        "shape": _Shape(
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


def save_model(folder: Path, model: FittedModel) -> None:
    """Ensemble and scaling into one folder with a manifest."""
    write_arrays(folder, "ensemble", pytree_io.to_arrays(model.arrays()), model.about)


def load_model(folder: Path) -> FittedModel:
    """What `save_model` wrote; `UserError` if anything in it is damaged or of other sizes."""
    arrays, about = read_arrays(folder, "ensemble")
    try:
        shape, about["holdout"] = _Shape.read(about.get("shape")), _numbers(about.get("holdout"))
        if "termination" in about:
            check_measured(about["termination"])
        quality_report.of(about)
    except ValueError as error:
        raise UserError(f"{folder}: {error}; fit it again") from error
    blank = shape.blank()
    if "termination" in about:
        blank["termination"] = jax.eval_shape(lambda: termination_classifier.blank(shape.obs))
    tree = pytree_io.from_arrays(blank, arrays, str(folder))
    return FittedModel(tree["ensemble"], tree["scaling"], about, tree.get("termination"))


def _numbers(declared: Any) -> list[float]:
    """The members' holdout errors as a folder tells them; raises `ValueError`."""
    if not isinstance(declared, list) or not declared or not all(type(error) in (int, float) for error in declared):
        raise ValueError("does not tell the holdout errors of its members")
    return declared
