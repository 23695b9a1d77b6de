"""Short, small runs on the embedded pendulum log, many in one program, on ensembles of falling quality.

Networks of 64-64, members of 4 x 64, batches of 128, learning rates of 1e-3: a run takes seconds, so that studies can
afford seeds. A model with a known error has all its members wrong alike: it is fitted on the log with next observations
computed anew for a pendulum of another mass, in closed form. Policies learn from the true log beside the wrong model.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from micro_rl.core.settings import Settings
from micro_rl.data import Dataset, load
from micro_rl.data.scaling import fit_scaling
from micro_rl.dynamics.saved_model import FittedModel, save_model
from micro_rl.errors import Diverged
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.fitting import Fit, fit_models, problem_of
from micro_rl.training.grid import Trial
from micro_rl.training.plan import Plan, make_plan
from micro_rl.training.sweep import carry_out

LOG, SEEDS = "pendulum-demo", 3
OUT = Path("out/pendulum-small")
FIT: dict[str, Any] = {"model_hidden_sizes": (64,) * 4, "max_fit_epochs": 40}
TRAINING: dict[str, Any] = {
    "hidden_sizes": (64, 64),
    "batch_size": 128,
    "rollout_batch_size": 1000,
    "actor_lr": 1e-3,
    "critic_lr": 1e-3,
    "temperature_lr": 1e-3,
    "epochs": 15,
    "checkpoint_every": 15,
}
GRAVITY, LENGTH, STEP, FASTEST = 10.0, 1.0, 0.05, 8.0
"""Of Pendulum-v1, whose mass is 1."""
APART = 10
"""One episode of so many is kept out of all fits, for the calibrated set."""


class Quality(NamedTuple):
    """What a model is fitted on and for how long, as far as it is not the best there is."""

    title: str
    rows: int | None = None
    epochs: int | None = None
    mass: float = 1.0


QUALITIES = {
    "whole": Quality("13,200 rows, fitted out"),
    "mass0.6": Quality("mass 0.6 instead of 1", mass=0.6),
    "rows600": Quality("600 rows", rows=600),
    "mass0.8": Quality("mass 0.8 instead of 1", mass=0.8),
    "epochs1": Quality("one epoch of the fit", epochs=1),
    "rows2000": Quality("2,000 rows", rows=2000),
}


def following(
    observations: Float[np.ndarray, "row obs"], actions: Float[np.ndarray, "row act"], mass: float
) -> Float[np.ndarray, "row obs"]:
    """Next observations of a pendulum of this mass, as Pendulum-v1 computes them."""
    angle, speed = np.arctan2(observations[:, 1], observations[:, 0]), observations[:, 2]
    torque = np.clip(actions[:, 0], -2, 2)
    pull = 3 * GRAVITY / (2 * LENGTH) * np.sin(angle) + 3 / (mass * LENGTH**2) * torque
    speed = np.clip(speed + pull * STEP, -FASTEST, FASTEST)
    angle = angle + speed * STEP
    return np.stack([np.cos(angle), np.sin(angle), speed], 1).astype(np.float32)


@cache
def log() -> Dataset:
    """The embedded log."""
    return load(LOG)


def kept_out() -> list[int]:
    """The episodes that no fit sees."""
    return list(range(APART - 1, len(log().stops), APART))


def log_of(quality: Quality) -> Dataset:
    """What a model of this quality is fitted on: whole episodes, evenly through the log."""
    free = [number for number in range(len(log().stops)) if number not in kept_out()]
    length = int(log().lengths[0])
    count = len(free) if quality.rows is None else quality.rows // length
    chosen = [log().episodes[free[place]] for place in np.linspace(0, len(free) - 1, count).round().astype(int)]
    rows = np.concatenate([np.arange(part.start, part.stop) for part in chosen])
    after = log().next_observations[rows]
    if quality.mass != 1:
        after = following(log().observations[rows], log().actions[rows], quality.mass)
    return Dataset.from_arrays(
        log().observations[rows],
        log().actions[rows],
        log().rewards[rows],
        timeouts=log().timeouts[rows],
        next_observations=after,
        action_low=log().action_low,
        action_high=log().action_high,
        name=LOG,
    )


def fit(name: str, out: Path = OUT) -> list[Path]:
    """The folders of the quality's models, one a seed; those that are not there yet are fitted, side by side."""
    folders = [out / f"model-{name}-{seed}" for seed in range(SEEDS)]
    if not all(folder.exists() for folder in folders):
        quality = QUALITIES[name]
        settings = Settings(**{**fit_settings(), "max_fit_epochs": quality.epochs or FIT["max_fit_epochs"]})
        scaling = fit_scaling(log(), settings.standardise, settings.scale_reward)
        own = log_of(quality)
        models = fit_models(own, problem_of(own, settings, scaling), settings, [Fit(s, _silent) for s in range(SEEDS)])
        for folder, model in zip(folders, models, strict=True):
            assert isinstance(model, FittedModel), "the fits are short and do not diverge"
            about = {"log_sha256": log().sha256, "episodes_held_out": kept_out()}
            save_model(folder, model._replace(about=model.about | about))
    return folders


def fit_settings() -> dict[str, Any]:
    """The preset's with small members."""
    return {"model_lr": 1e-3, "model_lr_drops": 0, "patience": 20} | FIT


def _silent(row: Mapping[str, Any]) -> None:
    """The fits take seconds."""


def planned(quality: str, seed: int, changes: Mapping[str, Any], method: str = "micro") -> Plan:
    """A run on the true log beside a model of this quality."""
    chosen = {**TRAINING, **FIT, **changes}
    return make_plan(log(), method, model=fit(quality)[seed], seed=seed, **chosen)


def run_all(cells: Mapping[str, tuple[str, Mapping[str, Any]]], folder: Path, method: str = "micro") -> dict[str, Any]:
    """Every cell (quality, what is changed) with all seeds, in one program where shapes allow; figures by cell."""
    trials = [
        Trial(f"{name}-seed{seed}", planned(quality, seed, changes, method))
        for name, (quality, changes) in cells.items()
        for seed in range(SEEDS)
    ]
    outcomes = carry_out(trials, folder, width=len(trials), resume=True)
    for name, outcome in outcomes.items():
        if isinstance(outcome, Diverged):
            print(name, outcome, flush=True)
    return {name: figures([folder / f"{name}-seed{seed}" for seed in range(SEEDS)]) for name in cells}


def figures(folders: Sequence[Path]) -> dict[str, list[Any]]:
    """By seed: evaluations after every epoch, and of the last what critics believe, what came, and f.

    A run that diverged has fewer evaluations: the last is the one before.
    """
    kept: dict[str, list[Any]] = {"evaluations": [], "believed": [], "obtained": [], "f": []}
    for folder in folders:
        rows = [row for row in RunFolder.open(folder).metrics() if "eval/return" in row]
        kept["evaluations"].append([round(row["eval/return"], 2) for row in rows])
        kept["believed"].append(rows[-1]["eval/critic_estimate"])
        kept["obtained"].append(rows[-1]["eval/discounted_return"])
        kept["f"].append(rows[-1].get("conservative_term", 0.0))
    return kept


def scores(cell: Mapping[str, Any], last: int = 10, epochs: int = TRAINING["epochs"]) -> Float[np.ndarray, " seed"]:
    """The mean of each seed's last evaluations; NaN of a run that diverged."""
    whole = [seed if len(seed) == epochs else [np.nan] for seed in cell["evaluations"]]
    return np.asarray([np.mean(seed[-last:]) for seed in whole])
