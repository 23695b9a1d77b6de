"""Fifty kills at random points, and the same seed in two processes: hash for hash the undisturbed run.

    pytest -m slow -s tests/test_survival.py

prints the figures of docs/results/survival.md. Two shapes of a small run, one that spends its epochs in rollouts and
one that spends them in updates; each run is killed over and over, resumed by a new process each time, and ends as if
nothing had happened. What a kill hit is read off the folder that it left.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from micro_rl.storage.run_folder import RunFolder

ROOT = Path(__file__).parent.parent
KILLS = 50
SHAPES = {
    "rollouts": {"rollout_batch_size": 4000, "rollout_length": 5, "updates_per_epoch": 20},
    "updates": {"rollout_batch_size": 40, "rollout_length": 1, "updates_per_epoch": 400},
}
CHILD = """
import json, sys
from pathlib import Path
from micro_rl.training.runner import execute
from micro_rl.training.callbacks import Callback
from tests.probes import tiny_plan

class Talks(Callback):
    def fitted(self, row):
        print("fit", flush=True)

    def trained(self, row, policy):
        print("epoch", flush=True)

shape = json.loads(sys.argv[2])
often = {"checkpoint_every": 1, "fit_checkpoint_seconds": 0.0, "max_fit_epochs": 12, "patience": 12, "epochs": 14}
plan = tiny_plan(eval_every=14, **often, **shape)
print("go", flush=True)
execute(plan, Path(sys.argv[1]), resume=True, callback=Talks())
print("done", flush=True)
"""


def start(folder: Path, shape: dict[str, int]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", CHILD, str(folder), json.dumps(shape)]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | cache(folder.parent), stdout=subprocess.PIPE, text=True)


def cache(below: Path) -> dict[str, str]:
    """Every process would compile the same programs; the undisturbed runs have filled this before the first kill."""
    every = {
        "JAX_ENABLE_COMPILATION_CACHE": "true",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    return {"JAX_COMPILATION_CACHE_DIR": str(below / "compiled"), **every}


def hashes(folder: Path) -> dict[str, str]:
    """Of all that a run computes; the last state is the weights, the optimisers, the buffer."""
    names = ("policy.safetensors", "model/ensemble.safetensors", "checkpoints/epoch-000014/state.safetensors")
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def finish(folder: Path, shape: dict[str, int]) -> None:
    with start(folder, shape) as child:
        output = child.communicate()[0]
    assert child.returncode == 0 and output.endswith("done\n"), output


def kill_somewhere(folder: Path, shape: dict[str, int], rng: random.Random) -> str:
    """Kill it a few lines on, at any moment of what follows; the phase that it was in, or "done" if it was too late."""
    lines, last = rng.randint(0, 3), "go"
    with start(folder, shape) as child:
        assert child.stdout is not None
        for line in child.stdout:
            last = line.strip()
            if last in ("fit", "epoch"):
                lines -= 1
            if lines < 0 or last == "done":
                break
        time.sleep(rng.uniform(0, 0.06))
        child.send_signal(signal.SIGKILL)
        child.wait()
    return "done" if last == "done" else phase(folder, last)


def phase(folder: Path, last: str) -> str:
    leftovers = [
        *folder.glob("checkpoints/.*"),
        *folder.glob("fit/.*"),
        *folder.glob(".model.*"),
        *folder.glob(".*.tmp"),
    ]
    if leftovers:
        return "save"
    if last == "fit" and not (folder / "model").exists():
        return "fit"
    return "epoch"


@pytest.mark.slow
def test_killed_fifty_times_and_the_same_bits(tmp_path: Path):
    rng, hit, runs = random.Random(1), Counter(), 0
    whole = {}
    for name, shape in SHAPES.items():
        finish(tmp_path / name, shape)
        whole[name] = hashes(tmp_path / name)
    while sum(hit.values()) < KILLS:
        name = list(SHAPES)[runs % 2]
        folder = tmp_path / f"killed-{runs}"
        while (outcome := kill_somewhere(folder, SHAPES[name], rng)) != "done":
            hit[f"{outcome} ({name})" if outcome == "epoch" else outcome] += 1
            if folder.exists() and (folder / "config.json").exists():
                RunFolder.open(folder).checkpoints.newest()
            if sum(hit.values()) >= KILLS:
                break
        finish(folder, SHAPES[name])
        assert hashes(folder) == whole[name], (folder, hit)
        runs += 1
    print(f"\n{sum(hit.values())} kills in {runs} runs: {dict(sorted(hit.items()))}; every run ended with equal hashes")


@pytest.mark.slow
def test_the_same_seed_in_two_processes_at_once(tmp_path: Path):
    shape = SHAPES["updates"]
    with start(tmp_path / "one", shape) as one, start(tmp_path / "two", shape) as two:
        assert [child.communicate()[0].splitlines()[-1] for child in (one, two)] == ["done", "done"]
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    fingerprints = [RunFolder.open(tmp_path / name).processes()[0]["fingerprint"] for name in ("one", "two")]
    assert fingerprints[0] == fingerprints[1] and fingerprints[0]["cores"] == str(len(os.sched_getaffinity(0)))
    print(f"\nequal hashes in two processes side by side: {hashes(tmp_path / 'one')}")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_command_answers_signals_with_their_codes(tmp_path: Path, number: signal.Signals, code: int):
    words = [
        "--ensemble-size",
        "2",
        "--num-elites",
        "1",
        "--model-hidden-sizes",
        "8",
        "--weight-decay",
        "0",
        "0",
        "--hidden-sizes",
        "8",
    ]
    words += [
        "--max-fit-epochs",
        "2",
        "--updates-per-epoch",
        "10",
        "--rollout-batch-size",
        "50",
        "--eval-episodes",
        "1",
    ]
    words += ["--epochs", "2000", "--out", str(tmp_path / "run")]
    main = "from micro_rl.cli.main import main; main()"
    command = [sys.executable, "-c", main, "train", "pendulum-demo", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stderr is not None
        while "policy  epoch    3" not in child.stdout.readline():
            pass
        child.send_signal(number)
        error = child.communicate(timeout=120)[1]
    assert child.returncode == code
    assert f"stopped by {number.name}; epoch " in error and "--resume goes on" in error
    newest = RunFolder.open(tmp_path / "run").checkpoints.newest()
    assert newest is not None and f"epoch {newest.epoch} is saved" in error
