"""The published runs on real logs: `python -m runs.results DATA OUT CELL...`; a cell that was stopped goes on.

DATA is the folder with the logs. Every cell is a run folder under OUT; the cells of a log share the model that is
fitted first, in OUT too. `python -m runs.results` lists the cells.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from micro_rl.algorithms.registry import resolve
from micro_rl.data import load
from micro_rl.dynamics.saved_model import save_model
from micro_rl.training.fitting import fit_model, problem_of
from micro_rl.training.plan import make_plan
from micro_rl.training.runner import execute
from runs.progress import Lines


@dataclass(frozen=True)
class Cell:
    """One run: its log under DATA, what departs from the preset, after how many epochs it stops, whose model."""

    log: str
    until: int
    overrides: dict[str, Any] = field(default_factory=dict)
    model: str | None = None


_CHEETAH, _HOPPER = "halfcheetah-medium-replay.hdf5", "hopper-medium-replay.hdf5"
_SAFETY = "neorl2/SafetyHalfCheetah-high-100000-train.npz"
_OFTEN = {"eval_every": 2, "num_samples": 1}

# Seed 0's fits, stopped for want of time while still gaining about 0.3 % and 1 % an epoch.
MODELS = {"halfcheetah-model": (_CHEETAH, 160), "hopper-model": (_HOPPER, 62)}
CELLS = (
    {f"halfcheetah-seed{s}": Cell(_CHEETAH, 100, {**_OFTEN, "seed": s}, "halfcheetah-model") for s in (0, 1)}
    | {f"hopper-seed{s}": Cell(_HOPPER, 100, {**_OFTEN, "seed": s}, "hopper-model") for s in (0, 1)}
    | {"hopper-draws10": Cell(_HOPPER, 30, {**_OFTEN, "num_samples": 10, "seed": 0}, "hopper-model")}
    | {f"safety-seed{s}": Cell(_SAFETY, 25, {"epochs": 25, "seed": s}) for s in (0, 1, 2)}
)


def shared_model(name: str, data: Path, out: Path) -> Path:
    """The model of that name, fitted with its log's preset if it is not there yet."""
    folder = out / name
    if not folder.exists():
        log, epochs = MODELS[name]
        dataset = load(data / log)
        settings, _ = resolve("micro", dataset.name, {"max_fit_epochs": epochs})
        model = fit_model(dataset, problem_of(dataset, settings), settings, 0, Lines().fitted)
        save_model(folder, model)
    return folder


def main(data: Path, out: Path, cells: list[str]) -> None:
    """Run the cells one after the other."""
    for name in cells:
        cell = CELLS[name]
        model = shared_model(cell.model, data, out) if cell.model else None
        plan = make_plan(data / cell.log, "micro", model=model, **cell.overrides)
        run = execute(plan, out / name, resume=True, until=cell.until, callback=Lines())
        print(name, run.scores, flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        print(__doc__, *CELLS, sep="\n")
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
