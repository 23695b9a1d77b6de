"""Runs a mutant's tests in a process split off from one that has the libraries, but not the package, imported.

So a mutant costs neither JAX's import nor a compilation of what it leaves as it was: programs that `make test` kept
are read (`MICRO_RL_TEST_PROGRAMS`), and none that a mutant changed is written.
"""

import contextlib
import math
import os
import re
import signal
import sys
import tempfile
from collections.abc import Collection
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

LIBRARIES = (
    *("jax", "jax.numpy", "jax.scipy.stats", "optax", "numpy", "scipy.stats", "scipy.optimize", "gymnasium", "pandas"),
    *("h5py", "pyarrow.parquet", "pyarrow.csv", "safetensors.numpy", "rich.console", "beartype", "pytest"),
)
"""What is imported before the split; one that is not installed is left to the tests."""
LONGEST = 900.0
"""Seconds after which a process ends by force: a mutant's loop may have no end."""
_FAILED = re.compile(r"^(?:FAILED|ERROR) (tests/\S+?\.py(?:::.*?)?)(?: - .*)?$", re.MULTILINE)


class Outcome(NamedTuple):
    """What became of a run of tests."""

    killed: bool
    failed: str
    """The test that failed first, or "time"; empty where none did, or none is named."""
    output: str


class Until:
    """A pytest plugin: no test begins after some seconds of processors' time, and JAX writes no programs."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.failed = False

    def over(self) -> bool:
        """Whether a test failed, or the seconds are used up by this process and those it waited for."""
        return self.failed or sum(os.times()[:4]) > self._seconds

    def pytest_sessionstart(self) -> None:
        """Reads kept programs and writes none."""
        import jax

        jax.config.update("jax_persistent_cache_min_compile_time_secs", 1e9)

    def pytest_collectreport(self, report: Any) -> None:
        """Notes a file that cannot be imported."""
        self.failed |= report.failed

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Notes a test that fails."""
        self.failed |= report.failed

    def pytest_runtest_teardown(self, item: Any) -> None:
        """Ends the session where its seconds are used up."""
        if sum(os.times()[:4]) > self._seconds:
            item.session.shouldstop = "the seconds are used up"


class Runner:
    """Runs tests in processes split off from one with the libraries, which the first run starts."""

    def __init__(self) -> None:
        os.environ |= {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_COMPILATION_CACHE": "false", "MPLBACKEND": "agg"}
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload(list(LIBRARIES))

    def run(self, copy: Path, tests: tuple[str, ...], seconds: float, to_the_end: bool = False) -> Outcome:
        """Runs tests in a copy of the repository, by default until one fails.

        Args:
            copy: of the repository, from where modules are imported.
            tests: files or single tests, in their order.
            seconds: of processors' time, after which no further test begins.
            to_the_end: whether tests go on after one that fails.

        Returns:
            Whether a test failed, and which was the first.
        """
        with tempfile.NamedTemporaryFile("r", suffix=".log") as log:
            process = self._context.Process(target=_child, args=(str(copy), tests, seconds, to_the_end, log.name))
            process.start()
            process.join(LONGEST)
            ended = process.exitcode is not None
            _end_group(process)
            process.join()
            output = log.read()
        if not ended:
            return Outcome(True, "time", output)
        named = _FAILED.search(output)
        return Outcome(process.exitcode != 0, named[1] if named else "", output)

    def failing(self, copy: Path, tests: Collection[str]) -> set[str]:
        """Those tests that fail without a mutant too, and so would seem to kill any.

        Args:
            copy: of the repository, without a mutant.
            tests: that failed with one.
        """
        outcome = self.run(copy, tuple(sorted(tests)), math.inf, to_the_end=True) if tests else None
        return set(_FAILED.findall(outcome.output)) & set(tests) if outcome and outcome.killed else set()


def _end_group(process: Any) -> None:
    """Ends a process and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _child(copy: str, tests: tuple[str, ...], seconds: float, to_the_end: bool, log: str) -> None:
    os.setsid()
    descriptor = os.open(log, os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.dont_write_bytecode = True
    sys.path.insert(0, copy)
    os.environ |= {"PYTHONPATH": copy, "PYTHONDONTWRITEBYTECODE": "1"}
    os.chdir(copy)
    for name in [name for name in sys.modules if name.partition(".")[0] == "benchmarks"]:
        del sys.modules[name]
    import pytest

    until, options = Until(seconds), ["-q", "-p", "no:cacheprovider"]
    if to_the_end:
        pytest.main([*options, *tests], plugins=[until])
    else:
        for few in (tests[:1], tests[1:4], tests[4:]):  # most mutants fail by the nearest: others need no import then
            if few and not until.over():
                pytest.main(["-x", *options, *few], plugins=[until])
    sys.stdout.flush()
    os._exit(until.failed)
