"""What an update of every method costs, all included: `python -m benchmarks.methods [OPTIONS]` (`--help`).

With a model: an epoch of 100 updates at hopper's sizes with a tenth of an epoch's rollouts (5,000 starts of five
steps) and of RAMBO's steps of the model (100); the same batch, networks and share of real rows for all. Cloning before
the first epoch and MOReL's look at the log are not part of it. `--starts 5 --real-ratio 0.5` has the rollouts and the
batch of a log without a preset. Without a model: an epoch of updates, batch and networks as the method's
halfcheetah-medium preset has them. Operations are counted where the formula is SAC's, MICRO's or MOBILE's.
"""

import argparse
import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.stages import Lowered
from rich.console import Console

from benchmarks import answers, machine, table
from benchmarks.measure import interleaved
from benchmarks.workload import ACT, FULL, KEYS, QUICK, Case, Scale, hopper, make_problem, training
from micro_rl.algorithms import log_epoch, registry
from micro_rl.algorithms.buffer import rows_of
from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.log_epoch import LogProblem
from micro_rl.algorithms.model_free import BASELINES
from micro_rl.algorithms.registry import resolve
from micro_rl.algorithms.slots import Method
from micro_rl.algorithms.support import Halt
from micro_rl.core.types import LogRows, Problem, Transition
from micro_rl.dynamics.support import reference

STARTS_PER_UPDATE = 50
REAL_RATIO = hopper().real_ratio
COUNTED = ("sac", "micro", "mobile")
"""Whose matrix products `benchmarks.flops` counts."""
WITH_MODEL: dict[str, tuple[str, dict[str, Any]]] = {
    "SAC on the model": ("sac", {}),
    "MICRO, 1 draw": ("micro", {"num_samples": 1}),
    "MICRO, 10 draws": ("micro", {"num_samples": 10}),
    "MICRO, moments": ("micro", {"num_samples": 10, "values": "moments"}),
    "MICRO, one slope": ("micro", {"num_samples": 10, "values": "linear"}),
    "MICRO, 1 draw, stored predictions": ("micro", {"num_samples": 1, "predictions": "stored"}),
    "MICRO, one slope, stored predictions": (
        "micro",
        {"num_samples": 10, "values": "linear", "predictions": "stored"},
    ),
    "MOBILE, 1 draw": ("mobile", {"num_samples": 1}),
    "MOBILE, 10 draws": ("mobile", {"num_samples": 10}),
    "MOPO": ("mopo", {}),
    "MOReL": ("morel", {}),
    "COMBO": ("combo", {}),
    "RAMBO": ("rambo", {"clone_epochs": 0}),
}
ONE_DRAW: tuple[str, dict[str, Any]] = ("micro", {"num_samples": 1})
PARTS: dict[str, dict[str, Any]] = {
    "MICRO, 1 draw, support halt": {"support": "halt"},
    "MICRO, 1 draw, layer norm in critics": {"critic_norm": True},
    "MICRO, 1 draw, one member a rollout": {"rollout_member": "rollout"},
    "MICRO, 1 draw, ten critics": {"num_critics": 10},
    "MICRO, 1 draw, a pair of ten critics": {"num_critics": 10, "target_critics": "pair"},
    "MICRO, 1 draw, ten critics kept apart": {"num_critics": 10, "critic_diversity": 1.0},
}
"""Settings that stay near to the log, each beside MICRO with one draw."""


def with_model(label: str, scale: Scale, starts: int = STARTS_PER_UPDATE, real_ratio: float = REAL_RATIO) -> Case:
    """A tenth of an epoch, rollouts and the method's own work in the model included."""
    name, options = WITH_MODEL.get(label, ONE_DRAW)
    if name == "rambo":
        options = options | {"adversarial_steps": scale.updates}
    module = registry.find(name)
    sizes = {"updates_per_epoch": scale.updates, "rollout_batch_size": starts * scale.updates}
    settings = hopper(**sizes, real_ratio=real_ratio, **PARTS.get(label, {}))
    method = module.build(module.Options(**options)).configured(settings)
    assert isinstance(method, Method)
    draws, values = options.get("num_samples"), str(options.get("values", "draws"))
    problem, units = make_problem(scale.log_rows), settings.updates_per_epoch
    if settings.judges_rows:
        method = method.supported_by(scoring(problem))
    case = training(label, label, problem, settings, method, draws, units, values)
    counted = name in COUNTED and "predictions" not in options and label not in PARTS
    return case if counted else case._replace(flops=0)


def scoring(problem: Problem) -> Halt:
    """Support that scores every row and finds none unknown, so that rollouts are as long as without it."""
    log = rows_of(problem.log)
    everything = jnp.asarray(jnp.inf, jnp.float32)
    return Halt(reference(log, np.arange(len(log.reward))), jnp.ones(2), everything, jnp.zeros(()))


def without_model(name: str, scale: Scale) -> Case:
    """An epoch on rows of the log."""
    settings, options = resolve(name, "halfcheetah-medium", {"updates_per_epoch": scale.updates})
    problem = make_problem(scale.log_rows)
    rows = problem.log
    assert isinstance(rows, Transition)
    problem = LogProblem(LogRows(rows, rows.action, rows.discount), problem.scaling)
    method, sizes = registry.find(name).build(options), settings.sizes()
    state = log_epoch.compiled_start(problem, method, sizes, settings.temperature, KEYS)
    c = coefficients(settings, ACT)

    def call() -> None:
        nonlocal state
        state, logged, _ = log_epoch.compiled_epoch(state, method, problem, c, KEYS.epochs, sizes=sizes)
        jax.block_until_ready((state, logged))

    def lower() -> Lowered:
        return log_epoch.compiled_epoch.lower(state, method, problem, c, KEYS.epochs, sizes=sizes)

    widths = "-".join(map(str, sizes.hidden_sizes))
    label = f"{name}, batch {sizes.batch_size}, {widths}" + ("" if name == "bc" else f", {sizes.num_critics} critics")
    return Case(name, label, call, lower, 0, scale.updates)


def every_case(scale: Scale, starts: int, real_ratio: float) -> dict[str, Callable[[], Case]]:
    """By label or name, those with a model first."""
    return {label: partial(with_model, label, scale, starts, real_ratio) for label in (*WITH_MODEL, *PARTS)} | {
        name: partial(without_model, name, scale) for name in BASELINES
    }


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.methods", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="little work: shows that all of it runs, not how fast")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table there")
    parser.add_argument("--starts", type=int, default=STARTS_PER_UPDATE, help="rollouts' starts for each update")
    parser.add_argument("--real-ratio", type=float, default=REAL_RATIO, help="share of the log's rows")
    parser.add_argument("--only", nargs="+", metavar="LINE", help="these lines alone")
    options = parser.parse_args()
    scale = QUICK if options.quick else FULL._replace(blocks=5, log_rows=100_000)
    console, facts = Console(), machine.describe()
    every = every_case(scale, options.starts, options.real_ratio)
    cases = [every[label]() for label in options.only or every]
    rate, timings = interleaved(cases, scale, console.print)
    rows = table.warm_rows(rate, cases, timings, scale, hopper().ensemble_size)
    command = shlex.join(["python", "-m", "benchmarks.methods", *sys.argv[1:]])
    page = table.markdown(rows, facts, command, "What an update costs, method by method", answers.of_methods(rows))
    print(page)
    if options.write:
        options.write.write_text(page)


if __name__ == "__main__":
    main()
