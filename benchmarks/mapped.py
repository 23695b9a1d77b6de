"""What several runs in one program would hold as a `lax.map`, beside a `vmap` and beside a run alone.

    python -m benchmarks.mapped [--runs 4] [--quick]

Bytes by the compiler's plan of an epoch of MICRO with one draw at hopper's sizes: what it takes, gives and writes down
in between, donated arrays once. Nothing is run.
"""

import argparse
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.cold import held_by
from benchmarks.workload import ACT, FULL, QUICK, fresh_ensemble, hopper, learners, make_problem
from micro_rl.algorithms import epoch
from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.learner import ModelLearner
from micro_rl.core.types import Keys
from micro_rl.dynamics.termination_rules import RULES, ByRule
from micro_rl.training.lanes import stack
from micro_rl.training.program import Program, compiled_epoch


def plans(runs: int, rows: int, **overrides: Any) -> dict[str, int]:
    """Bytes that each kind of program holds, by its name."""
    settings = hopper(**overrides)
    problem, sizes, ends = make_problem(rows), settings.sizes(), ByRule(RULES["hopper"])
    _, method, _ = learners()["micro1"]
    learner = ModelLearner(method, fresh_ensemble(problem, settings), ends)
    program = Program([learner] * runs, problem, range(runs), [1.0] * runs, [jnp.inf] * runs, sizes)
    states, state, c = jax.eval_shape(program.fresh), program.blank(), coefficients(settings, ACT)
    every = (stack([learner] * runs), problem, None, stack([c] * runs), stack([Keys.of(0)] * runs).epochs)

    @partial(jax.jit, donate_argnums=0)
    def mapped(states: Any, learners: Any, problem: Any, _: None, c: Any, keys: Any) -> Any:
        def one(run: Any) -> Any:
            state, learner, own, key = run
            return learner.epoch(state, problem, own, key, jnp.inf, sizes=sizes)

        return jax.lax.map(one, (states, learners, c, keys))

    together = compiled_epoch.lower(states, *every, jnp.full(runs, jnp.inf), sizes=sizes)
    single = epoch.compiled_epoch.lower(state, method, problem, c, Keys.of(0).epochs, sizes=sizes, ends=ends)
    one_by_one = mapped.lower(states, *every)
    programs = {"a run alone": single, f"{runs} runs, vmap": together, f"{runs} runs, lax.map": one_by_one}
    return {name: held_by(lowered.compile()) for name, lowered in programs.items()}


def main() -> None:
    """Compile and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mapped", description="Memory of a map over runs.")
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that it runs")
    options = parser.parse_args()
    scale = QUICK if options.quick else FULL
    small = (
        {"updates_per_epoch": scale.updates, "rollout_batch_size": scale.rollout_batch_size} if options.quick else {}
    )
    for name, plan in plans(options.runs, scale.log_rows, **small).items():
        print(f"{name}: {plan / 2**20:,.0f} MiB")


if __name__ == "__main__":
    main()
