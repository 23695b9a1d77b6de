"""What acts needs NumPy and safetensors alone: with all other imports refused, and in an environment without them."""

import os
import signal
import subprocess
import sys
import tomllib
import urllib.request
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
from packaging.requirements import Requirement

from micro_rl.core import shapes
from micro_rl.deploy.exporting import export_onnx
from micro_rl.deploy.source import Source
from micro_rl.errors import OF_TRAINING
from tests.control.loops import proportional, range_guard
from tests.deploy.policies import random_policy

ROOT = Path(__file__).parent.parent
WHOLE, RUNTIME = (
    tomllib.loads((folder / "pyproject.toml").read_text())["project"] for folder in (ROOT, ROOT / "runtime")
)
EXTRAS = RUNTIME["optional-dependencies"]
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
MISSING = """
import sys
import micro_rl

for attempt in (
    lambda: micro_rl.Controller(micro_rl.Policy.load("policy.safetensors"), record="plant.parquet"),
    lambda: micro_rl.Controller.from_export("pump.onnx"),
    lambda: micro_rl.train,
):
    try:
        attempt()
    except (micro_rl.UserError, ModuleNotFoundError) as error:
        print(error, file=sys.stderr)
"""
WITH_EXTRAS = """
import micro_rl
from pyarrow import parquet

with micro_rl.Controller(micro_rl.Policy.load("policy.safetensors"), record="plant.parquet") as loop:
    for _ in range(3):
        loop.step([0.0, 0.0])
assert parquet.read_table("plant.parquet").num_rows == 3
assert micro_rl.Controller.from_export("pump.onnx").step([1.0, 0.0]).source == "policy"
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


@pytest.fixture
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the runtime's wheel and what it needs, lent from here: no network is needed.

    `.ci/run` installs it, and its extras, with pip.
    """
    folder = tmp_path_factory.mktemp("runtime")
    pip = [sys.executable, "-m", "pip", "--quiet"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    subprocess.run([*pip, *build, str(ROOT / "runtime")], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    lend(python, RUNTIME["dependencies"])
    wheel = next(folder.glob("micro_rl_runtime-*.whl"))
    subprocess.run([*pip, "--python", str(python), "install", "--no-index", "--no-compile", str(wheel)], check=True)
    return python


def lend(python: Path, requirements: list[str]) -> None:
    """Link packages, and what they need, from this environment into another."""
    packages = next((python.parent.parent / "lib").glob("python*/site-packages"))
    waiting, lent = [Requirement(text).name for text in requirements], set()
    while waiting:
        own = distribution(waiting.pop())
        if own.name in lent:
            continue
        lent.add(own.name)
        for top in {file.parts[0] for file in own.files or () if ".." not in file.parts}:
            if not (packages / top).exists():
                (packages / top).symlink_to(str(own.locate_file(top)))
        needed = map(Requirement, own.requires or ())
        waiting += [each.name for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]


def said(command: list[str], folder: Path) -> tuple[int, str]:
    """A command's exit code, and what it said as an error."""
    process = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=os.environ | {"PYTHONPATH": ""})
    return process.returncode, process.stderr


def test_the_runtimes_wheel_in_an_environment_with_nothing_else(runtime: Path, tmp_path: Path):
    acted([str(runtime), "-I"], ACT, tmp_path)
    export_onnx(Source(proportional()).guarded(range_guard()), tmp_path / "pump.onnx")
    whole = "pip uninstall micro-rl-runtime, then pip install micro-rl (both bring the package micro_rl)"
    acting = ((["serve", "policy.safetensors"], "serve"), (["export", "policy.safetensors"], "serve"))
    for words, extra in ((["train", "log.csv"], None), *acting):
        code, error = said([str(runtime.with_name("micro-rl")), *words], tmp_path)
        remedy = f"pip install 'micro-rl-runtime[{extra}]'" if extra else whole
        assert code == 2 and error.count("\n") == 1 and error.endswith(f"which is not installed: {remedy}\n"), error
    code, printed = said([str(runtime), "-I", "-c", MISSING], tmp_path)
    assert code == 0, printed
    assert printed.splitlines() == [
        "a record in Parquet needs pyarrow, which is not installed: pip install 'micro-rl-runtime[tables]'",
        "a controller of an ONNX file needs onnx, which is not installed: pip install 'micro-rl-runtime[onnx]'",
        f"micro_rl.train needs jax, which is not installed: {whole}",
    ]


@pytest.mark.slow
def test_the_runtimes_extras(runtime: Path, tmp_path: Path):
    proportional().save(tmp_path / "policy.safetensors")
    export_onnx(Source(proportional()).guarded(range_guard()), tmp_path / "pump.onnx")
    for extra in ("tables", "onnx", "serve"):
        lend(runtime, EXTRAS[extra])
    code, printed = said([str(runtime), "-I", "-W", "error", "-c", WITH_EXTRAS], tmp_path)
    assert code == 0, printed
    served([str(runtime.with_name("micro-rl")), "serve", "pump.onnx", "--port", "0"], tmp_path)


def served(command: list[str], folder: Path) -> None:
    """A server starts, says that it is there, and stops."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": ""}, **pipes) as server:
        assert server.stdout is not None
        address = next((line.split()[1] for line in server.stdout if line.startswith("serving")), None)
        if address is not None:
            with urllib.request.urlopen(f"{address}/health", timeout=20) as answer:
                assert answer.read() == b'{"status":"ok"}'
            server.send_signal(signal.SIGTERM)
        output, errors = server.communicate(timeout=20)
        assert (server.returncode, errors) == (0, "") and output == "stopped; 0 open sessions ended\n"


def test_shapes_are_checked_here_all_the_same():
    assert shapes.Float is jaxtyping.Float and shapes.Bool is jaxtyping.Bool


def test_the_runtime_is_the_whole_with_fewer_dependencies():
    assert set(RUNTIME["dependencies"]) < set(WHOLE["dependencies"])
    assert RUNTIME["requires-python"] == WHOLE["requires-python"] and RUNTIME["scripts"] == WHOLE["scripts"]
    left_out = set(WHOLE["dependencies"]) - set(RUNTIME["dependencies"])
    assert {Requirement(text).name.replace("-", "_") for text in left_out} == set(OF_TRAINING.split())


def test_the_runtimes_extras_are_those_of_the_whole():
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra in set(EXTRAS) - {"all"}:
        of_the_whole = {*whole[extra], *WHOLE["dependencies"]}
        assert set(whole[extra]) <= set(EXTRAS[extra]) <= of_the_whole, extra
    assert EXTRAS["all"] == [f"micro-rl-runtime[{','.join(extra for extra in EXTRAS if extra != 'all')}]"]
