"""The published runs on real logs: `python -m runs.results DATA OUT CELL...`; a cell that was stopped goes on.

DATA is the folder with the logs. Every cell is a run folder under OUT. `python -m runs.results` lists the cells.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from micro_rl.plan import make_plan
from micro_rl.policy import Policy
from micro_rl.run import execute
from micro_rl.store import Row
from micro_rl.watcher import Watcher


@dataclass(frozen=True)
class Cell:
    """One run: its log under DATA, what departs from the preset, and after how many epochs it stops."""

    log: str
    until: int
    overrides: dict[str, Any] = field(default_factory=dict)
    model_of: str | None = None


_CHEETAH, _HOPPER = "halfcheetah-medium-replay.hdf5", "hopper-medium-replay.hdf5"
_SAFETY = "neorl2/SafetyHalfCheetah-high-100000-train.npz"
_OFTEN = {"evaluate_every": 2, "draws": 1}

CELLS = {
    "halfcheetah-seed0": Cell(_CHEETAH, 100, {**_OFTEN, "seed": 0}),
    "halfcheetah-seed1": Cell(_CHEETAH, 100, {**_OFTEN, "seed": 1}, model_of="halfcheetah-seed0"),
    "hopper-seed0": Cell(_HOPPER, 100, {**_OFTEN, "seed": 0}),
    "hopper-seed1": Cell(_HOPPER, 100, {**_OFTEN, "seed": 1}, model_of="hopper-seed0"),
    "hopper-draws10": Cell(_HOPPER, 30, {**_OFTEN, "draws": 10, "seed": 0}, model_of="hopper-seed0"),
} | {f"safety-seed{s}": Cell(_SAFETY, 40, {"epochs": 40, "seed": s}) for s in (0, 1, 2)}


class _Lines(Watcher):
    """One line an epoch."""

    def note(self, text: str) -> None:
        print(text, flush=True)

    def fitted(self, row: Row) -> None:
        print(f"fit {row['epoch']:3.0f}  holdout {row['holdout/mean']:.5f}", flush=True)

    def trained(self, row: Row, policy: Policy) -> None:
        names = (
            "epoch",
            "eval/return",
            "eval/normalised_score",
            "q/model",
            "conservative_term",
            "time/seconds",
        )
        print("  ".join(f"{name} {row[name]:.3f}" for name in names if name in row), flush=True)


def main(data: Path, out: Path, cells: list[str]) -> None:
    """Run the cells one after the other."""
    for name in cells:
        cell = CELLS[name]
        model = out / cell.model_of / "model" if cell.model_of else None
        plan = make_plan(data / cell.log, "micro", model=model, overrides=cell.overrides)
        run = execute(plan, out / name, resume=True, until=cell.until, watcher=_Lines())
        print(name, run.scores, flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        print(__doc__, *CELLS, sep="\n")
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
