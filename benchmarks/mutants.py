"""How many small faults the tests notice: mutants of the modules that users' trust hangs on (`make mutate`).

    python -m benchmarks.mutants [--area NAME ...] [--sample 12] [--seed 0] [--workers 2] [--results FILE] [--again]

Cosmic Ray makes the mutants: one operator, number, comparison or condition changed at a time. From each area a sample
is drawn and tried in a copy of the repository, against the quick tests nearest the mutant's module (mutant_tests.py).
What is tried stays in `--results`, so that a run that was cut short goes on. Left out are unions in annotations, which
cannot be told from `|`, removed decorators, most of which change speed alone, and what is no Python.
"""

import argparse
import ast
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from benchmarks.mutant_tests import ROOT, Killers, command, nearest

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
Identity = tuple[str, str, int]


def modules_of(area: str) -> list[Path]:
    """An area's modules, from the root."""
    paths = [ROOT / name for name in AREAS[area]]
    files = [file for path in paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    return [file.relative_to(ROOT) for file in files if file.name != "__init__.py"]


def mutants_of(area: str) -> list[Any]:
    """Every mutant of an area that is not left out, in a fixed order, with its file's path from the root."""
    from cosmic_ray.commands.init import init
    from cosmic_ray.work_db import WorkDB, use_db

    with tempfile.TemporaryDirectory() as folder, use_db(Path(folder) / "mutants", WorkDB.Mode.create) as database:
        init([ROOT / module for module in modules_of(area)], database, {})
        mutations = [item.mutations[0] for item in database.work_items]
    kept = [mutation for mutation in mutations if not any(name in mutation.operator_name for name in LEFT_OUT)]
    return sorted(kept, key=lambda mutation: (str(mutation.module_path), mutation.start_pos, mutation.operator_name))


def drawn(mutants: Sequence[Any], count: int, seed: int) -> list[Any]:
    """A sample of those that are Python at all: an operator may stand where only that one may, as in `f(*, x)`."""
    order = random.Random(seed).sample(mutants, min(2 * count, len(mutants)))
    return list(islice(filter(_is_python, order), count))


def _is_python(mutation: Any) -> bool:
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    operator = get_operator(mutation.operator_name)(**mutation.operator_args)
    try:
        ast.parse(mutate_code(mutation.module_path.read_text(encoding="utf-8"), operator, mutation.occurrence) or "")
    except SyntaxError:
        return False
    return True


def tried(mutation: Any, copy: Path, killers: Killers) -> dict[str, Any]:
    """Make one mutant in a copy of the repository and run its module's tests there."""
    from cosmic_ray.mutating import mutate_and_test

    module = mutation.module_path.relative_to(ROOT)
    tests, begin = nearest(module), time.monotonic()
    result = mutate_and_test([replace_path(mutation, copy / module)], command(copy, tests), TIMEOUT)
    seconds = round(time.monotonic() - begin, 1)
    outcome, by = result.test_outcome.value if result.test_outcome else "not made", ""
    if outcome == "killed":
        by = "time" if result.output == "timeout" else killers.check(result.output or "", tests, copy)
    changed = [line for line in (result.diff or "").splitlines() if line[:1] in ("+", "-")]
    return {
        "module": str(module),
        "line": mutation.start_pos[0],
        "operator": mutation.operator_name.removeprefix("core/"),
        "occurrence": mutation.occurrence,
        "outcome": outcome,
        "seconds": seconds,
        "by": by,
        "diff": [line for line in changed if line[:3] not in ("+++", "---")],
    }


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
    killers = Killers()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        free = copies(workers, Path(folder))

        def work(mutation: Any) -> dict[str, Any]:
            copy = free.get()
            try:
                return tried(mutation, copy, killers)
            finally:
                free.put(copy)

        yield from pool.map(work, mutations)


def known(results: Path) -> list[dict[str, Any]]:
    """What was tried before."""
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Killed of tried, by area, with what share of the area's mutants 95 of 100 such samples would speak for."""
    from scipy.stats import binomtest

    counts = {area: Counter(row["outcome"] for row in rows if row["area"] == area) for area in AREAS}
    lines = ["| area | mutants tried | killed | 95 % interval |", "|---|---:|---:|---:|"]
    for area, count in [*counts.items(), ("all", sum(counts.values(), Counter()))]:
        total = sum(count.values())
        killed = total - count["survived"]
        if total:
            interval = binomtest(killed, total).proportion_ci()
            lines.append(f"| {area} | {total} | {killed} | {100 * interval.low:.0f} to {100 * interval.high:.0f} % |")
    return "\n".join(lines)


def parsed() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument("--area", nargs="+", choices=list(AREAS), default=list(AREAS))
    parser.add_argument("--sample", type=int, default=12, help="mutants of each area")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--results", type=Path, default=ROOT / "out" / "mutants.jsonl")
    parser.add_argument("--again", action="store_true", help="try only those that survived, once more")
    return parser.parse_args()


def main() -> int:
    """Draw, try, write down, and print the table and the survivors; 1 where fewer than nine of ten were killed."""
    options = parsed()
    options.results.parent.mkdir(parents=True, exist_ok=True)
    rows = {_key(row): row for row in known(options.results)}
    for area in options.area:
        mutants = mutants_of(area)
        if options.again:
            survivors = {key for key, row in rows.items() if row["outcome"] == "survived"}
            new = [mutation for mutation in mutants if _identity(mutation) in survivors]
        else:
            sample = drawn(mutants, options.sample, options.seed)
            new = [mutation for mutation in sample if _identity(mutation) not in rows]
        print(f"{area}: {len(mutants)} mutants, {len(new)} to try", flush=True)
        for row in outcomes(new, options.workers) if new else ():
            rows[_key(row)] = row | {"area": area}
            options.results.write_text("".join(json.dumps(row) + "\n" for row in rows.values()))
            words = (
                f"{row['outcome']:9} {row['seconds']:5.0f} s",
                f"{row['module']}:{row['line']}",
                *row["diff"],
                row["by"],
            )
            print("", *words, flush=True)
    print(table(list(rows.values())))
    survived = sum(row["outcome"] == "survived" for row in rows.values())
    return int(10 * survived > len(rows))


def _identity(mutation: Any) -> Identity:
    module = str(mutation.module_path.relative_to(ROOT))
    return module, mutation.operator_name.removeprefix("core/"), mutation.occurrence


def _key(row: Mapping[str, Any]) -> Identity:
    return row["module"], row["operator"], row["occurrence"]


if __name__ == "__main__":
    sys.exit(main())
