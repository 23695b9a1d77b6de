"""The compiled program of one or several runs: their states before the first epoch, and an epoch of each."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key

from micro_rl.algorithms.learner import EpochResult, Learner
from micro_rl.algorithms.sac import Coefficients
from micro_rl.core.sizes import Sizes
from micro_rl.core.types import GatheredRows, Keys
from micro_rl.training import host_log
from micro_rl.training.async_epoch import Call, CompiledStep
from micro_rl.training.lanes import over_runs, replicate, shard_runs, stack, take_run


class Program:
    """Runs that share the log, its units and every size; seed, coefficients, learner and state are each run's own.

    Args:
        learners: One a run, alike but for the values of their leaves.
        problem: The log in core units, which all runs share, on the device or on the host (see `host_log`).
        seeds: One a run.
        temperatures: Where each run's temperature starts.
        value_limits: The size of each run's Q, in core units, past which it has exploded.
        sizes: The static sizes, the same for all.
    """

    def __init__(
        self,
        learners: Sequence[Learner],
        problem: Any,
        seeds: Sequence[int],
        temperatures: Sequence[float],
        value_limits: Sequence[float],
        sizes: Sizes,
    ):
        self.runs, self.sizes = len(learners), sizes
        self._on_host = host_log.on_host(problem.log)
        self._problem = problem if self._on_host else replicate(problem, self.runs)
        self._learners = shard_runs(stack(learners))
        self._temperatures = shard_runs(jnp.asarray(temperatures, jnp.float32))
        self._limits = shard_runs(jnp.asarray(value_limits, jnp.float32))
        self._keys = shard_runs(stack([Keys.of(seed) for seed in seeds]))
        self._epoch = CompiledStep(compiled_epoch, sizes=sizes)

    def fresh(self) -> Any:
        """Every run's state before its first epoch: [run, ...]."""
        problem = host_log.sample(self._problem) if self._on_host else self._problem
        return shard_runs(compiled_start(self._learners, problem, self._temperatures, self._keys, sizes=self.sizes))

    def blank(self) -> Any:
        """The shapes of one run's state; nothing is allocated."""
        return jax.eval_shape(lambda: take_run(self.fresh(), 0))

    @property
    def compiled(self) -> Any:
        """The compiled epoch, with the compiler's plan of its memory; None before the first call is asked for."""
        return self._epoch.program

    def epoch(self, states: Any, c: Coefficients) -> Call:
        """The compiled epoch of every run, each the one that its own state says, to be called in any thread.

        The call uses up the states before it; what it returns is `EpochResult` with [run, ...].
        """
        problem, gathered = self._problem, None
        if self._on_host:
            gathered = shard_runs(stack(self._gathered(states)))
            problem = problem._replace(log=None)
        return self._epoch.call(states, self._learners, problem, gathered, c, self._keys.epochs, self._limits)

    def _gathered(self, states: Any) -> list[GatheredRows]:
        """Of a log on the host, the rows that each run's next epoch draws."""
        return [
            host_log.gather_epoch_rows(self._problem, key, int(number), self.sizes)
            for key, number in zip(self._keys.epochs, states.epoch, strict=True)
        ]


@partial(jax.jit, static_argnames="sizes")
def compiled_start(learners: Learner, problem: Any, temperatures: Array, keys: Keys, *, sizes: Sizes) -> Any:
    """Every run's state before its first epoch."""

    def start(learner: Learner, temperature: Array, own_keys: Keys) -> Any:
        return learner.start(problem, temperature, own_keys, sizes=sizes)

    return over_runs(start, len(temperatures))(learners, temperatures, keys)


@partial(jax.jit, static_argnames="sizes", donate_argnames="states")
def compiled_epoch(
    states: Any,
    learners: Learner,
    problem: Any,
    gathered: GatheredRows | None,
    c: Coefficients,
    keys: Key[Array, " run"],
    limits: Float[Array, " run"],
    *,
    sizes: Sizes,
) -> EpochResult:
    """An epoch of every run; `states` is gone afterwards. `gathered` takes the place of a log on the host."""

    def epoch(
        state: Any, learner: Learner, rows: GatheredRows | None, own: Coefficients, key: Array, limit: Array
    ) -> EpochResult:
        own_problem = problem if rows is None else problem._replace(log=rows)
        return learner.epoch(state, own_problem, own, key, limit, sizes=sizes)

    return over_runs(epoch, len(keys))(states, learners, gathered, c, keys, limits)
