"""What a cluster costs: `python -m benchmarks.cluster [PART...] [--cells 500] [--write PAGE]`.

Parts are `start` (a worker from nothing to a compiled epoch), `cells` (many tiny runs on Ray against the same in one
process), `nodes` (the share of two nodes' time that is spent in training), `sizes` (what a run leaves on the disk),
`driver` (what it does for 10,000 runs) and `niceness` (a tiny run beside nine busy processes, by the niceness of its
workers). All nodes are on this machine, with one core each; figures are of the load that the first table says.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.machine import describe
from benchmarks.ray_nodes import COMMAND, Machine, until

Rows = list[tuple[str, str]]

TINY = "--hidden-sizes 8 --epochs 2 --updates-per-epoch 4 --batch-size 8"
LONG = "--epochs 12 --updates-per-epoch 500 --max-fit-epochs 5 --rollout-batch-size 2000 --eval-every 12"
SHORT = "--epochs 1 --updates-per-epoch 1 --max-fit-epochs 1 --eval-every 1000"
BUSY, LIMIT = 9, 300
"""Processes that never wait, and the seconds that a run beside them may take."""
IMPORT = "import time, json; t = time.time(); import micro_rl.cluster.tasks; print(json.dumps(time.time() - t))"
TASK = """
import json, time, ray
from micro_rl.cluster.connection import connected
t = time.time()
with connected("ray"):
    begun = time.time() - t
    work = ray.remote(num_cpus=1)(lambda: time.time())
    t = time.time(); ray.get(work.remote()); first = time.time() - t
    t = time.time(); [ray.get(work.remote()) for _ in range(100)]; later = (time.time() - t) / 100
    t = time.time(); ray.get([work.remote() for _ in range(1000)]); many = (time.time() - t) / 1000
