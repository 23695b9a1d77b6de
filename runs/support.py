"""Learning that stays where the log can vouch: `python -m runs.support DATA OUT [CELL...]`; without more, the cells.

MICRO with each recipe on each log and seed, as `runs.long_runs` trains it, records it and goes on. DATA is the folder
with the logs, OUT takes a run folder per cell. `--until EPOCH` stops earlier, and a later call goes on.
"""

from pathlib import Path
from typing import Any

from runs.long_runs import LOGS, Cell, Entry, chosen_of, command, train

EPOCHS = 50
SEEDS = (0, 1, 2)
ANCHOR: dict[str, Any] = {"bc_weight": 2.0}
MANY: dict[str, Any] = {"num_critics": 10}
HELD_OUT: dict[str, Any] = {"holdout_episodes": 0.1}
CALIBRATED: dict[str, Any] = {"candidates": "calibrated", "beta": 1.0} | HELD_OUT
"""The set that holds 95 % of true next states, in full; its model keeps a tenth of the episodes out of its fit."""
RECIPES: dict[str, dict[str, Any]] = {
    "halt-anchor": {"support": "halt"} | ANCHOR,
    "anchor": ANCHOR,
    "strong-anchor": {"bc_weight": 10.0},
    "weak-anchor": {"bc_weight": 0.4},
    "halt": {"support": "halt"},
    "truncate": {"support": "truncate"},
    "micro": {},
    "truncate-anchor": {"support": "truncate"} | ANCHOR,
    "penalty": {"support": "penalty"},
    "ten-critics": MANY,
    "ravl": MANY | {"critic_diversity": 1.0},
    "pair": MANY | {"target_critics": "pair"},
    "critic-norm": {"critic_norm": True},
    "one-member": {"rollout_member": "rollout"},
    "linear": {"values": "linear"},
    "low-beta": {"beta": 0.1},
    "means": {"num_samples": 0},
    "halt-anchor-means": {"support": "halt", "num_samples": 0} | ANCHOR,
    "cautious": {"preset": "cautious", "num_samples": 0},
    "calibrated": CALIBRATED,
    "calibrated-anchor": CALIBRATED | ANCHOR,
    "long-anchor": {"support": "truncate", "rollout_length": 20, "rollout_member": "rollout"} | ANCHOR,
    "all": {"support": "halt", "critic_norm": True, "critic_diversity": 1.0} | ANCHOR | MANY,
}
"""In the order in which they are run."""
ON_THE_NARROW_LOG = ("strong-anchor", "weak-anchor")
"""How strong an anchor has to be is asked where MICRO needs one; 0.4 is TD3+BC's own balance."""
ANOTHER_ALREADY = {("hopper", "low-beta"), ("safety", "cautious"), ("dmsd", "cautious")}
"""The preset of hopper-medium-replay has a beta of 0.1 itself; `cautious` is `halt-anchor-means` and `means` there."""


def entry_of(recipe: str) -> Entry:
    """MICRO with the recipe's changes."""
    changes = RECIPES[recipe]
    return Entry("micro", changes, HELD_OUT if HELD_OUT.keys() <= changes.keys() else {})


def cells() -> list[Cell]:
    """All of them, the narrow log first, and of each log every recipe of a seed before the next seed."""
    return [
        Cell(log, recipe, seed)
        for log in LOGS
        for seed in SEEDS
        for recipe in RECIPES
        if (log == "safety" or recipe not in ON_THE_NARROW_LOG) and (log, recipe) not in ANOTHER_ALREADY
    ]


def main(data: Path, out: Path, names: list[str], until: int) -> None:
    """Run the cells one after the other, and record the curve of each."""
    for cell in chosen_of(cells(), names):
        train(cell, entry_of(cell.entry), data, out, until)


if __name__ == "__main__":
    command(str(__doc__), cells(), main, EPOCHS)
