"""The methods' table: `python -m runs.methods DATA OUT [CELL...]`, as `runs.long_runs` trains, records and goes on.

DATA is the folder with the logs, OUT takes a run folder per cell. Every cell runs 50 epochs, those of `runs.robustness`
100. Without cells all are run, what matters first; without arguments they are listed. Then comes
`python -m runs.methods_page`.
"""

import sys
from pathlib import Path

from runs.long_runs import Cell, Entry, chosen_of, train
from runs.robustness import EPOCHS as LONGER
from runs.robustness import LOGS as TRIED_LOGS
from runs.robustness import METHODS as TRIED
from runs.robustness import SEEDS as TRIED_SEEDS
from runs.support import entry_of

EPOCHS = 50
SEEDS = (0, 1)
LOGS = ("safety", "dmsd", "halfcheetah", "hopper")
MATCHED = 1.24
"""c / beta at which MOBILE's penalty is as large as MICRO's: E[mean - min] / E[std] of five normals."""
FROM_SUPPORT = ("micro", "means", "anchor", "halt-anchor", "all")
"""MICRO with Support's settings, rows of their own."""
ENTRIES: dict[str, Entry] = {
    **{name: entry_of(name) for name in FROM_SUPPORT[:1]},
    "mobile-matched": Entry("mobile", {}, per_beta={"penalty": MATCHED}),
    "sac": Entry("sac", {}),
    "td3_bc": Entry("td3_bc", {}),
    "bc": Entry("bc", {}),
    "iql": Entry("iql", {}),
    "mopo": Entry("mopo", {}),
    "morel": Entry("morel", {}),
    **{name: entry_of(name) for name in FROM_SUPPORT[1:]},
    "rebrac": Entry("rebrac", {}),
    "rambo": Entry("rambo", {}),
    "edac": Entry("edac", {}),
    "combo": Entry("combo", {}),
    "cql": Entry("cql", {}),
}
"""In the order in which they are run: the dear ones last."""


def epochs_of(cell: Cell) -> int:
    """How long the cell is trained."""
    tried = cell.log in TRIED_LOGS and cell.entry in TRIED and cell.seed in TRIED_SEEDS
    return LONGER if tried else EPOCHS


def cells() -> list[Cell]:
    """All of them: for every log and seed the first four methods, then the cheap ones of the rest, then the dear."""
    names = list(ENTRIES)
    seeds = {log: TRIED_SEEDS if log in TRIED_LOGS else SEEDS for log in LOGS}
    wanted = [
        Cell(log, entry, seed)
        for part in (names[:4], names[4:12], names[12:])
        for seed in TRIED_SEEDS
        for log in LOGS
        for entry in part
        if seed in SEEDS or (seed in seeds[log] and entry in TRIED)
    ]
    return wanted


def main(data: Path, out: Path, names: list[str]) -> None:
    """Run the cells one after the other."""
    for cell in chosen_of(cells(), names):
        train(cell, ENTRIES[cell.entry], data, out, epochs_of(cell))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        print(__doc__, *(cell.name for cell in cells()), sep="\n")
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
