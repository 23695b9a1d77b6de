"""The robustness study: `python -m runs.robustness OUT [CELL...]`, where OUT holds the runs of `runs.methods`.

Five methods on halfcheetah and hopper, three seeds, each run after 100 epochs, through MICRO's protocol, attacked by
its own critics; then by the same critics for all: those of MICRO, MOBILE and SAC of its seed together, where all three
are there. What was found is recorded in docs/results/data/robustness.json, and a recorded cell is not tried again; one
that was stopped goes on. Without CELL every run that is there is tried; without OUT the cells are listed. `--workers N`
takes N cores. Then comes `python -m runs.robustness_page`.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.core.tasks import Task, normalised
from micro_rl.reports.stats import cvar
from micro_rl.robustness.jobs import robust
from micro_rl.storage.json_files import read_json
from runs.kept_cells import origin, rounded
from runs.long_runs import Cell, chosen_of
from runs.records import record, recorded

STUDY = "robustness"
EPOCHS = 100
SEEDS = (0, 1, 2)
METHODS = ("micro", "mobile-matched", "sac", "td3_bc", "rambo")
ATTACKERS = ("micro", "mobile-matched", "sac")
LOGS = ("halfcheetah", "hopper")
OWN, COMMON = "own", "common"
"""Whose critics attack."""
PROTOCOLS = {OWN: "micro", COMMON: str(Path(__file__).with_name("common_critic.toml"))}
FOLDERS = {OWN: "micro", COMMON: f"common_critic-by-{len(ATTACKERS)}-runs"}
"""Of the results, under the run's folder `robust`."""


def cells() -> list[Cell]:
    """A run each: seed by seed, of each log every method."""
    return [Cell(log, method, seed) for seed in SEEDS for log in LOGS for method in METHODS]


def name_of(cell: Cell, critics: str) -> str:
    """Its name in the record."""
    return f"{cell.name}-{critics}"


def trained(path: Path) -> bool:
    """Whether the run stands at the epoch after which it is tried."""
    scores = path / "scores.json"
    return scores.exists() and read_json(scores).get("epochs") == EPOCHS


def attackers(cell: Cell, out: Path) -> list[Path]:
    """The runs of the same log and seed whose critics attack all methods alike."""
    return [out / Cell(cell.log, method, cell.seed).name for method in ATTACKERS]


def figures(path: Path) -> dict[str, Any]:
    """What is recorded of one policy's results in a folder of `micro-rl robust`.

    Args:
        path: The folder, with robust.json and cells.jsonl.

    Returns:
        Epochs trained and planned, episodes a cell, and of each group its axes, and over its cells, the first axis
        outermost, mean and standard deviation of the episodes' normalised scores, the mean of the group's worst tenth
        of episodes, and the cells in which the simulation was unstable, if there are any.
    """
    about = read_json(path / "robust.json")
    rows = [json.loads(line) for line in (path / "cells.jsonl").read_text().splitlines()]
    task, groups = Task(**about["task"]), {}
    for group in about["groups"]:
        names = [axis["name"] for axis in group["axes"]]
        at = {tuple(row["coordinates"][name] for name in names): row for row in rows if row["group"] == group["name"]}
        scores = np.array(
            [[normalised(float(value), task) for value in at[place]["returns"]] for place in sorted(at)], float
        )
        unstable = [row["cell"] for row in at.values() if row.get("unstable")]
        groups[group["name"]] = {
            "axes": {axis["name"]: axis["values"] for axis in group["axes"]},
            "mean": scores.mean(1).tolist(),
            "std": scores.std(1).tolist(),
            "cvar10": float(cvar(scores.T)),
        } | ({"unstable": unstable} if unstable else {})
    return about["trained"] | {"episodes": about["episodes"], "groups": groups}


def hindrance(cell: Cell, out: Path, critics: str) -> str:
    """Why the run is not tried; empty where it is."""
    if name_of(cell, critics) in recorded(STUDY):
        return "recorded"
    needed = [out / cell.name, *(attackers(cell, out) if critics == COMMON else ())]
    absent = [run.name for run in dict.fromkeys(needed) if not trained(run)]
    return f"not after {EPOCHS} epochs: {', '.join(absent)}" if absent else ""


def attempt(cell: Cell, out: Path, critics: str, workers: int | None) -> None:
    """Try one run by one protocol, or its rest, and record what was found."""
    by = attackers(cell, out) if critics == COMMON else []
    robust(out / cell.name, PROTOCOLS[critics], critics=by, workers=workers)
    of_cell = figures(out / cell.name / "robust" / FOLDERS[critics])
    record(STUDY, name_of(cell, critics), {"figures": rounded(of_cell)} | origin())
    means = (f"{group} {np.mean(of['mean']):.1f}" for group, of in of_cell["groups"].items())
    print(f"{name_of(cell, critics)}: {', '.join(means)}", flush=True)


def main(out: Path, names: Sequence[str], workers: int | None) -> None:
    """Try what can be tried: of each run its own critics, then the common ones."""
    for cell in chosen_of(cells(), list(names)):
        for critics in PROTOCOLS:
            if reason := hindrance(cell, out, critics):
                print(f"{name_of(cell, critics)}: {reason}", flush=True)
            else:
                attempt(cell, out, critics, workers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("cells", nargs="*")
    parser.add_argument("--workers", type=int)
    words = parser.parse_args()
    if words.out is None:
        print(__doc__, *(cell.name for cell in cells()), sep="\n")
    else:
        main(words.out, words.cells, words.workers)
