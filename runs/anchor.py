"""Anchor against beta on a narrow log: `python -m runs.anchor DATA OUT [CELL...]`, `python -m runs.anchor_page OUT`.

MICRO on NeoRL-2's SafetyHalfCheetah, one seed, one ensemble (OUT/safety-seed0-model, as in `runs.long_runs`), 30 epochs
of each cell, one draw. Cells that were stopped go on, done ones stay; without arguments the cells are listed.
"""

import sys
from pathlib import Path
from typing import Any

from micro_rl.training.plan import make_plan
from micro_rl.training.runner import execute
from runs.long_runs import LOGS, shared_model
from runs.progress import Lines

EPOCHS = 30
NAMES = {"bc_weight": "anchor", "beta": "beta", "real_ratio": "real", "rollout_length": "steps"}
CHANGES: list[dict[str, Any]] = [
    {"bc_weight": 0.4, "beta": 0.5},
    {"bc_weight": 2.0, "beta": 0.5},
    {"bc_weight": 10.0, "beta": 0.5},
    {"bc_weight": 2.0, "beta": 0.0},
    {"bc_weight": 0.4, "beta": 1.0},
    {"bc_weight": 0.4, "beta": 0.5, "real_ratio": 0.9},
    {"bc_weight": 2.0, "beta": 1.0},
    {"bc_weight": 2.0, "beta": 0.5, "real_ratio": 0.9},
    {"bc_weight": 0.4, "beta": 0.0},
    {"bc_weight": 2.0, "beta": 0.5, "rollout_length": 1},
]
"""In the order in which they are run."""


def name_of(changes: dict[str, Any]) -> str:
    """The cell's run folder."""
    return "-".join(f"{NAMES[key]}{value:g}" for key, value in changes.items())


CELLS = {name_of(changes): changes for changes in CHANGES}


def main(data: Path, out: Path, chosen: list[str]) -> None:
    """Run the cells one after the other."""
    model = shared_model("safety", data / LOGS["safety"], 0, out)
    for name in chosen or CELLS:
        fixed: dict[str, Any] = {"num_samples": 1, "seed": 0, "eval_every": 1}
        plan = make_plan(data / LOGS["safety"], "micro", model=model, **(fixed | CELLS[name]))
        run = execute(plan, out / name, resume=True, until=EPOCHS, callback=Lines())
        print(name, run.scores, flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        print(__doc__, *CELLS, sep="\n")
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
