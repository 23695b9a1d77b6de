"""The methods' table: `python -m runs.methods DATA OUT [CELL...]`; cells that were stopped go on, done ones stay.

DATA is the folder with the logs, OUT takes a run folder per cell. The cells of a log's seed share one ensemble
(OUT/LOG-seedN-model, fitted if it is not there; a fit that was stopped goes on), have one draw, and run 50 epochs.
Without cells all are run, in an order in which what matters comes first. At the end docs/results/methods.md is written
from all finished cells in OUT, as `python -m runs.methods_page OUT` does alone.
"""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from micro_rl import api
from micro_rl.algorithms.model_based import METHODS
from micro_rl.algorithms.registry import resolve
from micro_rl.data import load
from micro_rl.training.plan import Plan, make_plan
from micro_rl.training.runner import execute
from runs.results import Lines

EPOCHS = 50
LOGS = {
    "safety": "neorl2/SafetyHalfCheetah-high-100000-train.npz",
    "halfcheetah": "halfcheetah-medium-replay.hdf5",
    "hopper": "hopper-medium-replay.hdf5",
}
SEEDS = {"safety": (0, 1, 2), "halfcheetah": (0, 1), "hopper": (0,)}
OF_HOPPER = ("micro", "mobile-matched", "sac", "td3_bc", "rambo")
"""Trained for `runs.robustness`, which needs a robot that falls."""
FIT_EPOCHS = {"safety-seed0": 373, "safety-seed1": 315, "halfcheetah-seed0": 160, "hopper-seed0": 62}
"""Fits that were ended before their patience ran out, for want of time; the others end by themselves."""
MATCHED = 1.24
"""c / beta at which MOBILE's penalty is as large as MICRO's: E[mean - min] / E[std] of five normals."""


@dataclass(frozen=True)
class Entry:
    """A method of the table and what departs from the log's preset."""

    method: str
    changes: dict[str, Any]


def entries(beta: float) -> dict[str, Entry]:
    """In the order in which they are run; `beta` is the log's preset's."""
    return {
        "micro": Entry("micro", {"beta": beta, "num_samples": 1}),
        "mobile-matched": Entry("mobile", {"penalty": MATCHED * beta, "num_samples": 1}),
        "sac": Entry("sac", {}),
        "micro-anchored": Entry("micro", {"beta": beta, "num_samples": 1, "bc_weight": 0.4}),
        "td3_bc": Entry("td3_bc", {}),
        "bc": Entry("bc", {}),
        "mopo": Entry("mopo", {}),
        "rambo": Entry("rambo", {}),
        "iql": Entry("iql", {}),
        "edac": Entry("edac", {}),
        "combo": Entry("combo", {}),
        "cql": Entry("cql", {}),
        "rebrac": Entry("rebrac", {}),
        "morel": Entry("morel", {}),
    }


@dataclass(frozen=True)
class Cell:
    """One run of the table."""

    log: str
    entry: str
    seed: int

    @property
    def name(self) -> str:
        """Its run folder."""
        return f"{self.log}-{self.entry}-seed{self.seed}"


def cells() -> list[Cell]:
    """All of them, what matters first: the first four methods on every seed, then the rest."""
    names = list(entries(0.5))
    return [
        Cell(log, entry, seed)
        for part in (names[:4], names[4:])
        for log in LOGS
        for seed in SEEDS[log]
        for entry in part
        if log != "hopper" or entry in OF_HOPPER
    ]


def shared_model(name: str, log: Path | str, seed: int, out: Path, **fit: Any) -> Path:
    """The ensemble of a log's seed, with the settings that the preset has for MICRO or these; fitted, or its rest."""
    folder = out / f"{name}-seed{seed}-model"
    if not folder.exists():
        dataset = load(log)
        changes = {"max_fit_epochs": FIT_EPOCHS.get(f"{name}-seed{seed}", 1000)} | fit
        settings, _ = resolve("micro", make_plan(dataset).preset, changes)
        api.fit(dataset, settings, seed, out=folder, resume=True, callback=Lines())
    return folder


def plan_of(cell: Cell, data: Path, out: Path) -> Plan:
    """Every method that learns a model has MICRO's settings for that log, and of its own only its options."""
    log = data / LOGS[cell.log]
    like = make_plan(log, "micro")
    entry = entries(like.options.beta)[cell.entry]
    own: dict[str, Any] = {"seed": cell.seed, "eval_every": 1} | entry.changes
    if entry.method not in METHODS:
        return make_plan(log, entry.method, **own)
    options = asdict(make_plan(log, entry.method).options)
    model = shared_model(cell.log, log, cell.seed, out)
    return make_plan(log, entry.method, model=model, **(asdict(like.settings) | options | own))


def run(cell: Cell, data: Path, out: Path) -> None:
    """Train the cell, or the rest of it."""
    run = execute(plan_of(cell, data, out), out / cell.name, resume=True, until=EPOCHS, callback=Lines())
    print(cell.name, run.scores, flush=True)


def main(data: Path, out: Path, chosen: list[str]) -> None:
    """Run the cells one after the other, then write the page."""
    from runs import methods_page  # here, since it takes the cells from this file

    if unknown := set(chosen) - {cell.name for cell in cells()}:
        sys.exit(f"no such cell: {', '.join(sorted(unknown))}")
    for cell in cells():
        if not chosen or cell.name in chosen:
            run(cell, data, out)
    methods_page.main(out)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        print(__doc__, *(cell.name for cell in cells()), sep="\n")
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
