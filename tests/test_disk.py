"""Disks that fill up or turn read-only while a run goes on: real ones, small and in memory, seen by one process."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALONE = ["unshare", "--mount"]
AS_NOBODY = ["unshare", "--user", "--map-root-user", "--mount"]

BEGINNING = """
import os, subprocess, sys, time
from contextlib import nullcontext
from pathlib import Path
import numpy as np
from micro_rl.storage.checkpoints import Checkpoints
from micro_rl.errors import UserError
from micro_rl.storage.files import CannotWrite
from micro_rl.training import runner
from micro_rl.training.runner import execute
from micro_rl.training.callbacks import Callback
from micro_rl.storage.run_folder import RunFolder
from tests.probes import tiny_plan

disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=True)

def fill():
    with open(disk / "filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass

# The run's lock is a file that is open for writing, with which nobody may remount a disk; a kernel that gives a disk up
# does not ask.
runner.run_lock = lambda *_: nullcontext()

def turn(mode):
    # Refused while a save that goes on beside the run has a file open.
    for _ in range(100):
        if subprocess.run(["mount", "-o", f"remount,{mode}", str(disk)]).returncode == 0:
            return
        time.sleep(0.05)
    sys.exit("the disk is always busy")
"""

CHECKPOINTS = (
    BEGINNING
    + """
kept = Checkpoints(disk / "checkpoints")
kept.save(1, {"x": np.ones(100_000)})
for break_it, mend in ((fill, (disk / "filler").unlink), (lambda: turn("ro"), lambda: turn("rw"))):
    break_it()
    for _ in range(2):
        try:
            kept.save(2, {"x": np.zeros(100_000)})
        except CannotWrite as error:
            print(error)
        assert kept.newest().epoch == 1 and kept.newest().arrays["x"].all()
    mend()
assert sorted(os.listdir(kept.path)) == ["epoch-000001"], os.listdir(kept.path)
kept.save(2, {"x": np.zeros(100_000)})
assert kept.newest().epoch == 2
"""
)

RUN = (
    BEGINNING
    + """
plan = tiny_plan(epochs=12, fit_checkpoint_seconds=0.0)
notes = []

class Breaks(Callback):
    def note(self, text):
        notes.append(text)

    def fitted(self, row):
        self.at("fit", row["epoch"])

    def trained(self, row, policy):
        self.at("epoch", row["epoch"])

    def at(self, what, number):
        for action in when.get((what, number), ()):
            action()

whole = execute(plan, Path(sys.argv[2]))
mend = (disk / "filler").unlink
for name, when in {
    "full": {("epoch", 3): [fill], ("epoch", 8): [mend]},
    "full in the fit": {("fit", 1): [fill], ("epoch", 4): [mend]},
    "read-only": {("epoch", 3): [lambda: turn("ro")], ("epoch", 8): [lambda: turn("rw")]},
}.items():
    notes.clear()
    run = execute(plan, disk / name, callback=Breaks())
    refused = [note for note in notes if note.startswith("not saved, ")]
    assert refused, notes
    print(name, len(refused), refused[0])
    for file in ("policy.safetensors", "model/ensemble.safetensors"):
        assert (run.path / file).read_bytes() == (whole.path / file).read_bytes(), (name, file)
    assert [row["epoch"] for row in run.metrics] == list(range(1, 13)), name
    assert [row["epoch"] for row in RunFolder.open(run.path).fit()] == [1, 2, 3, 4], name
    RunFolder.open(run.path).verify()

# A disk that stays full: what was saved before goes on from there once there is room again.
when = {("epoch", 5): [fill]}
try:
    execute(plan, disk / "stays full", callback=Breaks())
except CannotWrite as error:
    print("stays full", error)
else:
    sys.exit("nothing was refused")
mend()
run = execute(plan, disk / "stays full", resume=True)
assert (run.path / "policy.safetensors").read_bytes() == (whole.path / "policy.safetensors").read_bytes()
"""
)


def on_a_disk_of_its_own(script: str, *words: str) -> str:
    for command in (ALONE, AS_NOBODY):
        if shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True).returncode == 0:
            process = subprocess.run(
                [*command, sys.executable, "-c", script, *words], cwd=ROOT, capture_output=True, text=True
            )
            assert process.returncode == 0, process.stdout + process.stderr
            return process.stdout
    pytest.skip("this system lets nobody but its owner mount a disk")


def test_a_full_and_a_read_only_disk_cost_no_checkpoint(tmp_path: Path):
    output = on_a_disk_of_its_own(CHECKPOINTS, str(tmp_path))
    assert output.count("No space left on device") == 2 and output.count("Read-only file system") == 2


@pytest.mark.slow
def test_a_run_goes_on_past_a_full_and_a_read_only_disk(tmp_path: Path):
    (tmp_path / "disk").mkdir()
    output = on_a_disk_of_its_own(RUN, str(tmp_path / "disk"), str(tmp_path / "whole"))
    assert [line.split(" ")[0] for line in output.splitlines()] == ["full", "full", "read-only", "stays"]
