"""A process of its own that compiles everything anew, fills the buffer and says what it took, as JSON.

    python -m benchmarks.cold ROLLOUTS_KEPT STARTS LOG_ROWS

Two such processes with buffers of different length tell whether buffers exist once: what the training epoch holds,
by the compiler's own plan, must then grow by as many bytes as the buffer does. (The peak that the system saw cannot
tell: compiling leaves memory behind that a copy would fit into.)
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
from jax.stages import Compiled

from benchmarks.workload import ACT, KEYS, hopper, make_problem
from micro_rl.algorithms import epoch as loop
from micro_rl.algorithms.buffer import Buffer
from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.epoch import TrainState, start
from micro_rl.algorithms.model_based import micro
from micro_rl.dynamics import fit_epoch as fitting_epoch
from micro_rl.dynamics.fit_epoch import finish_fit
from micro_rl.dynamics.termination_rules import ByRule, never

EPOCHS, UPDATES = 5, 10
Result = TypeVar("Result")


class Cold(NamedTuple):
    """Seconds until each part is ready to run, and bytes."""

    fit_start: float
    fit_epoch: float
    agent_start: float
    epoch: float
    epoch_bytes: int
    peak: int
    buffer: int
    log: int

    @property
    def seconds(self) -> float:
        """Everything that must be compiled before the first update."""
        return self.fit_start + self.fit_epoch + self.agent_start + self.epoch


def measure(rollouts: int, starts: int, rows: int) -> Cold:
    """In a fresh interpreter, whose memory and compiled programs are its own."""
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "benchmarks.cold", str(rollouts), str(starts), str(rows)]
    environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    process = subprocess.run(command, cwd=root, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return Cold(**json.loads(process.stdout))


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds, and what came of it."""
    began = time.perf_counter()
    result = jax.block_until_ready(work())
    return time.perf_counter() - began, result


def peak_memory() -> int:
    """Most bytes this process has held; Linux alone counts them without what its parent held before the fork."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def held_by(program: Compiled) -> int:
    """Bytes of what a program takes, gives and writes down in between; donated arrays count once."""
    plan: Any = program.memory_analysis()
    return plan.argument_size_in_bytes + plan.output_size_in_bytes - plan.alias_size_in_bytes + plan.temp_size_in_bytes


def bytes_of(tree: Any) -> int:
    """What a tree of arrays takes."""
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


def compile_and_train(rollouts: int, starts: int, rows: int) -> Cold:
    """MICRO with 10 draws at hopper's sizes: all its programs, then short epochs with full rollouts."""
    settings = hopper(rollouts_kept=rollouts, rollout_batch_size=starts, updates_per_epoch=UPDATES)
    problem, fit_sizes, sizes = make_problem(rows), settings.fit_sizes(), settings.sizes()
    method = micro.build(micro.Options(beta=0.5, num_samples=10))
    begin = fitting_epoch.compiled_start
    fit_start, start_fit = timed(lambda: begin.lower(problem.log, sizes=fit_sizes, key=KEYS.fit).compile())
    fitted = start_fit(problem.log, key=KEYS.fit)
    fit_epoch, _ = timed(
        lambda: fitting_epoch.compiled_epoch.lower(fitted, problem.log, sizes=fit_sizes, key=KEYS.fit).compile()
    )

    def fresh() -> TrainState:
        return start(problem, finish_fit(fitted), method, sizes, settings.temperature, KEYS)

    agent_start, state = timed(fresh)
    arguments, ends = (method, problem, coefficients(settings, ACT), KEYS.epochs), ByRule(never)
    epoch, program = timed(lambda: loop.compiled_epoch.lower(state, *arguments, sizes=sizes, ends=ends).compile())
    for _ in range(EPOCHS):
        state, *_ = jax.block_until_ready(program(state, *arguments, ends=ends))
    buffer: Buffer = state.buffer
    return Cold(
        fit_start,
        fit_epoch,
        agent_start,
        epoch,
        held_by(program),
        peak_memory(),
        bytes_of(buffer.rows),
        bytes_of(problem.log),
    )


def main(arguments: list[str] | None = None) -> None:
    """Measure in this process, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold", description=__doc__)
    parser.add_argument("rollouts", type=int, metavar="ROLLOUTS_KEPT", help="rollouts that the buffer keeps")
    parser.add_argument("starts", type=int, metavar="STARTS", help="states that a rollout starts from")
    parser.add_argument("rows", type=int, metavar="LOG_ROWS", help="rows of the log")
    options = parser.parse_args(arguments)
    print(json.dumps(compile_and_train(options.rollouts, options.starts, options.rows)._asdict()))


if __name__ == "__main__":
    main()
