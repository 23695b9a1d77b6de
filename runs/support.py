"""Learning that stays where the log can vouch: `python -m runs.support DATA OUT [CELL...]`; without more, the cells.

MICRO with each recipe on each log and seed, evaluated every second epoch. DATA is the folder with the logs, OUT takes
a run folder per cell; the cells of a log's seed share one ensemble (OUT/LOG-seedN-model, as in `runs.methods`; those
with the calibrated set one of their own, OUT/LOG-held-out-seedN-model, which keeps episodes out of its fit). A cell
that was stopped goes on, one that is recorded to its end stays (`runs.records`): docs/results/data/support.json has the
scores of all at every evaluation. `--until EPOCH` stops earlier, and a later call goes on.
"""

import argparse
import sys
from pathlib import Path
from typing import Any, NamedTuple

from micro_rl.core import tasks
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.plan import Plan, make_plan
from micro_rl.training.runner import execute
from runs import methods
from runs.dmsd import DMSD
from runs.records import record, recorded
from runs.results import Lines

STUDY = "support"
EPOCHS = 50
SEEDS = (0, 1, 2)
LOGS = {
    "safety": methods.LOGS["safety"],
    "dmsd": "neorl2/DMSD-high-100000-train.npz",
    "halfcheetah": methods.LOGS["halfcheetah"],
    "hopper": methods.LOGS["hopper"],
    "pendulum": "pendulum-demo",
}
ANCHOR: dict[str, Any] = {"bc_weight": 2.0}
MANY: dict[str, Any] = {"num_critics": 10}
HELD_OUT: dict[str, Any] = {"holdout_episodes": 0.1}
CALIBRATED: dict[str, Any] = {"candidates": "calibrated", "beta": 1.0} | HELD_OUT
"""The set that holds 95 % of true next states, in full; its model keeps a tenth of the episodes out of its fit."""
RECIPES: dict[str, dict[str, Any]] = {
    "halt-anchor": {"support": "halt"} | ANCHOR,
    "anchor": ANCHOR,
    "halt": {"support": "halt"},
    "truncate": {"support": "truncate"},
    "plain": {},
    "truncate-anchor": {"support": "truncate"} | ANCHOR,
    "penalty": {"support": "penalty"},
    "ten-critics": MANY,
    "ravl": MANY | {"critic_diversity": 1.0},
    "pair": MANY | {"target_critics": "pair"},
    "critic-norm": {"critic_norm": True},
    "one-member": {"rollout_member": "rollout"},
    "linear": {"values": "linear"},
    "calibrated": CALIBRATED,
    "calibrated-anchor": CALIBRATED | ANCHOR,
    "long-anchor": {"support": "truncate", "rollout_length": 20, "rollout_member": "rollout"} | ANCHOR,
    "all": {"support": "halt", "critic_norm": True, "critic_diversity": 1.0} | ANCHOR | MANY,
}
"""In the order in which they are run."""
EVALUATED: dict[str, Any] = {"num_samples": 1, "eval_every": 2, "eval_episodes": 5}
SCORES = ("eval/normalised_score", "eval/return")
DMSD_TASK = tasks.find("DMSD")


class Cell(NamedTuple):
    """One run of the study."""

    log: str
    recipe: str
    seed: int

    @property
    def name(self) -> str:
        """Its run folder."""
        return f"{self.log}-{self.recipe}-seed{self.seed}"


def cells() -> list[Cell]:
    """All of them, the narrow log first, and of each log every recipe of a seed before the next seed."""
    return [Cell(log, recipe, seed) for log in LOGS for seed in SEEDS for recipe in RECIPES]


def plan_of(cell: Cell, data: Path, out: Path) -> Plan:
    """MICRO with the log's preset and the recipe's changes, on the ensemble that the log's seed has."""
    log = LOGS[cell.log] if cell.log == "pendulum" else data / LOGS[cell.log]
    recipe = RECIPES[cell.recipe]
    if HELD_OUT.keys() <= recipe.keys():
        model = methods.shared_model(f"{cell.log}-held-out", log, cell.seed, out, **HELD_OUT)
    else:
        model = methods.shared_model(cell.log, log, cell.seed, out)
    chosen: dict[str, Any] = EVALUATED | recipe | ({"env": DMSD} if cell.log == "dmsd" else {})
    return make_plan(log, "micro", model=model, epochs=EPOCHS, seed=cell.seed, **chosen)


def curve_of(rows: list[dict[str, Any]], log: str) -> dict[int, float]:
    """The score, or where there is none the return, at each evaluated epoch."""
    curve = {int(row["epoch"]): row[key] for row in rows if (key := next((key for key in SCORES if key in row), None))}
    if log != "dmsd":
        return curve
    scores = {epoch: tasks.normalised(value, DMSD_TASK) for epoch, value in curve.items()}
    return {epoch: score for epoch, score in scores.items() if score is not None}


def curves() -> dict[str, dict[int, float]]:
    """Of every cell that is recorded, here or by another machine."""
    known = recorded(STUDY)
    return {name: {int(epoch): score for epoch, score in curve.items()} for name, curve in known.items()}


def main(data: Path, out: Path, chosen: list[str], until: int) -> None:
    """Run the cells one after the other, and record the curve of each."""
    if unknown := set(chosen) - {cell.name for cell in cells()}:
        sys.exit(f"no such cell: {', '.join(sorted(unknown))}")
    for cell in sorted(cells(), key=lambda cell: chosen.index(cell.name) if cell.name in chosen else -1):
        if (chosen and cell.name not in chosen) or max(curves().get(cell.name, ()), default=0) >= until:
            continue
        execute(plan_of(cell, data, out), out / cell.name, resume=True, until=until, callback=Lines())
        curve = curve_of(RunFolder.open(out / cell.name).metrics(), cell.log)
        record(STUDY, cell.name, {epoch: round(score, 2) for epoch, score in curve.items()})
        print(cell.name, *(f"{epoch}: {score:.1f}" for epoch, score in curve.items()), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("cells", nargs="*")
    parser.add_argument("--until", type=int, default=EPOCHS)
    words = parser.parse_args()
    if words.out is None:
        print(__doc__, *(cell.name for cell in cells()), sep="\n")
    else:
        main(words.data, words.out, words.cells, words.until)
