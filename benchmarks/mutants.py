"""How many small faults the tests notice: mutants of the modules that users' trust hangs on (`make mutate`).

    python -m benchmarks.mutants [--area NAME[=COUNT] ...] [--sample 12] [--seed 0] [--seconds 120] [--workers 2]
                                 [--results FILE] [--again]

Cosmic Ray makes the mutants: one operator, number, comparison or condition changed at a time. From each area a sample
is drawn and tried in a copy of the repository, against the quick tests nearest the mutant's module (mutant_tests.py),
which end at the first failure or when their time is over (mutant_process.py); what no test noticed then has survived.
What is tried stays in `--results`, so that a run that was cut short goes on. Left out are unions in annotations, which
cannot be told from `|`, removed decorators, most of which change speed alone, and what is no Python.
"""

import argparse
import ast
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import unified_diff
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from benchmarks.mutant_process import Runner
from benchmarks.mutant_tests import ROOT, nearest

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
_CHANGED = re.compile(r"[+-](?!--|\+\+)")
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


def tried(mutation: Any, copy: Path, runner: Runner, seconds: float) -> dict[str, Any]:
    """Make one mutant in a copy of the repository and run its module's tests there."""
    from cosmic_ray.mutating import use_mutation
    from cosmic_ray.plugins import get_operator

    module = mutation.module_path.relative_to(ROOT)
    tests, begin = nearest(module), time.monotonic()
    operator = get_operator(mutation.operator_name)(**mutation.operator_args)
    with use_mutation(copy / module, operator, mutation.occurrence) as (before, after):
        outcome = runner.run(copy, tests, seconds)
    difference = unified_diff(before.splitlines(), (after or "").splitlines(), n=0)
    return {
        "module": str(module),
        "line": mutation.start_pos[0],
        "operator": mutation.operator_name.removeprefix("core/"),
        "occurrence": mutation.occurrence,
        "outcome": "killed" if outcome.killed else "survived",
        "seconds": round(time.monotonic() - begin, 1),
        "by": outcome.failed,
        "diff": [line for line in difference if _CHANGED.match(line)],
    }


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


def outcomes(mutations: Sequence[Any], workers: int, seconds: float) -> Iterator[dict[str, Any]]:
    """Try mutants side by side, each worker in a copy of its own; then ask each test that failed without a mutant.

    Raises:
        SystemExit: where one of those fails too.
    """
    runner, killers = Runner(), set()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        free = copies(workers, Path(folder))

        def work(mutation: Any) -> dict[str, Any]:
            copy = free.get()
            try:
                return tried(mutation, copy, runner, seconds)
            finally:
                free.put(copy)

        for row in pool.map(work, mutations):
            killers.add(row["by"])
            yield row
        failing = runner.failing(free.get(), killers - {"", "time"})
    if failing:
        sys.exit(f"fails without a mutant too: {', '.join(sorted(failing))}; mend it and try those mutants again")


def known(results: Path) -> list[dict[str, Any]]:
    """What was tried before."""
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def table(rows: Sequence[dict[str, Any]], there: Mapping[str, int]) -> str:
    """Killed of tried, by area, with what share of the area's mutants 95 of 100 such samples would speak for.

    Args:
        rows: of mutants that were tried.
        there: how many mutants each area has, by which the last line weighs their shares.
    """
    from scipy.stats import binomtest

    counts = {area: Counter(row["outcome"] for row in rows if row["area"] == area) for area in there}
    lines = ["| area | mutants there are | tried | killed | 95 % interval |", "|---|---:|---:|---:|---:|"]
    weighed = 0.0
    for area, count in counts.items():
        if not count.total():
            continue
        interval = binomtest(count["killed"], count.total()).proportion_ci()
        ends = f"{100 * interval.low:.0f} to {100 * interval.high:.0f} %"
        lines.append(f"| {area} | {there[area]:,} | {count.total()} | {count['killed']} | {ends} |")
        weighed += there[area] * count["killed"] / count.total()
    share = 100 * weighed / sum(there[area] for area, count in counts.items() if count.total())
    return "\n".join([*lines, f"Each area by the mutants it has: {share:.0f} of 100 killed."])


def area_and_count(word: str) -> tuple[str, int | None]:
    """An area of the flag's, with how many of it are tried where that is said."""
    area, _, count = word.partition("=")
    if area not in AREAS:
        raise argparse.ArgumentTypeError(f"{area} is none of {', '.join(AREAS)}")
    return area, int(count) if count else None


def parsed() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument("--area", nargs="+", type=area_and_count, default=[(area, None) for area in AREAS])
    parser.add_argument("--sample", type=int, default=12, help="mutants of each area where the area names no count")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=120.0, help="processors' time of a mutant's tests")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--results", type=Path, default=ROOT / "out" / "mutants.jsonl")
    parser.add_argument("--again", action="store_true", help="try only those that survived, once more")
    return parser.parse_args()


def main() -> int:
    """Draw, try, write down, and print the table; 1 where fewer than nine of ten were killed."""
    options = parsed()
    options.results.parent.mkdir(parents=True, exist_ok=True)
    rows, there = {_key(row): row for row in known(options.results)}, {}
    for area, count in options.area:
        mutants = mutants_of(area)
        there[area] = len(mutants)
        if options.again:
            survivors = {key for key, row in rows.items() if row["outcome"] == "survived"}
            new = [mutation for mutation in mutants if _identity(mutation) in survivors]
        else:
            sample = drawn(mutants, count or options.sample, options.seed)
            new = [mutation for mutation in sample if _identity(mutation) not in rows]
        print(f"{area}: {len(mutants)} mutants, {len(new)} to try", flush=True)
        for row in outcomes(new, options.workers, options.seconds) if new else ():
            rows[_key(row)] = row | {"area": area}
            options.results.write_text("".join(json.dumps(row) + "\n" for row in rows.values()))
            print(_line(row), flush=True)
    print(table(list(rows.values()), there))
    survived = sum(row["outcome"] == "survived" for row in rows.values())
    return int(10 * survived > len(rows))


def _line(row: Mapping[str, Any]) -> str:
    words = (f"{row['outcome']:9} {row['seconds']:5.0f} s", f"{row['module']}:{row['line']}", *row["diff"], row["by"])
    return " ".join(words)


def _identity(mutation: Any) -> Identity:
    module = str(mutation.module_path.relative_to(ROOT))
    return module, mutation.operator_name.removeprefix("core/"), mutation.occurrence


def _key(row: Mapping[str, Any]) -> Identity:
    return row["module"], row["operator"], row["occurrence"]


if __name__ == "__main__":
    sys.exit(main())
