"""The tests that a card can fail, on this process's device, in a process of their own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import jax

TESTS = (
    "test_golden.py",
    "test_sac.py",
    "test_networks.py",
    "test_buffer.py",
    "test_rollout.py",
    "test_micro.py",
    "test_precision.py",
    "test_async_epoch.py",
)
"""What computes on the device and has known answers, and last what must not wait for it."""
OPTIONS = ("-rfE", "-p", "no:cacheprovider", "-W", "default")
SHOWN = 60
"""Lines of a failure's account, the end of it: pytest's list of what failed comes last."""


class Outcome(NamedTuple):
    """How the tests went: in one line, and at length where they failed."""

    passed: bool
    summary: str
    account: str


def outcome(quick: bool, seconds: float) -> Outcome:
    """The tests on this device, stopped after so many seconds; `quick` makes the first file's alone."""
    root = Path(__file__).parent.parent
    places = [str(root / "tests" / name) for name in (TESTS[:1] if quick else TESTS)]
    command = [sys.executable, "-m", "pytest", *OPTIONS, *side_by_side(), *places]
    environment = surroundings(jax.default_backend())
    try:
        process = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired as stopped:
        return Outcome(False, f"not finished within {seconds:.0f} s", (stopped.stdout or b"").decode(errors="replace"))
    lines = ((process.stderr + process.stdout).strip() or "no output").splitlines()
    if process.returncode == 0:
        return Outcome(True, lines[-1], "")
    return Outcome(False, f"{lines[-1]} (exit code {process.returncode})", "\n".join(lines[-SHOWN:]))


def side_by_side() -> list[str]:
    """Processes for the tests, which compile more than they compute: half the cores, where pytest-xdist is there."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ["-n", str(cores // 2)] if cores > 2 and importlib.util.find_spec("xdist") else []


def surroundings(backend: str) -> dict[str, str]:
    """The tests' environment: known answers are of float32 products, and this process needs memory, too."""
    return os.environ | {
        "MICRO_RL_TEST_PLATFORM": platforms(backend),
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }


def platforms(backend: str) -> str:
    """What JAX_PLATFORMS calls a backend; 'gpu' would be every maker's, and fail where one is not there."""
    return "cuda,cpu" if backend == "gpu" else backend
