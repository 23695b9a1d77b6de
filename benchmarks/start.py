"""How soon a command begins: help, imports, and the first updates with and without kept programs.

    python -m benchmarks.start [--times 3]

Networks, ensemble and batches have the published sizes (MICRO, 10 draws); the log is 4,000 rows of noise, the fit one
epoch of 13 steps, the epoch one update after a rollout of 256 rows, so that hardly anything but starting and compiling
is measured. Every line is a process of its own: the first update of the fit and of the policy are when their epoch is
printed. "Compiled anew" has an empty cache folder; "kept" has the one that was filled by it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.sweep_memory import write_log

MAIN = "from micro_rl.cli.main import main; main()"
SMALL = [
    "--epochs",
    "1",
    "--updates-per-epoch",
    "1",
    "--rollout-batch-size",
    "256",
    "--rollout-length",
    "1",
    "--max-fit-epochs",
    "1",
]
PLAIN = {
    "micro-rl --help": ["-c", MAIN, "--help"],
    "import micro_rl": ["-c", "import micro_rl"],
    "import jax": ["-c", "import jax"],
    "micro-rl train --help": ["-c", MAIN, "train", "--help"],
}


def seconds(words: Sequence[str]) -> float:
    """Of a Python process from its start to its end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def first_updates(log: Path, directory: Path) -> dict[str, float]:
    """Seconds from the start of a training to the first update of its fit and of its policy, and to its end."""
    words = [
        "train",
        str(log),
        *SMALL,
        "--num-samples",
        "10",
        "--real-ratio",
        "0.05",
        "--out",
        tempfile.mkdtemp(dir=directory),
    ]
    unset = {name: text for name, text in os.environ.items() if not name.startswith("JAX_")}
    environment = unset | {"XDG_CACHE_HOME": str(directory / "cache"), "PYTHONUNBUFFERED": "1"}
    began, stages = time.perf_counter(), {}
    command = [sys.executable, "-c", MAIN, *words]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            for start, name in (("model   epoch", "first update of the fit"), ("policy  epoch", "first update")):
                if line.startswith(start):
                    stages.setdefault(name, time.perf_counter() - began)
    if child.returncode:
        raise SystemExit(f"the training ended with {child.returncode}")
    return stages | {"the whole of it, page and all": time.perf_counter() - began}


def row(name: str, times: Sequence[float]) -> str:
    """Median and range."""
    return f"| {name} | {np.median(times):.2f} | {min(times):.2f} to {max(times):.2f} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    print("| seconds | median | range |\n|---|---|---|")
    for name, words in PLAIN.items():
        print(row(name, [seconds(words) for _ in range(options.times)]), flush=True)
    cold: list[dict[str, float]] = []
    warm: list[dict[str, float]] = []
    for _ in range(options.times):
        with tempfile.TemporaryDirectory() as folder:
            directory = Path(folder)
            log = write_log(directory / "walker-sizes.npz")
            cold.append(first_updates(log, directory))
            warm.append(first_updates(log, directory))
    for state, stages in (("compiled anew", cold), ("kept", warm)):
        for name in stages[0]:
            print(row(f"{name}, {state}", [each[name] for each in stages]), flush=True)


if __name__ == "__main__":
    main()
