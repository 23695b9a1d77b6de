"""Where the time of one compiled program goes, by what the package was doing and by kind of work.

    python -m benchmarks.profile [sac|micro1|micro10|rollout|fit|...] [--top N]

Times are spans on each thread without the spans inside them, so on several cores they add up to more than the wall
clock. Tracing itself slows short steps down: compare shares, not milliseconds. On one core (Linux: `taskset -c 0`)
the shares are plainest.
"""

import argparse
import gzip
import json
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
from rich.console import Console
from rich.table import Table

from benchmarks.workload import FULL, QUICK, every_case

STAGES = (
    ("rollout", "rollout"),
    ("write", "write to the buffer"),
    ("draw", "draw rows"),
    ("draw_log", "draw rows"),
    ("draw_noise", "draw noise"),
    ("candidate_values", "candidate values"),
    ("candidate_moments", "candidate values"),
    ("targets", "target, else"),
    ("regularized", "critics' loss"),
    ("actor_loss", "actor's loss"),
    ("fit_loss", "fit loss"),
    ("adam_step", "optimiser"),
    ("polyak_update", "target critics move"),
    ("shuffled_batches", "shuffle"),
    ("holdout_errors", "holdout errors"),
)
RANDOM = re.compile(r"_normal|_uniform|_randint|threefry|_shuffle|random_|erf_inv")
OTHER = "else"


class Origin(NamedTuple):
    """What a step of the compiled program was in the package."""

    stage: str
    kind: str
    functions: str


class Span(NamedTuple):
    """One step on one thread, in microseconds."""

    name: str
    start: float
    length: float


def origins(hlo: str) -> dict[str, Origin]:
    """Every instruction's origin, by its name, from the program's text and its table of stack frames."""
    frames = _Frames(hlo)
    spans = {}
    for line in hlo.splitlines():
        named = re.match(r"\s+(?:ROOT )?%?([\w.-]+) = ", line)
        if named:
            frame = re.search(r"stack_frame_id=(\d+)", line)
            operation = re.search(r'op_name="([^"]*)"', line)
            functions = frames.functions(int(frame[1])) if frame else []
            spans[named[1]] = Origin(
                stage(functions), kind(named[1], operation[1] if operation else ""), " < ".join(functions[:3])
            )
    return spans


def stage(functions: list[str]) -> str:
    """The first stage that one of these functions, innermost first, belongs to."""
    inside = {function.split(".")[0] for function in functions} | set(functions)
    return next((label for name, label in STAGES if name in inside or f"update.<locals>.{name}" in inside), OTHER)


def kind(name: str, operation: str) -> str:
    """Matmul, random numbers, gathers or the rest."""
    if name.startswith(("dot", "ynn")) or "dot_general" in operation:
        return "matmul"
    if RANDOM.search(operation):
        return "random numbers"
    if operation.endswith(("gather", "scatter", "sort", "dynamic_slice", "dynamic_update_slice")):
        return "gather, scatter, sort"
    return "element by element"


class _Frames:
    """The stack frames at the head of a compiled program's text; a parent's number there is one too high."""

    def __init__(self, hlo: str):
        functions = _numbered(hlo, "FunctionNames")
        self._function = {
            number: functions[_field(text, "function_name_id")].strip('"')
            for number, text in _numbered(hlo, "FileLocations").items()
        }
        self._frame = {
            number: (_field(text, "file_location_id"), _field(text, "parent_frame_id") - 1)
            for number, text in _numbered(hlo, "StackFrames").items()
        }

    def functions(self, number: int) -> list[str]:
        """Names from the innermost outwards, repetitions left out."""
        names: list[str] = []
        while number in self._frame:
            location, number = self._frame[number]
            if self._function[location] not in names:
                names.append(self._function[location])
        return names


def _numbered(hlo: str, heading: str) -> dict[int, str]:
    block = re.search(rf"^{heading}\n((?:\d+ .*\n)+)", hlo, re.MULTILINE)
    lines = block[1].splitlines() if block else []
    return {int(number): text for number, _, text in (line.partition(" ") for line in lines)}


def _field(text: str, name: str) -> int:
    value = re.search(rf"{name}=(\d+)", text)
    return int(value[1]) if value else 0


