"""How many small faults the tests notice: mutants of the modules that users' trust hangs on (`make mutate`).

    python -m benchmarks.mutants [--area NAME ...] [--sample 12] [--seed 0] [--workers 2] [--results FILE]

Cosmic Ray makes the mutants: one operator, number, comparison or condition changed at a time. From each area a sample
is drawn and tried in a copy of the repository, against the quick tests that import the mutant's module, directly or by
one step. What is tried stays in `--results`, so that a run that was cut short goes on. Left out are unions in
annotations, which cannot be told from `|`, and removed decorators, most of which change speed alone.
"""

import argparse
import ast
import json
import os
import random
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

ROOT = Path(__file__).parent.parent
AREAS = {
    "algorithms": ("micro_rl/algorithms",),
    "dynamics": ("micro_rl/dynamics",),
    "data": ("micro_rl/data",),
    "evaluator": ("micro_rl/training/evaluator.py", "micro_rl/simulation/evaluation.py"),
    "attacks": ("micro_rl/robustness/attacks.py", "micro_rl/robustness/attacked.py", "micro_rl/robustness/signals.py"),
    "statistics": ("micro_rl/reports/stats",),
    "storage": ("micro_rl/storage",),
    "policy": ("micro_rl/policy.py",),
}
LEFT_OUT = ("BitOr", "remove-decorator", "RemoveDecorator")
TIMEOUT = 900.0
"""Seconds of a mutant's tests; one that takes longer is killed, for its loops do not end."""
MOST_STEPS = 3
"""From a module to the tests: it is imported, or what imports it is, and so on."""
MOST_TESTS = 10
"""Files of tests for one module: those that import the fewest others first, since they look most closely."""


def modules_of(area: str) -> list[Path]:
    """An area's modules, from the root."""
    paths = [ROOT / name for name in AREAS[area]]
    files = [file for path in paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    return [file.relative_to(ROOT) for file in files if file.name != "__init__.py"]


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
def tests_of(module: Path) -> tuple[str, ...]:
    """Files of tests that import a module, then of what imports it, while they are few."""
    tests = [file.relative_to(ROOT) for file in sorted((ROOT / "tests").rglob("test_*.py"))]
    code = [file.relative_to(ROOT) for file in sorted((ROOT / "micro_rl").rglob("*.py"))]
    names, chosen = {dotted(module)}, []
    for _ in range(MOST_STEPS):
        chosen += sorted((test for test in tests if imported_by(test) & names and test not in chosen), key=_breadth)
        if len(chosen) >= MOST_TESTS:
            break
        names |= {dotted(file) for file in code if imported_by(file) & names}
    if not chosen:  # a reader that is imported when a file asks for it
        siblings = dotted(module.parent.parent)
        chosen = [test for test in tests if any(name.startswith(siblings) for name in imported_by(test))]
    return tuple(map(str, chosen[:MOST_TESTS]))


def _breadth(test: Path) -> int:
    return len([name for name in imported_by(test) if name.startswith("micro_rl")])


def mutants_of(area: str) -> list[Any]:
    """Every mutant of an area that is not left out, in a fixed order, with its file's path from the root."""
    from cosmic_ray.commands.init import init
    from cosmic_ray.work_db import WorkDB, use_db

    with tempfile.TemporaryDirectory() as folder, use_db(Path(folder) / "mutants", WorkDB.Mode.create) as database:
        init([ROOT / module for module in modules_of(area)], database, {})
        mutations = [item.mutations[0] for item in database.work_items]
    kept = [mutation for mutation in mutations if not any(name in mutation.operator_name for name in LEFT_OUT)]
    return sorted(kept, key=lambda mutation: (str(mutation.module_path), mutation.start_pos, mutation.operator_name))


def tried(mutation: Any, copy: Path) -> dict[str, Any]:
    """Make one mutant in a copy of the repository and run its module's tests there."""
    from cosmic_ray.mutating import mutate_and_test

    module = mutation.module_path.relative_to(ROOT)
    there = replace_path(mutation, copy / module)
    result = mutate_and_test([there], testing(copy, tests_of(module)), TIMEOUT)
    changed = [line for line in (result.diff or "").splitlines() if line[:1] in ("+", "-")]
    return {
        "module": str(module),
        "line": mutation.start_pos[0],
        "operator": mutation.operator_name.removeprefix("core/"),
        "occurrence": mutation.occurrence,
        "outcome": result.test_outcome.value if result.test_outcome else "not made",
        "diff": [line for line in changed if line[:3] not in ("+++", "---")],
    }


def testing(copy: Path, tests: Sequence[str]) -> str:
    """The command that runs these tests on a copy of the repository."""
    environment = f"PYTHONPATH={shlex.quote(str(copy))} PYTHONDONTWRITEBYTECODE=1"
    run = f"{environment} {shlex.quote(sys.executable)} -m pytest -x -q -p no:cacheprovider {' '.join(tests)}"
    return f"bash -c {shlex.quote(f'cd {shlex.quote(str(copy))} && {run}')}"


def pass_unchanged(mutations: Sequence[Any]) -> None:
    """Leave with a message where the tests fail without a mutant: they would seem to kill every one."""
    tests = sorted({test for mutation in mutations for test in tests_of(mutation.module_path.relative_to(ROOT))})
    with tempfile.TemporaryDirectory() as folder:
        copy = copies(1, Path(folder)).get()
        run = subprocess.run(shlex.split(testing(copy, tests)), capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"the tests fail without a mutant:\n{run.stdout[-3000:]}{run.stderr[-1000:]}")


def replace_path(mutation: Any, path: Path) -> Any:
    """The same mutation of another copy's file."""
    import attrs

    return attrs.evolve(mutation, module_path=path)


def copies(count: int, folder: Path) -> SimpleQueue[Path]:
    """Copies of what is committed, one for each worker."""
    queue: SimpleQueue[Path] = SimpleQueue()
    for number in range(count):
        copy = folder / str(number)
        copy.mkdir()
        archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "x"], cwd=copy, input=archive, check=True)
        queue.put(copy)
    return queue


