"""The small sweep by which clusters are tried by hand: `python -m benchmarks.small_sweep FOLDER`, then what it prints.

Two logs of noise, two methods, two seeds: four fits, eight runs of 600 epochs of 4 updates with tiny networks.
"""

import argparse
import shlex
from pathlib import Path

from benchmarks.cluster import noise

TOML = """\
logs = ["{folder}/one.hdf5", "{folder}/two.hdf5"]
seeds = 2
exact = true
epochs = 600
updates_per_epoch = 4
batch_size = 8
hidden_sizes = [8]
rollout_batch_size = 8
rollout_length = 2
checkpoint_every = 20
ensemble_size = 3
num_elites = 2
model_hidden_sizes = [8]
weight_decay = [0.0, 0.0]
model_batch_size = 32
max_fit_epochs = 2

[grid]
method = ["micro", "mobile"]
"""


def main() -> None:
    """Write the logs and the sweep, and print the command that makes it, by Ray and without."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("one", 200), ("two", 300)):
        noise(folder / f"{name}.hdf5", rows, 3, 1)
    (folder / "sweep.toml").write_text(TOML.format(folder=folder))
    for out, where in (("alone", []), ("out", ["--on", "auto"])):
        print(shlex.join(["micro-rl", "sweep", f"{folder}/sweep.toml", "--out", f"{folder}/{out}", *where]))


if __name__ == "__main__":
    main()
