"""Which tests a mutant of a module meets: the nearest first, while they take no more than two minutes.

Near is a file of tests that is named after the module, then one that imports it, then one that imports what imports
it. How long each takes, and that it passes, is measured once without a mutant.
"""

import ast
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent
MOST_STEPS = 3
"""From a module to the tests: it is imported, or what imports it is, and so on."""
MOST_TESTS = 10
"""Files of tests for one module."""
MOST_SECONDS = 120.0
"""Of a module's tests together; the first file of tests runs however long it takes."""


def dotted(file: Path) -> str:
    """A file's name as imports have it."""
    return ".".join(file.with_suffix("").parts).removesuffix(".__init__")


@cache
def imported_by(file: Path) -> frozenset[str]:
    """Names of modules, or of things in them, that a file imports."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return frozenset(names)


@cache
def nearest(module: Path) -> Mapping[str, int]:
    """At most `MOST_TESTS` files of tests with their distance from a module: 0 where they are named after it.

    Of equally near ones those come first that import little else. Where few import the module, as with readers that
    are imported when a file asks for them, the tests of its package follow.
    """
    tests = [file.relative_to(ROOT) for file in sorted((ROOT / "tests").rglob("test_*.py"))]
    code = [file.relative_to(ROOT) for file in sorted((ROOT / "micro_rl").rglob("*.py"))]
    distances = {test: 0 for test in tests if test.stem == f"test_{module.stem}"}
    names = {dotted(module)}
    for step in range(1, MOST_STEPS + 1):
        _add(distances, [test for test in tests if imported_by(test) & names], step)
        if len(distances) >= MOST_TESTS:
            break
        names |= {dotted(file) for file in code if imported_by(file) & names}
    package = ".".join(module.parts[:2])
    _add(distances, [test for test in tests if any(name.startswith(package) for name in imported_by(test))], MOST_STEPS)
    return {str(test): distance for test, distance in list(distances.items())[:MOST_TESTS]}


def _add(distances: dict[Path, int], tests: Iterable[Path], distance: int) -> None:
    for test in sorted(set(tests) - set(distances), key=lambda test: (_breadth(test), str(test))):
        distances[test] = distance


def _breadth(test: Path) -> int:
    return len([name for name in imported_by(test) if name.startswith("micro_rl")])


def tests_of(module: Path, seconds: Mapping[str, float]) -> list[str]:
    """The files of tests that a module's mutants meet, in their order.

    Args:
        module: its path from the root.
        seconds: how long each file of tests takes.

    Returns:
        The nearest ones, of equally near ones the quick ones first, while the time is not used up.
    """
    distances, total, chosen = nearest(module), 0.0, []
    for test in sorted(distances, key=lambda test: (distances[test], seconds[test])):
        total += seconds[test]
        if not chosen or total <= MOST_SECONDS:
            chosen.append(test)
    return chosen


def command(copy: Path, tests: Iterable[str], *options: str) -> str:
    """The command that runs these tests on a copy of the repository, and stops at the first failure."""
    environment = f"PYTHONPATH={shlex.quote(str(copy))} PYTHONDONTWRITEBYTECODE=1"
    run = f"{environment} {shlex.quote(sys.executable)} -m pytest -x -q -p no:cacheprovider"
    run = " ".join([run, *map(shlex.quote, options), *tests])
    return f"bash -c {shlex.quote(f'cd {shlex.quote(str(copy))} && {run}')}"


def seconds_unchanged(tests: Iterable[str], copy: Path) -> dict[str, float]:
    """How long each file of tests takes without a mutant.

    Args:
        tests: their paths from the root.
        copy: of the repository.

    Returns:
        Seconds by file.

    Raises:
        SystemExit: one fails, and would seem to kill every mutant.
    """
    report, tests = copy / "seconds.xml", sorted(tests)
    asked = shlex.split(command(copy, tests, f"--junitxml={report}"))
    run = subprocess.run(asked, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"the tests fail without a mutant:\n{run.stdout[-3000:]}{run.stderr[-1000:]}")
    seconds = dict.fromkeys(tests, 0.0)
    for case in ElementTree.parse(report).iter("testcase"):
        name = next(test for test in tests if f"{case.get('classname')}.".startswith(f"{dotted(Path(test))}."))
        seconds[name] += float(case.get("time", 0))
    return seconds
