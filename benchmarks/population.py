"""What runs cost side by side: one program for 1, 2, 4, ... runs.

    python -m benchmarks.population [--runs 1 2 4 8] [--seconds 4] [--no-trace] [--quick] [--write FILE]

Each run has a seed, an ensemble, a buffer and leaves of its own; they share the log. What runs is
`micro_rl.training.program`, the program of `micro-rl sweep`, at the sizes of `benchmarks.workload`: D4RL's hopper
under the authors' settings, epochs of 1,000 updates (or `--updates`) with their rollouts of 50,000 rows and 5 steps.
"""

import argparse
import resource
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import product
from math import inf
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

from benchmarks import flops, machine
from benchmarks.cold import held_by
from benchmarks.device_time import busy
from benchmarks.population_table import FOR_TIME, LeftOut, Line, failed, markdown
from benchmarks.workload import ACT, FULL, QUICK, Scale, fresh_ensemble, hopper, make_problem, mixed, nets
from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.learner import ModelLearner
from micro_rl.algorithms.model_based import micro, sac_on_model
from micro_rl.algorithms.slots import Method
from micro_rl.dynamics.termination_rules import RULES, ByRule
from micro_rl.training.lanes import stack
from micro_rl.training.program import Program

MIXED = "MICRO, 10 draws, mixed"
HIGHEST = "MICRO, 1 draw, full float32"
FOR_CARDS = (MIXED, HIGHEST)
"""Measured by `benchmarks.gpu`, and by this program only where they are asked for."""


class Work(NamedTuple):
    """A method to measure, and the precision of float32 products where it is not the device's own."""

    method: Method
    draws: int | None
    precision: str | None = None


def methods() -> dict[str, Work]:
    """What is measured, the most important first."""
    single, ten = (micro.build(micro.Options(beta=0.5, num_samples=draws)) for draws in (1, 10))
    return {
        "MICRO, 1 draw": Work(single, 1),
        "SAC": Work(sac_on_model.build(sac_on_model.Options()), None),
        "MICRO, 10 draws": Work(ten, 10),
        MIXED: Work(mixed(ten), 10),
        HIGHEST: Work(single, 1, "highest"),
    }


def measure(name: str, runs: int, scale: Scale, seconds: float, trace: bool) -> Line:
    """Epochs of that many runs in one program, their states donated from call to call; `trace` a moment of one more."""
    method, draws, precision = methods()[name]
    settings = hopper(updates_per_epoch=scale.updates, rollout_batch_size=scale.rollout_batch_size)
    problem, sizes = make_problem(scale.log_rows), settings.sizes()
    learner = ModelLearner(method, fresh_ensemble(problem, settings), ByRule(RULES["hopper"]))
    program = Program([learner] * runs, problem, range(runs), [1.0] * runs, [jnp.inf] * runs, sizes)
    states, c = program.fresh(), stack([coefficients(settings, ACT)] * runs)
    began = time.perf_counter()
    with jax.default_matmul_precision(precision) if precision else nullcontext():
        program.epoch(states, c)
    compiled = time.perf_counter() - began

    def call() -> None:
        nonlocal states
        states, *_ = program.epoch(states, c)()

    def awaited() -> None:
        call()
        jax.block_until_ready(states)

    awaited()
    count = max(2, round(seconds / timed(awaited)))
    waited = timed(lambda: [awaited() for _ in range(count)]) / count
    queued = timed(lambda: ([call() for _ in range(count)], jax.block_until_ready(states))) / count
    share = busy(call, waited) if trace else None
    jax.block_until_ready(states)
    counted = runs * flops.epoch(sizes, nets(settings), draws)
    return Line(name, runs, waited, queued, share, compiled, counted, held_by(program.compiled), peak_memory())


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def peak_memory() -> int:
    """Bytes in use at most since this process began: on the device, or of the process where that is the host."""
    stats = jax.devices()[0].memory_stats()
    if stats is None:
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return stats["peak_bytes_in_use"]


def every_line(
    names: Sequence[str], runs: Sequence[int], scale: Scale, seconds: float, trace: bool, until: float = inf
) -> Iterator[Line | LeftOut]:
    """All populations, each printed as it is done; a line that fails says so, and the others are measured.

    `until`, by `time.perf_counter`: left out is what would probably not end by then. As probable counts that compiling
    takes as long as it did last, and the rest as long for each run.
    """
    compiling = per_run = 0.0
    for name, count in product(names, runs):
        began = time.perf_counter()
        if began + compiling + per_run * count > until:
            line = LeftOut(name, count, FOR_TIME)
        else:
            line = tried(name, count, scale, seconds, trace)
        if isinstance(line, Line):
            compiling, per_run = line.compiled, (time.perf_counter() - began - line.compiled) / count
        print(" | ".join(line.cells(scale.updates)).rstrip(" |"), flush=True)
        yield line


def tried(name: str, runs: int, scale: Scale, seconds: float, trace: bool) -> Line | LeftOut:
    """The measured line, or what it failed with: too much for the device, or a driver's fault."""
    try:
        return measure(name, runs, scale, seconds, trace)
    except Exception as error:
        first_line = str(error).partition("\n")[0]
        return LeftOut(name, runs, f"failed: {type(error).__name__}: {first_line}")


def parser(prog: str, explanation: str | None, runs: Sequence[int], names: Sequence[str]) -> argparse.ArgumentParser:
    """What can be told."""
    parser = argparse.ArgumentParser(prog=prog, description=explanation)
    parser.add_argument("--runs", type=int, nargs="+", default=runs)
    parser.add_argument("--methods", nargs="+", choices=list(methods()), default=names)
    parser.add_argument("--updates", type=int, default=1000, help="of an epoch, which has one rollout")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--trace", action=argparse.BooleanOptionalAction, default=True, help="how busy the device is")
    parser.add_argument("--quick", action="store_true", help="little work: shows that all of it runs, not how fast")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there")
    return parser


def main() -> int:
    """Measure, print, and write the page where asked; 1 where a line failed."""
    names = [name for name in methods() if name not in FOR_CARDS]
    options = parser("python -m benchmarks.population", __doc__, [1, 2, 4, 8], names).parse_args()
    scale = QUICK if options.quick else FULL._replace(updates=options.updates)
    seconds = 0.2 if options.quick else options.seconds
    lines = list(every_line(options.methods, options.runs, scale, seconds, options.trace))
    facts = machine.describe() | {"device": jax.devices()[0].device_kind}
    page = markdown(lines, scale.updates, shlex.join(["python", "-m", "benchmarks.population", *sys.argv[1:]]), facts)
    print(page)
    if options.write:
        options.write.write_text(page)
    return 1 if failed(lines) else 0


if __name__ == "__main__":
    sys.exit(main())
