"""What acts needs NumPy and safetensors alone: with all other imports refused, and in an environment without them."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import jaxtyping
import numpy as np
from packaging.requirements import Requirement

from micro_rl.core import shapes
from micro_rl.errors import OF_TRAINING
from tests.deploy.policies import random_policy

ROOT = Path(__file__).parent.parent
WHOLE, RUNTIME = (
    tomllib.loads((folder / "pyproject.toml").read_text())["project"] for folder in (ROOT, ROOT / "runtime")
)
REFUSE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in {*sys.stdlib_module_names, "micro_rl", "numpy", "safetensors"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
"""
ACT = """
import sys
from pathlib import Path
import numpy as np
import micro_rl

policy = micro_rl.Policy.load(sys.argv[1])
observations = np.load(sys.argv[2])
actions = [policy(dict(zip(["o0", "o1", "o2"], row))) for row in observations]
policy.save(sys.argv[3])
np.save(sys.argv[4], actions)
with micro_rl.Controller(policy, record=Path(sys.argv[4]).with_name("record.csv")) as loop:
    assert loop.step([0.0, 0.0, 0.0]).source == "policy"
"""
REST = """
import micro_rl.control.guard_file
from micro_rl.cli.main import run
from micro_rl.deploy.exporting import export_python
from micro_rl.deploy.source import Source

export_python(Source(policy), Path(sys.argv[1]).with_name("exported.py"))
assert [run(words) for words in (["--version"], ["train", "log.csv"], ["runs", "."], ["data", "check"])] == [0, 2, 2, 2]
try:
    micro_rl.train
except ModuleNotFoundError as error:
    print(error)
"""


def acted(command: list[str], code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code on a policy with a history; its actions, and the file that it saves, must be the policy's own."""
    policy = random_policy(1, history=3)
    files = [folder / name for name in ("policy.safetensors", "rows.npy", "again.safetensors", "actions.npy")]
    policy.save(files[0])
    rows = policy.observation_mean[:3] + np.random.default_rng(0).normal(size=(6, 3))
    np.save(files[1], rows)
    words = [*command, "-c", code, *map(str, files)]
    process = subprocess.run(words, capture_output=True, text=True, cwd=folder, env=os.environ | {"PYTHONPATH": ""})
    assert process.returncode == 0, process.stderr
    assert np.array_equal(np.load(files[3]), [policy(row) for row in rows])
    assert files[2].read_bytes() == files[0].read_bytes()
    return process


def test_a_policy_acts_where_no_other_package_can_be_imported(tmp_path: Path):
    path = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
    process = acted([sys.executable], path + REFUSE + ACT + REST, tmp_path)
    assert process.stdout.splitlines()[-1].startswith("micro_rl.train needs ")
    lines = process.stderr.splitlines()
    assert [line.split()[:3] for line in lines] == [["micro-rl:", verb, "needs"] for verb in ("train", "runs", "data")]
    assert all(line.endswith(", which is not installed: pip install micro-rl") for line in lines)
    assert (tmp_path / "exported.py").exists()


def test_the_runtimes_wheel_in_an_environment_with_nothing_else(tmp_path: Path):
    """Its own dependencies are lent from here, so that no network is needed; `.ci/run` installs them."""
    pip = [sys.executable, "-m", "pip", "--quiet"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path)]
    subprocess.run([*pip, *build, str(ROOT / "runtime")], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    packages = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    for name in ("numpy", "safetensors"):
        for top in {file.parts[0] for file in distribution(name).files or () if ".." not in file.parts}:
            (packages / top).symlink_to(str(distribution(name).locate_file(top)))
    wheel = next(tmp_path.glob("micro_rl_runtime-*.whl"))
    subprocess.run([*pip, "--python", str(python), "install", "--no-index", str(wheel)], check=True)
    acted([str(python), "-I"], ACT, tmp_path)
    process = subprocess.run([python.with_name("micro-rl"), "train", "log.csv"], capture_output=True, text=True)
    assert process.returncode == 2 and process.stdout == ""
    assert process.stderr == "micro-rl: train needs jax, which is not installed: pip install micro-rl\n"


def test_shapes_are_checked_here_all_the_same():
    assert shapes.Float is jaxtyping.Float and shapes.Bool is jaxtyping.Bool


def test_the_runtime_is_the_whole_with_fewer_dependencies():
    assert set(RUNTIME["dependencies"]) < set(WHOLE["dependencies"])
    assert RUNTIME["requires-python"] == WHOLE["requires-python"] and RUNTIME["scripts"] == WHOLE["scripts"]
    left_out = set(WHOLE["dependencies"]) - set(RUNTIME["dependencies"])
    assert {Requirement(text).name.replace("-", "_") for text in left_out} == set(OF_TRAINING.split())