def traced(call: Callable[[], Any]) -> list[list[Span]]:
    """Spans of one call, thread by thread."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, create_perfetto_trace=True):
            call()
        path = next(Path(folder).rglob("perfetto_trace.json.gz"))
        events = json.loads(gzip.decompress(path.read_bytes()))
    events = events["traceEvents"] if isinstance(events, dict) else events
    threads: dict[Any, list[Span]] = {}
    for event in events:
        if event.get("ph") == "X":
            threads.setdefault(event["tid"], []).append(Span(event["name"], event["ts"], event["dur"]))
    return list(threads.values())


def own_time(spans: Iterable[Span]) -> Iterator[tuple[str, float]]:
    """Each span of a thread and its length without the spans it holds."""
    open_spans: list[tuple[Span, float]] = []

    def close() -> tuple[str, float]:
        span, inside = open_spans.pop()
        if open_spans:
            outer, inner = open_spans[-1]
            open_spans[-1] = (outer, inner + span.length)
        return span.name, span.length - inside

    for span in sorted(spans, key=lambda s: (s.start, -s.length)):
        while open_spans and span.start >= open_spans[-1][0].start + open_spans[-1][0].length:
            yield close()
        open_spans.append((span, 0.0))
    while open_spans:
        yield close()


def by_origin(threads: list[list[Span]], known: dict[str, Origin]) -> tuple[dict[str, float], Counter[str]]:
    """Microseconds and calls of every instruction of the program."""
    spent: dict[str, float] = defaultdict(float)
    calls: Counter[str] = Counter()
    for spans in threads:
        for name, length in own_time(spans):
            instruction = name.removeprefix("end: ")
            if instruction in known:
                spent[instruction] += length
                calls[instruction] += instruction == name
    return spent, calls


def by_stage(spent: dict[str, float], known: dict[str, Origin]) -> Table:
    """What the package was doing, against the kind of work, in per cent of all."""
    cells: dict[tuple[str, str], float] = defaultdict(float)
    for name, length in spent.items():
        cells[known[name].stage, known[name].kind] += length
    kinds = sorted({key for _, key in cells})
    total = sum(cells.values())
    sums = {label: sum(cells[label, key] for key in kinds) for label in {label for label, _ in cells}}
    table = Table("per cent of the traced time", *kinds, "all")
    for label in sorted(sums, key=lambda label: -sums[label]):
        shares = [100 * cells[label, key] / total for key in kinds]
        table.add_row(label, *(f"{share:.1f}" for share in shares), f"{100 * sums[label] / total:.1f}")
    columns = [sum(cells[label, key] for label in sums) for key in kinds]
    table.add_row("all", *(f"{100 * column / total:.1f}" for column in columns), "100.0", end_section=True)
    return table


def longest(spent: dict[str, float], calls: Counter[str], known: dict[str, Origin], top: int) -> Table:
    """The instructions that took the most time."""
    table = Table("instruction", "ms", "%", "calls", "from")
    total = sum(spent.values())
    for name, length in sorted(spent.items(), key=lambda item: -item[1])[:top]:
        share = f"{100 * length / total:.1f}"
        table.add_row(name, f"{length / 1e3:.2f}", share, str(calls[name]), known[name].functions)
    return table


def main() -> None:
    """Trace one call, after one that warms up."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description="Where the time goes.")
    parser.add_argument("case", choices=every_case(FULL), nargs="?", default="micro10")
    parser.add_argument("--top", type=int, default=25, help="instructions to list (25)")
    parser.add_argument("--quick", action="store_true", help="little work: shows that it runs")
    options = parser.parse_args()
    case = every_case(QUICK if options.quick else FULL)[options.case]()
    case.call()
    threads = traced(case.call)
    known = origins(case.lower().compile().as_text() or "")
    spent, calls = by_origin(threads, known)
    console = Console()
    console.print(f"{case.label}: {sum(spent.values()) / 1e3 / case.units:.2f} ms traced per unit")
    console.print(by_stage(spent, known))
    console.print(longest(spent, calls, known, options.top))


if __name__ == "__main__":
    main()
