"""What a sweep at walker2d's sizes takes in memory, estimated beforehand and measured.

    python -m benchmarks.sweep_memory [--runs 4 8 16 32] [--quick]

Each sweep is `micro-rl sweep` in a process of its own, on a log of 4,000 rows of noise with walker2d's 17 observations
and 6 actions: networks, ensemble and rollouts (50,000 rows, 5 steps, buffer of five) at the published sizes, one epoch
of two updates, a checkpoint of every run. Measured is the most that the process had in use, less what one run of
nothing but small sizes has. The package's own bound, which goes by the estimate, is passed over, so that all runs are
made at once: what does not fit into the machine, the system ends.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.training import memory
from micro_rl.training.plan import make_plan

OBS, ACT, ROWS = 17, 6, 4_000
CHILD = """
import resource, sys
from micro_rl.cli import main as cli
from micro_rl.training import memory
memory.free_memory = lambda: None
code = cli.run(sys.argv[1:])
print("peak", 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code)
"""


def write_log(path: Path) -> Path:
    """Noise in episodes of 100 steps."""
    random = np.random.default_rng(0)
    last = np.arange(ROWS) % 100 == 99
    np.savez(
        path,
        obs=random.normal(size=(ROWS, OBS)).astype(np.float32),
        action=random.uniform(-1, 1, (ROWS, ACT)).astype(np.float32),
        next_obs=random.normal(size=(ROWS, OBS)).astype(np.float32),
        reward=random.normal(size=(ROWS, 1)).astype(np.float32),
        done=np.zeros((ROWS, 1), bool),
        truncated=last[:, None],
    )
    return path


def settings(starts: int) -> dict[str, Any]:
    """One epoch with full rollouts and next to no updates."""
    more = {"rollout_batch_size": starts, "rollout_length": 5 if starts > 1000 else 1}
    return {"epochs": 1, "updates_per_epoch": 2, "max_fit_epochs": 1, **more}


def peak(log: Path, runs: int, starts: int, out: Path) -> int:
    """Bytes that the process of such a sweep had in use at most."""
    flags = [word for name, value in settings(starts).items() for word in ("--" + name.replace("_", "-"), str(value))]
    words = ["sweep", str(log), "--seeds", str(runs), "--width", str(runs), *flags, "--out", str(out)]
    process = subprocess.run([sys.executable, "-c", CHILD, *words], stdout=subprocess.PIPE, text=True)
    if process.returncode:
        raise SystemExit(f"the sweep of {runs} runs ended with {process.returncode}; -9: out of memory")
    return int(process.stdout.split()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep_memory", description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--quick", action="store_true", help="little work: shows that it runs")
    options = parser.parse_args()
    starts = 2_000 if options.quick else 50_000
    with tempfile.TemporaryDirectory() as folder:
        log = write_log(Path(folder) / "walker-sizes.npz")
        each = memory.bytes_of_run(make_plan(log, **settings(starts)))
        print(f"one run takes {each / 2**30:.2f} GiB by the estimate, 32 runs {32 * each / 2**30:.1f} GiB", flush=True)
        base = peak(log, 1, 100, Path(folder) / "base")
        print("| runs | estimated GiB | measured GiB |\n|---|---|---|")
        for runs in options.runs:
            used = peak(log, runs, starts, Path(folder) / str(runs)) - base
            print(f"| {runs} | {runs * each / 2**30:.2f} | {used / 2**30:.2f} |", flush=True)


if __name__ == "__main__":
    main()
