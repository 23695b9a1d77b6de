"""A machine with no network, no GPU and a home that cannot be written: the commands do there what they do elsewhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from micro_rl.storage.run_folder import RunFolder

ROOT = Path(__file__).parent.parent
UNWRITABLE = "/proc"  # to its owner too
NO_NETWORK = (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"])
SMALL = "--ensemble-size 2 --num-elites 1 --model-hidden-sizes 8 --weight-decay 0 0 --max-fit-epochs 1"
SMALL += " --hidden-sizes 8 --epochs 1 --updates-per-epoch 10 --rollout-batch-size 50 --eval-episodes 1"


def without_network() -> list[str]:
    for command in NO_NETWORK:
        if shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True).returncode == 0:
            return command
    pytest.skip("this system lets nobody but its owner take the network away")


@pytest.mark.slow
def test_train_and_evaluate(tmp_path: Path):
    places = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR")
    bare = {name: value for name, value in os.environ.items() if name not in (*places, "JAX_PLATFORMS")}
    bare |= {"HOME": UNWRITABLE, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    command = [*without_network(), sys.executable, "-c", "from micro_rl.cli.main import main; main()"]
    for words in (["train", "pendulum-demo", "--out", "run", *SMALL.split()], ["evaluate", "run", "--episodes", "1"]):
        process = subprocess.run([*command, *words], cwd=tmp_path, env=bare, capture_output=True, text=True)
        assert process.returncode == 0, process.stderr
        assert "Traceback" not in process.stderr and "Warning" not in process.stderr
    RunFolder.open(tmp_path / "run").verify()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