print(json.dumps([begun, first, later, many]))
"""


def main() -> None:
    """Measure the parts that are named, and print or write the page."""
    parts = {"start": start, "cells": cells, "nodes": nodes, "sizes": sizes, "driver": driver, "niceness": niceness}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=[])
    parser.add_argument("--cells", type=int, default=500)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    lines = ["# What a cluster costs", "", f"`python -m benchmarks.cluster{_words(arguments)}`", ""]
    lines += _table([("machine", ""), *describe().items()])
    for name in arguments.parts or parts:
        with tempfile.TemporaryDirectory() as folder:
            lines += [f"## {name}", "", *_table([("what", "figure"), *parts[name](Path(folder), arguments.cells)])]
            print("\n".join(lines[-12:]), file=sys.stderr, flush=True)
    text = "\n".join(lines)
    if arguments.write:
        arguments.write.write_text(text)
    else:
        print(text)


def start(folder: Path, cells: int) -> Rows:
    """Ray itself, a worker, and the imports and the compiled epoch of its first run."""
    del cells
    with Machine(JAX_ENABLE_COMPILATION_CACHE="false") as machine:
        begun, first, later, many = json.loads(_output(machine, TASK))
        imports = float(_output(machine, IMPORT))
        sweep = ["sweep", "pendulum-demo", *LONG.split(), "--exact", "--on", "ray"]
        _run(machine, [*sweep, "--out", str(folder / "cold")])
    epochs = [row["time/seconds"] for row in _metrics(folder / "cold")]
    return [
        ("Ray on this machine: start", f"{begun:.1f} s"),
        ("the first task, which starts a worker", f"{first:.2f} s"),
        ("a task in a worker that is there, one after another", f"{1000 * later:.1f} ms"),
        ("a task among 1,000 that are submitted at once", f"{1000 * many:.1f} ms"),
        ("imports of what a worker runs", f"{imports:.1f} s"),
        (
            "MICRO: first epoch less a later one, compiling",
            f"{epochs[0] - statistics.median(epochs):.1f} s",
        ),
    ]


def cells(folder: Path, number: int) -> Rows:
    """Tiny runs of BC, each a task of its own, and the same one after another in one process."""
    log = noise(folder / "log.hdf5", 200, 3, 1)
    rates = ",".join(f"{1e-4 * (1 + place / number):.9g}" for place in range(number))  # seeds would each have a fit
    words = ["sweep", str(log), "--grid", "method=bc", f"actor_lr={rates}", "--exact", *TINY.split()]
    with Machine(JAX_COMPILATION_CACHE_DIR=str(folder / "programs")) as machine:
        first = [*words[:4], "actor_lr=1e-4", *words[5:], "--out", str(folder / "first")]
        _run(machine, first)  # fills the compilation cache
        alone = _timed(lambda: _run(machine, [*words, "--out", str(folder / "alone")]))
        there = _timed(lambda: _run(machine, [*words, "--out", str(folder / "there"), "--on", "ray"]))
        cores = _cores()
    same = _policies(folder / "alone") == _policies(folder / "there")
    return [
        ("cells", f"{number}, tiny ones of BC, `--exact`"),
        ("one process", f"{alone:.0f} s, {alone / number:.2f} s a cell"),
        (f"`--on ray`, {cores} workers", f"{there:.0f} s, {there / number:.2f} s a cell"),
        ("a worker's seconds for a cell, less one process's", f"{(cores * there - alone) / number:+.2f} s"),
        ("policies", "the same bits" if same else "DIFFERENT BITS"),
    ]


def nodes(folder: Path, cells: int) -> Rows:
    """A sweep of eight runs on two nodes, and by one process; programs are compiled before."""
    del cells
    words = ["sweep", "pendulum-demo", *LONG.split(), "--exact", "--grid", "method=micro,mobile", "--seeds", "4"]
    with Machine(JAX_COMPILATION_CACHE_DIR=str(folder / "programs")) as machine:
        one = [*words[:-1], "1", "--out", str(folder / "first")]
        _run(machine, one)
        alone = _timed(lambda: _run(machine, [*words, "--out", str(folder / "alone")]))
        machine.start_node()
        machine.start_node(machine.environment["RAY_ADDRESS"])
        there = _timed(lambda: _run(machine, [*words, "--out", str(folder / "there"), "--on", "auto"]))
    same = _policies(folder / "alone") == _policies(folder / "there")
    return [
        ("one process", f"{alone:.0f} s, {100 * _training(folder / 'alone') / alone:.0f} % of it in epochs"),
        ("two nodes", f"{there:.0f} s, {100 * _training(folder / 'there') / 2 / there:.0f} % of their time in epochs"),
        ("policies", "the same bits" if same else "DIFFERENT BITS"),
    ]


def sizes(folder: Path, cells: int) -> Rows:
    """What a run of MICRO leaves, at a pendulum's sizes and at a half-cheetah's with the authors' settings."""
    del cells
    log = noise(folder / "log.hdf5", 20_000, 17, 6)
    jobs = {"pendulum": ["pendulum-demo"], "half-cheetah": [str(log), "--preset", "halfcheetah-medium"]}
    rows: Rows = []
    with Machine() as machine:
        for name, words in jobs.items():
            run = folder / name
            _run(machine, ["train", *words, *SHORT.split(), "--out", str(run)])
            files = [path for path in run.rglob("*") if path.is_file()]
            rows.append((f"{name}: files", str(len(files))))
            for part in ("checkpoints", "model", "policy.safetensors", "report.html"):
                size = sum(path.stat().st_size for path in files if path.relative_to(run).parts[0] == part)
                rows.append((f"{name}: {'one checkpoint' if part == 'checkpoints' else part}", _size(size)))
            line = max(len(line) for line in (run / "metrics.jsonl").read_bytes().splitlines())
            rows.append((f"{name}: a row of metrics.jsonl, one an epoch", _size(line)))
    return rows


