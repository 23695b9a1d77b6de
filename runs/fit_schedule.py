"""Epochs that a fit takes to the same held-out error: `python -m runs.fit_schedule DATA OUT [LOG...]`, a table.

Each log is fitted twice: as it was, at a learning rate of 1e-3 until 20 epochs bring no gain, and with today's
defaults. An epoch costs the same either way (the same program but for a number), so epochs are compared and not
seconds. Each fit's rows stay in OUT/LOG-FIT.json; one that is there is not made again.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from micro_rl import fit, load
from micro_rl.core.settings import Settings
from micro_rl.storage.json_files import read_json, write_json
from micro_rl.training.callbacks import Callback
from runs import long_runs

LOGS = {name: long_runs.LOGS[name] for name in ("safety", "dmsd", "halfcheetah", "pendulum")}
FITS: dict[str, dict[str, Any]] = {
    "before": {"model_lr": 1e-3, "model_lr_drops": 0, "patience": 20},
    "now": {},
}


class Rows(Callback):
    """Keeps what is told of each epoch."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def fitted(self, row: Any) -> None:
        """Of an epoch: its number and the members' held-out errors."""
        self.rows.append(dict(row))
        print(f"  epoch {int(row['epoch'])}: {row['holdout/mean']:.5f}", flush=True)


def errors_of(name: str, how: str, data: Path, out: Path) -> np.ndarray:
    """The mean over members of the least held-out error so far, epoch by epoch, of a fit that is made or was."""
    path = out / f"{name}-{how}.json"
    if not path.exists():
        print(name, how, flush=True)
        log, watcher = load(LOGS[name] if name == "pendulum" else data / LOGS[name]), Rows()
        with TemporaryDirectory() as folder:
            fit(log, Settings(**FITS[how]), out=Path(folder) / "model", callback=watcher)
        write_json(path, {"rows": watcher.rows})
    members = [[row[key] for key in sorted(row) if key.startswith("holdout/member")] for row in read_json(path)["rows"]]
    return np.minimum.accumulate(np.asarray(members), axis=0).mean(axis=1)


def line(name: str, before: np.ndarray, now: np.ndarray) -> str:
    """A row of the table: where both end, and when the new fit has what the old one ends with."""
    reached = np.flatnonzero(now <= before[-1])
    epochs = f"{reached[0] + 1} | {len(before) / (reached[0] + 1):.1f}" if len(reached) else "never |"
    return f"| {name} | {len(before)} | {before[-1]:.5f} | {epochs} | {len(now)} | {now[-1]:.5f} |"


def main(data: Path, out: Path, chosen: list[str]) -> None:
    """Fit what is not there, and print the table."""
    out.mkdir(parents=True, exist_ok=True)
    lines = [line(name, *(errors_of(name, how, data, out) for how in FITS)) for name in chosen or LOGS]
    print("| log | epochs before | error at their end | epochs now to the same | times fewer | epochs now | error |")
    print("|---|---|---|---|---|---|---|", *lines, sep="\n")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        print(__doc__)
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