def outcomes(mutations: Sequence[Any], workers: int) -> Iterator[dict[str, Any]]:
    """Try mutants side by side, each worker in a copy of its own."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        free = copies(workers, Path(folder))

        def work(mutation: Any) -> dict[str, Any]:
            copy = free.get()
            try:
                return tried(mutation, copy)
            finally:
                free.put(copy)

        yield from pool.map(work, mutations)


def known(results: Path) -> list[dict[str, Any]]:
    """What was tried before."""
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Killed of tried, by area."""
    counts = {area: Counter(row["outcome"] for row in rows if row["area"] == area) for area in AREAS}
    lines = ["| area | mutants tried | killed |", "|---|---|---|"]
    for area, count in counts.items():
        survived, total = count["survived"], sum(count.values())
        if total:
            lines.append(f"| {area} | {total} | {total - survived} ({100 * (total - survived) / total:.0f} %) |")
    return "\n".join(lines)


def main() -> int:
    """Draw, try, write down, and print the table and the survivors; 1 where fewer than nine of ten were killed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument("--area", nargs="+", choices=list(AREAS), default=list(AREAS))
    parser.add_argument("--sample", type=int, default=12, help="mutants of each area")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--results", type=Path, default=ROOT / "out" / "mutants.jsonl")
    options = parser.parse_args()
    options.results.parent.mkdir(parents=True, exist_ok=True)
    rows = known(options.results)
    done = {(row["module"], row["operator"], row["occurrence"]) for row in rows}
    for area in options.area:
        mutants = mutants_of(area)
        drawn = random.Random(options.seed).sample(mutants, min(options.sample, len(mutants)))
        new = [mutation for mutation in drawn if _identity(mutation) not in done]
        print(f"{area}: {len(mutants)} mutants, {len(drawn)} drawn, {len(new)} to try", flush=True)
        if new:
            pass_unchanged(new)
        for row in outcomes(new, options.workers):
            rows.append(row | {"area": area})
            with options.results.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(f"  {row['outcome']:9} {row['module']}:{row['line']} {' '.join(row['diff'])}", flush=True)
    print(table(rows))
    survived = sum(row["outcome"] == "survived" for row in rows)
    return int(10 * survived > len(rows))


def _identity(mutation: Any) -> tuple[str, str, int]:
    module = str(mutation.module_path.relative_to(ROOT))
    return module, mutation.operator_name.removeprefix("core/"), mutation.occurrence


if __name__ == "__main__":
    sys.exit(main())