def driver(folder: Path, cells: int) -> Rows:
    """What the driver does for 10,000 runs, of which 100 are at work and have curves of 1,000 rows."""
    del cells
    from micro_rl.cli.cluster_display import ClusterDisplay
    from micro_rl.cli.commands.console import console
    from micro_rl.cluster.graph import graph
    from micro_rl.cluster.packing import Packer, unpacked
    from micro_rl.training.grid import trials
    from micro_rl.training.plan import make_plan

    plan, took = make_plan("pendulum-demo"), dict[str, float]()
    began = time.monotonic()
    every = trials(plan, 10_000, {})
    took["all runs from the grid"] = time.monotonic() - began
    took["cut into tasks"] = _timed(lambda: graph(every, False, 32, 1000, 64 << 30))
    logs: Any = SimpleNamespace(put=lambda log: log, get=list)
    packer = Packer(logs)
    packer.packed(every[:1])
    began = time.monotonic()
    packed = packer.packed(every[:32])
    took["packing a task's 32 runs"] = time.monotonic() - began
    took["reading them"] = _timed(lambda: unpacked(packed, logs))
    for own in every[:100]:
        (folder / own.name).mkdir()
        (folder / own.name / "metrics.jsonl").write_text('{"epoch": 1000, "eval/return": -3.5}\n' * 1000)
    display = ClusterDisplay(every, None, console(), "")
    for name in ("the first look at all curves", "the next look"):
        display._looked = -1e9
        took[name] = _timed(lambda: display.look(folder, {}))
    return [*((name, _duration(seconds)) for name, seconds in took.items()), ("the size of 32", _size(len(packed.own)))]


def niceness(folder: Path, cells: int) -> Rows:
    """A tiny run of BC on a node whose workers give way to nobody, or to all, beside processes that never wait."""
    del cells
    log = noise(folder / "log.hdf5", 200, 3, 1)
    words = ["sweep", str(log), "--grid", "method=bc", "--seeds", "1", *TINY.split(), "--on", "auto"]
    rows: Rows = []
    for value in ("0", "15"):
        with Machine(RAY_worker_niceness=value, JAX_COMPILATION_CACHE_DIR=str(folder / "programs")) as machine:
            if not rows:
                _run(machine, [*words[:-2], "--out", str(folder / "first")])  # fills the compilation cache
            machine.start_node()
            for _ in range(BUSY):
                machine.start(code="while True: pass")
            began = time.monotonic()
            child = machine.start(*words, "--out", str(folder / value))
            over = until(lambda child=child: child.poll() is not None, LIMIT)
            seconds = f"{time.monotonic() - began:.0f} s" if over else f"not over after {LIMIT} s"
            if child.returncode:
                raise SystemExit(f"niceness {value}: exit code {child.returncode}\n{machine.printed(child)}")
        rows.append((f"a tiny run beside {BUSY} busy processes, workers' niceness {value}", seconds))
    return rows


def noise(path: Path, rows: int, observations: int, actions: int) -> Path:
    """A log of noise in D4RL's layout, whose episodes of 100 rows end by timeouts."""
    import h5py

    random = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file["observations"] = random.normal(size=(rows, observations)).astype(np.float32)
        file["next_observations"] = random.normal(size=(rows, observations)).astype(np.float32)
        file["actions"] = random.uniform(-1, 1, (rows, actions)).astype(np.float32)
        file["rewards"] = random.normal(size=rows).astype(np.float32)
        file["terminals"] = np.zeros(rows, bool)
        file["timeouts"] = np.arange(rows) % 100 == 99
    return path


def _run(machine: Machine, words: Iterable[str]) -> None:
    _output(machine, COMMAND, *words)


def _output(machine: Machine, code: str, *words: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *words], env=machine.environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words) or code}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr}")
    return done.stdout


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _metrics(folder: Path) -> list[dict[str, float]]:
    lines = [line for path in folder.rglob("metrics.jsonl") for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def _training(folder: Path) -> float:
    return sum(row["time/seconds"] for row in _metrics(folder))


def _policies(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("policy.safetensors")}


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.01 else f"{1000 * seconds:.1f} ms"


def _size(count: float) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.1f} KiB"


def _table(rows: Rows) -> list[str]:
    first, *others = [f"| {name} | {figure} |" for name, figure in rows]
    return [first, "|---|---|", *others, ""]


def _words(arguments: argparse.Namespace) -> str:
    more = f" --cells {arguments.cells}" if arguments.cells != 500 else ""
    return "".join(f" {part}" for part in arguments.parts) + more


if __name__ == "__main__":
    main()
