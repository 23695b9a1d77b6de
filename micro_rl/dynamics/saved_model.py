"""A fitted model and its folder: the ensemble, the units it works in, and what is worth remembering about its fit."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Key

from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.renamed import renamed
from micro_rl.core.types import Scaling, Transition
from micro_rl.core.windows import newest
from micro_rl.dynamics import quality_report, termination_classifier
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.fit_epoch import finish_fit, start_fit
from micro_rl.dynamics.quality_report import ModelReport
from micro_rl.dynamics.termination_classifier import TerminationHead, check_measured
from micro_rl.errors import UserError
from micro_rl.storage import pytree_io
from micro_rl.storage.arrays import read_arrays, write_arrays

LARGEST = {"obs": 100_000, "act": 10_000, "members": 1_000, "layers": 100, "hidden": 100_000, "history": 1_000}
"""What a saved model may declare of itself: far more than is used, and little enough to be compared with its arrays."""


class FittedModel(NamedTuple):
    """An ensemble, the units it works in, what is worth remembering about its fit, and where one was learned, a head.

    `about["termination"]` is then what the head's measurement found. `report`: the ensemble's quality on held-out
    rows; None where there was nothing to measure, or an earlier version fitted it.
    """

    ensemble: Ensemble
    scaling: Scaling
    about: dict[str, Any]
    head: TerminationHead | None = None
    report: ModelReport | None = None

    def arrays(self) -> dict[str, Any]:
        """What is saved of it."""
        parts = {"ensemble": self.ensemble, "scaling": self.scaling}
        return parts if self.head is None else parts | {"termination": self.head}

    def manifest(self) -> dict[str, Any]:
        """What a folder says of it beside the arrays: `about`, and the report as JSON."""
        return self.about if self.report is None else self.about | {quality_report.KEY: self.report.as_json()}


class ModelShape(NamedTuple):
    """The sizes that fix a saved model's arrays."""

    obs: int
    act: int
    members: int
    hidden: tuple[int, ...]
    history: int = 1
    norm: bool = False

    @classmethod
    def read(cls, declared: Any) -> "ModelShape":
        """What a folder declares, bounded before anything is made of it; raises `ValueError`."""
        if not isinstance(declared, dict) or set(declared) | set(cls._field_defaults) != set(cls._fields):
            raise ValueError("its shape does not name " + ", ".join(cls._fields))
        shape = cls(**declared)
        if not isinstance(shape.hidden, list) or len(shape.hidden) > LARGEST["layers"]:
            raise ValueError("its hidden widths are no short list")
        numbers = [(name, getattr(shape, name)) for name in ("obs", "act", "members", "history")]
        for name, number in numbers + [("hidden", width) for width in shape.hidden]:
            if type(number) is not int or not 1 <= number <= LARGEST[name]:
                raise ValueError(f"its {name} is {number!r:.40}, not a number from 1 to {LARGEST[name]}")
        if type(shape.norm) is not bool:
            raise ValueError(f"its norm is {shape.norm!r:.40}, neither true nor false")
        newest(shape.obs, shape.act, shape.history)
        return shape._replace(hidden=tuple(shape.hidden))

    def blank(self) -> dict[str, Any]:
        """The shapes of the arrays that a folder of this model holds; allocates nothing."""

        def some_model(log: Transition, scaling: Scaling, key: Key[Array, ""]) -> dict[str, Any]:
            sizes = ModelSettings(
                ensemble_size=self.members,
                model_hidden_sizes=self.hidden,
                weight_decay=(0.0,) * (len(self.hidden) + 1),
                history=self.history,
                model_norm=self.norm,
            ).fit_sizes()
            return {"ensemble": finish_fit(start_fit(log, sizes, key)), "scaling": scaling}

        def floats(*shape: int) -> Any:
            return jax.ShapeDtypeStruct(shape, jnp.float32)

        obs, act = self.obs, self.act
        log = Transition(floats(2, obs), floats(2, act), floats(2), floats(2, obs), floats(2))
        scaling = Scaling(floats(obs), floats(obs), floats(act), floats(act), floats())
        return jax.eval_shape(some_model, log, scaling, jax.random.key(0))


def save_model(folder: Path, model: FittedModel) -> None:
    """Ensemble and scaling into one folder with a manifest."""
    write_arrays(folder, "ensemble", pytree_io.to_arrays(model.arrays()), model.manifest())


def load_model(folder: Path) -> FittedModel:
    """What `save_model` wrote; `UserError` if anything in it is damaged or of other sizes."""
    arrays, about = read_arrays(folder, "ensemble")
    if isinstance(about.get("settings"), dict):
        about["settings"] = renamed(about["settings"])
    try:
        shape, about["holdout"] = ModelShape.read(about.get("shape")), _numbers(about.get("holdout"))
        if "termination" in about:
            check_measured(about["termination"])
        report = quality_report.of(about)
    except ValueError as error:
        raise UserError(f"{folder}: {error}; fit it again") from error
    blank = shape.blank()
    if "termination" in about:
        blank["termination"] = jax.eval_shape(lambda: termination_classifier.blank(shape.obs))
    tree = pytree_io.from_arrays(blank, arrays, str(folder))
    about.pop(quality_report.KEY, None)
    return FittedModel(tree["ensemble"], tree["scaling"], about, tree.get("termination"), report)


def _numbers(declared: Any) -> list[float]:
    """The members' holdout errors as a folder tells them; raises `ValueError`."""
    if not isinstance(declared, list) or not declared or not all(type(error) in (int, float) for error in declared):
        raise ValueError("does not tell the holdout errors of its members")
    return declared
