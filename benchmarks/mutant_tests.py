"""Which tests a mutant of a module meets: the files that are nearest.

Near is a file of tests that is named after the module, then one that imports it, then one that imports what imports
it.
"""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_STEPS = 3
"""From a module to the tests: it is imported, or what imports it is, and so on."""
MOST_TESTS = 10
"""Files of tests for one module, beside those of its package's folder."""


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
def nearest(module: Path) -> tuple[str, ...]:
    """Files of tests in their order: those named after a module, then by steps of imports, `MOST_TESTS` at most.

    Of equally near ones those of the package's folder come first, then those that import little else. Where few import
    the module, as with readers that are imported when a file asks for them, the tests of its package follow; and all
    others of the package's folder where it has one.
    """
    tests = [file.relative_to(ROOT) for file in sorted((ROOT / "tests").rglob("test_*.py"))]
    code = [file.relative_to(ROOT) for file in sorted((ROOT / "micro_rl").rglob("*.py"))]
    chosen = [test for test in tests if test.stem == f"test_{module.stem}"]
    names = {dotted(module)}
    for _ in range(MOST_STEPS):
        chosen += _narrowest(module, (test for test in tests if imported_by(test) & names and test not in chosen))
        if len(chosen) >= MOST_TESTS:
            break
        names |= {dotted(file) for file in code if imported_by(file) & names}
    package = ".".join(module.parts[:2])
    others = (test for test in tests if any(name.startswith(package) for name in imported_by(test)))
    chosen += _narrowest(module, (test for test in others if test not in chosen))
    own = [test for test in tests if test.parts[1] == module.parts[1]]
    return tuple(map(str, dict.fromkeys([*chosen[:MOST_TESTS], *own])))


def _narrowest(module: Path, tests: Iterable[Path]) -> list[Path]:
    """Those first that stand in the folder of the module's package, then those that import little else."""
    return sorted(tests, key=lambda test: (test.parts[1] != module.parts[1], _breadth(test), str(test)))


def _breadth(test: Path) -> int:
    return len([name for name in imported_by(test) if name.startswith("micro_rl")])
