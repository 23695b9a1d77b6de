"""When MICRO's set misses the truth, on the pendulum: `python -m runs.missed_pendulum` (page: `runs.missed_page`).

Models of falling quality (`runs.pendulum_small`): for each the share of true next states that every set holds, and
MICRO with every set at several betas, three seeds. Cells that are recorded (`runs.records`) are not run again.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from micro_rl.core.types import Transition
from micro_rl.data import Dataset
from micro_rl.data.scaling import to_core
from micro_rl.dynamics.ensemble import predict
from micro_rl.dynamics.saved_model import FittedModel, load_model
from micro_rl.training.plan import Plan
from micro_rl.training.set_calibration import calibrated_set
from runs.kept_cells import add, kept
from runs.pendulum_small import LOG, OUT, QUALITIES, fit, following, log, planned, run_all
from runs.records import recorded

STUDY = "missed-pendulum"
ROWS = 4000
SPEED = 2
"""The column that the action moves: the others follow from it."""
BALL = 0.1
SETS: dict[str, Mapping[str, Any]] = {
    "draw": {},
    "calibrated": {"candidates": "calibrated"},
    "means": {"num_samples": 0},
    "all": {"candidates": "all"},
    "l2": {"candidates": "l2", "radius": BALL},
}
PROGRAMS = [
    ("draw", (0.0, 1.0)),
    ("calibrated", (1.0,)),
    ("draw", (0.25, 0.5)),
    ("l2", (1.0,)),
    ("all", (1.0,)),
    ("means", (1.0,)),
    ("calibrated", (0.25,)),
]
"""Set and betas of each program, in the order in which they are run; all qualities are in each."""
WRONG, MOST = ("whole", "mass0.8", "mass0.6"), 0.95
"""Models that are right, or wrong together, and their share of a batch that leaves the true log a twentieth."""
MOSTLY = {
    f"{quality}-beta{beta:g}-mostly": (quality, {"beta": beta, "real_ratio": round(1 - MOST, 2)})
    for beta in (0.0, 0.25, 1.0)
    for quality in WRONG
}


def everywhere() -> Dataset:
    """True transitions from states and actions drawn uniformly over all that the pendulum can do."""
    rng = np.random.default_rng(0)
    angle, speed = rng.uniform(-np.pi, np.pi, ROWS), rng.uniform(-8, 8, ROWS)
    observations = np.stack([np.cos(angle), np.sin(angle), speed], 1).astype(np.float32)
    actions = rng.uniform(-2, 2, (ROWS, 1)).astype(np.float32)
    after = following(observations, actions, 1.0)
    ends = np.ones(ROWS, bool)
    return Dataset.from_arrays(
        observations,
        actions,
        np.zeros(ROWS),
        timeouts=ends,
        next_observations=after,
        action_low=log().action_low,
        action_high=log().action_high,
        name=LOG,
    )


def coverage(quality: str) -> dict[str, list[float]]:
    """By set: the share of true next speeds that each seed's set holds, all over the state space; and one step's error.

    The calibrated set is round, so that all columns together count for it.
    """
    places = everywhere()
    shares = [covered(load_model(folder), places, planned(quality, 0, {})) for folder in fit(quality)]
    return {name: [share[name] for share in shares] for name in shares[0]}


def covered(model: FittedModel, places: Dataset, plan: Plan) -> dict[str, float]:
    """Of one model."""
    rows = Transition(*(jnp.asarray(part) for part in to_core(places.transitions(True), model.scaling)))
    mean, std = (np.asarray(part)[..., SPEED] for part in predict(model.ensemble, rows.observation, rows.action))
    true = np.asarray(rows.next_observation)[:, SPEED]
    drawn = mean + std * np.random.default_rng(1).normal(size=mean.shape)
    stored = np.take_along_axis(drawn[:5], np.random.default_rng(2).integers(0, 5, (1, len(true))), 0)[0]
    measured = calibrated_set(plan.dataset, model, plan.settings, 0.95)
    centre, size = measured.around(model.ensemble.best(5), rows)
    off = (rows.next_observation - centre) / measured.unit
    inside = {name: (part.min(0) <= true) & (true <= part.max(0)) for name, part in places_of(mean, drawn).items()}
    inside["l2"] = np.abs(true - stored) <= BALL
    inside["calibrated"] = np.sqrt(np.mean(np.square(off), -1)) <= np.asarray(size)
    change = true - np.asarray(rows.observation)[:, SPEED]
    error = np.sqrt(np.mean((mean[:5] - true) ** 2) / np.mean(change**2))
    return {name: float(np.mean(share)) for name, share in inside.items()} | {"error": float(error)}


def places_of(mean: np.ndarray, drawn: np.ndarray) -> dict[str, np.ndarray]:
    """The sets that are made of members."""
    return {"draw": drawn[:5], "means": mean[:5], "all": drawn}


def name_of(quality: str, candidates: str, beta: float) -> str:
    """Of a cell; without beta there is no set."""
    return f"{quality}-sac" if beta == 0 else f"{quality}-{candidates}-beta{beta:g}"


def main() -> None:
    """What is not recorded yet."""
    for quality in QUALITIES:
        print(quality, kept(STUDY, f"{quality}-coverage", lambda quality=quality: coverage(quality)), flush=True)
    for candidates, betas in PROGRAMS:
        cells = {
            name_of(quality, candidates, beta): (quality, {**SETS[candidates], "beta": beta})
            for beta in betas
            for quality in QUALITIES
        }
        run_recorded(STUDY, cells)
    run_recorded(STUDY, MOSTLY)


def run_recorded(study: str, cells: Mapping[str, tuple[str, Mapping[str, Any]]], method: str = "micro") -> None:
    """Run those of the cells that are not recorded, in one program, and record them."""
    missing = {name: cell for name, cell in cells.items() if name not in recorded(study)}
    if missing:
        print(study, *missing, flush=True)
        add(study, lambda: run_all(missing, OUT / study, method))
        jax.clear_caches()


if __name__ == "__main__":
    main()
