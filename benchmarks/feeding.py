"""What it costs to keep a log on the host: `python -m benchmarks.feeding [ROWS] [--quick]`, a million rows by default.

CPU seconds of this process at hopper's widths, of an epoch of policy training and of one of the dynamics fit, with the
log on the device and fed from the host. The fit's networks are small here, so that the feeding is not lost in their
work. On a machine whose device is the host the difference is the price of the feeding alone.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from benchmarks.workload import KEYS, fresh_ensemble, hopper, make_problem
from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.epoch import compiled_epoch, start
from micro_rl.algorithms.model_based import micro
from micro_rl.core.types import Problem
from micro_rl.dynamics.termination_rules import ByRule, never
from micro_rl.training.fit_program import run_fit_epoch, start_fits
from micro_rl.training.host_log import gather_epoch_rows, on_host, sample

UPDATES = 200


def seconds(call: Callable[[], Any], times: int = 3) -> float:
    """Median CPU time after a first call that compiles."""
    jax.block_until_ready(call())
    spent = []
    for _ in range(times):
        began = time.process_time()
        jax.block_until_ready(call())
        spent.append(time.process_time() - began)
    return float(np.median(spent))


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feeding", description=__doc__)
    parser.add_argument("rows", type=int, nargs="?", default=1_000_000, help="rows of the log (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="at most 10,000 rows, 10 updates an epoch")
    options = parser.parse_args(arguments)
    if options.quick:
        print_table(min(options.rows, 10_000), updates=10)
    else:
        print_table(options.rows, UPDATES)


def print_table(rows: int, updates: int) -> None:
    """Print what an epoch's feeding costs, and both epochs with the log on the device and on the host."""
    settings = hopper(
        updates_per_epoch=updates, ensemble_size=2, num_elites=2, model_hidden_sizes=(64, 64), weight_decay=(0.0,) * 3
    )
    on_device = make_problem(rows)
    problem_on_host = on_device._replace(log=jax.tree.map(np.asarray, on_device.log))
    feed = seconds(lambda: gather_epoch_rows(problem_on_host, KEYS.epochs, 0, settings.sizes()))
    print(f"{rows:,} rows; feeding an epoch of {updates} updates and its rollouts: {feed:.2f} s")
    for name, problem in (("device", on_device), ("host", problem_on_host)):
        policy, fit = _epoch(problem, settings), _fit(problem, settings)
        print(f"log on the {name}: policy epoch {policy:.2f} s, fit epoch {fit:.2f} s")


def _epoch(problem: Problem, settings: Any) -> float:
    sizes, method = settings.sizes(), micro.build(micro.Options())
    small = sample(problem)
    state = start(small, fresh_ensemble(small, settings), method, sizes, 1.0, KEYS)
    c = coefficients(settings, small.log.action.shape[-1])  # pyright: ignore[reportAttributeAccessIssue]

    def call() -> Any:
        nonlocal state
        rows = problem
        if on_host(problem.log):
            rows = problem._replace(log=gather_epoch_rows(problem, KEYS.epochs, int(state.epoch), sizes))
        state, logged, _ = compiled_epoch(state, method, rows, c, KEYS.epochs, sizes=sizes, ends=ByRule(never))
        return logged

    return seconds(call)


def _fit(problem: Problem, settings: Any) -> float:
    sizes = settings.fit_sizes()
    log: Any = problem.log
    state, keys = start_fits(log, sizes, KEYS.fit[None]), KEYS.epochs[None]

    def call() -> Any:
        nonlocal state
        state, logged, _ = run_fit_epoch(state, log, sizes, keys)
        return logged

    return seconds(call, times=1)


if __name__ == "__main__":
    main()
