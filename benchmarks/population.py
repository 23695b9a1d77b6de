"""What runs cost side by side: one program for 1, 2, 4, ... runs.

    python -m benchmarks.population [--runs 1 2 4 8] [--seconds 4] [--quick] [--write FILE]

Each run has a seed, an ensemble, a buffer and leaves of its own; they share the log. What runs is
`micro_rl.population`, the program of `micro-rl sweep`, at the sizes of `benchmarks.workload`: D4RL's hopper under the
authors' settings, epochs of 1,000 updates (or `--updates`) with their rollouts of 50,000 rows and 5 steps.
"""

import argparse
import resource
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

from benchmarks import flops, machine
from benchmarks.workload import ACT, FULL, QUICK, Scale, fresh_ensemble, hopper, make_problem, nets
from micro_rl import population
from micro_rl.loop import Keys, coefficients
from micro_rl.method import Method
from micro_rl.methods import micro, sac
from micro_rl.population import dealt, held_by_each, stack
from micro_rl.termination import RULES, ByRule

UPDATES_OF_A_RUN = 3_000_000


class Line(NamedTuple):
    """One population's figures: seconds of an epoch waited for and queued behind another, and of its compilation."""

    method: str
    runs: int
    waited: float
    queued: float
    compiled: float
    operations: float
    peak: int

    def cells(self, updates: int) -> list[str]:
        """As the table shows them; times for one update of every run together, and for one run of them."""
        together = 1e3 * self.waited / updates
        hours = self.waited / updates * UPDATES_OF_A_RUN / 3600
        return [
            self.method,
            str(self.runs),
            f"{together:.3f}",
            f"{together / self.runs:.3f}",
            f"{self.queued / self.waited:.2f}",
            f"{self.operations / self.waited / 1e12:.2f}",
            f"{self.peak / 2**30:.1f}",
            f"{self.compiled:.0f}",
            f"{hours:.2f}",
        ]


HEADS = (
    "method",
    "runs",
    "ms per update of all",
    "ms per update and run",
    "queued / waited for",
    "TFLOP/s",
    "peak GiB",
    "compiled in s",
    "hours for 3,000,000 updates of all",
)


def methods() -> dict[str, tuple[Method, int | None]]:
    """What is measured, with its draws."""
    return {
        "SAC": (sac.build(sac.Options()), None),
        "MICRO, 1 draw": (micro.build(micro.Options(beta=0.5, draws=1)), 1),
        "MICRO, 10 draws": (micro.build(micro.Options(beta=0.5, draws=10)), 10),
    }


def measure(name: str, runs: int, scale: Scale, seconds: float) -> Line:
    """Epochs of that many runs in one program, their states donated from call to call."""
    method, draws = methods()[name]
    settings = hopper(updates=scale.updates, rollout_starts=scale.rollout_starts)
    problem, sizes = make_problem(scale.log_rows), settings.sizes()
    problem = held_by_each(problem, runs)
    ensembles, every = dealt(stack([fresh_ensemble(problem, settings)] * runs)), stack([method] * runs)
    c, keys = stack([coefficients(settings, ACT)] * runs), dealt(stack([Keys.of(seed) for seed in range(runs)]))
    ends = ByRule(RULES["hopper"])
    states = population.compiled_start(problem, ensembles, every, dealt(jnp.ones(runs)), keys, sizes=sizes)

    def call() -> None:
        nonlocal states
        states, _ = population.compiled_epoch(states, every, ends, c, keys.epochs, problem, sizes=sizes)

    compiled = timed(lambda: (call(), jax.block_until_ready(states)))
    count = max(2, round(seconds / timed(lambda: (call(), jax.block_until_ready(states)))))
    waited = timed(lambda: [(call(), jax.block_until_ready(states)) for _ in range(count)]) / count
    queued = timed(lambda: ([call() for _ in range(count)], jax.block_until_ready(states))) / count
    counted = runs * flops.epoch(sizes, nets(settings), draws)
    return Line(name, runs, waited, queued, compiled - waited, counted, peak_memory())


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def peak_memory() -> int:
    """Bytes in use at most since this process began: on the device, or of the process where that is the host."""
    told = jax.devices()[0].memory_stats()
    if told is None:
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return told["peak_bytes_in_use"]


def markdown(lines: Sequence[Line], updates: int, command: str, told: dict[str, str]) -> str:
    """The page."""
    table = ["| " + " | ".join(HEADS) + " |", "|---" * len(HEADS) + "|"]
    table += ["| " + " | ".join(line.cells(updates)) + " |" for line in lines]
    about = "\n".join(f"* {name}: {text}" for name, text in told.items())
    note = (
        "An epoch has its rollout, so an update's time holds its share of it. Waited for: the host looks at every "
        "epoch before it begins the next. Queued: it does not, which is as fast as the device can go. TFLOP/s count "
        "matrix products alone. Peaks are of the whole process so far."
    )
    title, made_by = f"# Runs in one program: {told['device']}", f"Made by `{command}`."
    return "\n\n".join([title, made_by, about, "\n".join(table), note]) + "\n"


def every_line(names: Sequence[str], runs: Sequence[int], scale: Scale, seconds: float) -> Iterator[Line]:
    """All populations, each printed as it is done."""
    for name in names:
        for count in runs:
            line = measure(name, count, scale, seconds)
            print(" | ".join(line.cells(scale.updates)), flush=True)
            yield line


def arguments(prog: str, explanation: str | None, runs: Sequence[int]) -> argparse.Namespace:
    """What can be told."""
    parser = argparse.ArgumentParser(prog=prog, description=explanation)
    parser.add_argument("--runs", type=int, nargs="+", default=runs)
    parser.add_argument("--methods", nargs="+", choices=list(methods()), default=list(methods()))
    parser.add_argument("--updates", type=int, default=1000, help="of an epoch, which has one rollout")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--quick", action="store_true", help="little work: shows that all of it runs, not how fast")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there")
    return parser.parse_args()


def main() -> None:
    """Measure, print, and write the page where asked."""
    options = arguments("python -m benchmarks.population", __doc__, [1, 2, 4, 8])
    scale = QUICK if options.quick else FULL._replace(updates=options.updates)
    lines = list(every_line(options.methods, options.runs, scale, 0.2 if options.quick else options.seconds))
    told = machine.describe() | {"device": jax.devices()[0].device_kind}
    page = markdown(lines, scale.updates, shlex.join(["python", "-m", "benchmarks.population", *sys.argv[1:]]), told)
    print(page)
    if options.write:
        options.write.write_text(page)


if __name__ == "__main__":
    main()
