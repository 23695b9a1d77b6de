"""A card's table: the tests that a card can fail, then what an update costs for 1 to 32 runs in one program.

    python -m benchmarks.gpu [--runs 1 2 4 8 16 32] [--seconds 4] [--quick] [--write FILE]

`bash benchmarks/gpu.sh` first installs the wheels that were carried along. The runs are `jax.vmap` of the training
epoch, each with a seed, an ensemble and a buffer of its own; they share the log. Sizes are those of
`benchmarks.workload`: D4RL's hopper under the authors' settings. Made for a card and ten minutes, and not yet run on
one; on a machine without a card the same program measures the processor, which shows that it runs.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
from jax import Array

from benchmarks import flops, machine
from benchmarks.workload import ACT, FULL, QUICK, Scale, fresh_ensemble, hopper, make_problem, nets
from micro_rl import loop
from micro_rl.loop import Keys, coefficients
from micro_rl.method import Method
from micro_rl.methods import micro, sac
from micro_rl.termination import RULES, ByRule

UPDATES_OF_A_RUN = 3_000_000
TESTS = ("test_golden.py", "test_sac.py", "test_nets.py", "test_buffer.py", "test_rollout.py", "test_methods_micro.py")
"""What computes on the device and has known answers."""


class Line(NamedTuple):
    """One population's figures: seconds of an epoch waited for and queued behind another, and of its compilation."""

    method: str
    runs: int
    waited: float
    queued: float
    compiled: float
    operations: float
    peak: int | None

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
            f"{self.peak / 2**30:.1f}" if self.peak else "-",
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


def population(name: str, runs: int, scale: Scale, seconds: float) -> Line:
    """Epochs of that many runs in one program, their state donated from call to call."""
    method, draws = methods()[name]
    settings = hopper(updates=scale.updates, rollout_starts=scale.rollout_starts)
    problem, sizes, c = make_problem(scale.log_rows), settings.sizes(), coefficients(settings, ACT)
    ensemble = fresh_ensemble(problem, settings)
    seeds = jax.numpy.arange(runs)

    def begun(seed: Array) -> loop.TrainState:
        return loop.start(problem, ensemble, method, sizes, settings.temperature, Keys.of(seed))

    one = partial(loop.epoch, sizes=sizes, ends=ByRule(RULES["hopper"]))
    every = jax.jit(jax.vmap(one, in_axes=(0, None, None, None, 0)), donate_argnums=0)
    state = jax.jit(jax.vmap(begun))(seeds)
    keys = jax.vmap(lambda seed: Keys.of(seed).epochs)(seeds)

    def call() -> None:
        nonlocal state
        state, _ = every(state, method, problem, c, keys)

    compiled = timed(lambda: (call(), jax.block_until_ready(state)))
    count = max(2, round(seconds / timed(lambda: (call(), jax.block_until_ready(state)))))
    waited = timed(lambda: [(call(), jax.block_until_ready(state)) for _ in range(count)]) / count
    queued = timed(lambda: ([call() for _ in range(count)], jax.block_until_ready(state))) / count
    counted = runs * flops.epoch(sizes, nets(settings), draws)
    return Line(name, runs, waited, queued, compiled - waited, counted, peak_memory())


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def peak_memory() -> int | None:
    """Bytes that the device has had in use at most since this process began; None where it does not say."""
    told = jax.devices()[0].memory_stats()
    return None if told is None else told.get("peak_bytes_in_use")


def tested(quick: bool) -> str:
    """The last line of the tests on this device, run in a process of their own that leaves memory to this one."""
    root = Path(__file__).parent.parent
    places = [str(root / "tests" / name) for name in (TESTS[:1] if quick else TESTS)]
    environment = os.environ | {
        "MICRO_RL_TEST_PLATFORM": jax.default_backend(),
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *places],
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
    )
    return (done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["no output"])[-1]


def markdown(lines: list[Line], updates: int, tests: str) -> str:
    """The page."""
    told = machine.describe() | {"device": jax.devices()[0].device_kind, "tests on it": tests}
    table = ["| " + " | ".join(HEADS) + " |", "|---" * len(HEADS) + "|"]
    table += ["| " + " | ".join(line.cells(updates)) + " |" for line in lines]
    about = "\n".join(f"* {name}: {text}" for name, text in told.items())
    note = (
        "An epoch has its rollout, so an update's time holds its share of it. Waited for: the host looks at every "
        "epoch before it begins the next. Queued: it does not, which is as fast as the device can go. TFLOP/s count "
        "matrix products alone. Peaks are of the whole process so far."
    )
    command = " ".join(["python -m benchmarks.gpu", *sys.argv[1:]])
    return "\n\n".join([f"# {told['device']}", f"Made by `{command}`.", about, "\n".join(table), note]) + "\n"


def main() -> None:
    """Test, measure, print, and write the page where asked; each population is printed as it is done."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--quick", action="store_true", help="little work: shows that all of it runs, not how fast")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there")
    options = parser.parse_args()
    scale = QUICK if options.quick else FULL._replace(updates=1000)
    tests = tested(options.quick)
    print(f"tests: {tests}", flush=True)
    lines = []
    for name in methods():
        for runs in options.runs:
            lines.append(population(name, runs, scale, 0.2 if options.quick else options.seconds))
            print(" | ".join(lines[-1].cells(scale.updates)), flush=True)
            if options.write:
                options.write.write_text(markdown(lines, scale.updates, tests))
    print(markdown(lines, scale.updates, tests))


if __name__ == "__main__":
    main()
