"""Many runs in one compiled program: `vmap` of the very functions that make one run.

Every array of a run's has one axis more here, the run's number. The runs share the log, its units and every size; seed,
coefficients, ensemble, buffer and the method's memory are each run's own. A run's random stream is what it would be
alone. Its bits may differ in the last place, since a batched product rounds differently; they are the same again for
the same number of runs.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Bool, Int, Key

from micro_rl.algorithms import buffer as buffers
from micro_rl.algorithms import epoch as loop
from micro_rl.algorithms import log_epoch
from micro_rl.algorithms.epoch import TrainState
from micro_rl.algorithms.log_epoch import LogProblem, LogState
from micro_rl.algorithms.model_free.base import ModelFreeMethod
from micro_rl.algorithms.sac import Coefficients
from micro_rl.algorithms.slots import Method
from micro_rl.core.sizes import FitSizes, Sizes
from micro_rl.core.types import Keys, Problem, Transition
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.fit_epoch import FitState, fit_epoch, start_fit, unfinished
from micro_rl.dynamics.termination_rules import Termination
from micro_rl.training.async_epoch import Call, Compiled
from micro_rl.training.program import OnLog, OnModel, Program

Tree = TypeVar("Tree")


def stack(trees: Sequence[Tree]) -> Tree:
    """Trees of the same structure as one, whose leaves have an axis more in front: [run, ...]."""
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *trees)


def dealt(stacked: Tree) -> Tree:
    """The same, each device holding its share of the runs, where there are several devices that divide them.

    Compiled programs follow: every device computes its own runs, and nothing passes between them.
    """
    return _placed(stacked, len(jax.tree.leaves(stacked)[0]), PartitionSpec("run"))


def held_by_each(shared: Tree, runs: int) -> Tree:
    """What all runs read, on every device that so many are dealt to."""
    return _placed(shared, runs, PartitionSpec())


def _placed(tree: Tree, runs: int, spec: PartitionSpec) -> Tree:
    devices = jax.devices()
    if len(devices) == 1 or runs % len(devices):
        return tree
    return jax.device_put(tree, NamedSharding(Mesh(np.array(devices), ("run",)), spec))


@jax.jit
def lane(stacked: Tree, run: int | Int[Array, ""]) -> Tree:
    """One run's tree, a copy."""
    return jax.tree.map(lambda leaf: leaf[run], stacked)


@partial(jax.jit, donate_argnames="stacked")
def put(stacked: Tree, run: int | Int[Array, ""], tree: Tree) -> Tree:
    """The stack with another tree in one run's place."""
    return jax.tree.map(lambda leaf, new: leaf.at[run].set(new), stacked, tree)


def seen_of_all(states: Tree) -> Tree:
    """States without their buffers, which are most of them: for those who look at agent and model."""
    if not isinstance(states, TrainState):
        return states
    empty = buffers.empty(0, 0, 0, 0)
    return states._replace(buffer=jax.tree.map(lambda leaf: jnp.stack([leaf] * len(states.epoch)), empty))


class Population(ABC):
    """Runs whose programs differ in nothing but the values of their leaves."""

    @classmethod
    def of(cls, programs: Sequence[Program]) -> "Population":
        """The population of these runs."""
        first = programs[0]
        if isinstance(first, OnModel):
            return _OnModel([program for program in programs if isinstance(program, OnModel)])
        assert isinstance(first, OnLog)
        return _OnLog([program for program in programs if isinstance(program, OnLog)])

    @abstractmethod
    def fresh(self) -> Any:
        """Every run's state before its first epoch."""

    @abstractmethod
    def epoch(self, states: Any, c: Coefficients) -> Call:
        """An epoch of every run, each the one that its own state says; what is logged is [run]. As a program's."""


class _OnModel(Population):
    def __init__(self, programs: Sequence[OnModel]):
        self._problem, self._sizes = held_by_each(programs[0].problem, len(programs)), programs[0].sizes
        self._methods = stack([program.method for program in programs])
        self._ensembles = dealt(stack([program.ensemble for program in programs]))
        self._ends = stack([program.ends for program in programs])
        self._temperatures = dealt(jnp.asarray([program.temperature for program in programs], jnp.float32))
        self._keys = dealt(stack([program.keys for program in programs]))
        self._epoch = Compiled(compiled_epoch, sizes=self._sizes)

    def fresh(self) -> TrainState:
        parts = (self._problem, self._ensembles, self._methods, self._temperatures, self._keys)
        return dealt(compiled_start(*parts, sizes=self._sizes))

    def epoch(self, states: TrainState, c: Coefficients) -> Call:
        return self._epoch.call(states, self._methods, self._ends, c, self._keys.epochs, self._problem)


class _OnLog(Population):
    def __init__(self, programs: Sequence[OnLog]):
        self._problem, self._sizes = held_by_each(programs[0].problem, len(programs)), programs[0].sizes
        self._methods = stack([program.method for program in programs])
        self._temperatures = dealt(jnp.asarray([program.temperature for program in programs], jnp.float32))
        self._keys = dealt(stack([program.keys for program in programs]))
        self._epoch = Compiled(_epoch_on_log, sizes=self._sizes)

    def fresh(self) -> LogState:
        return dealt(_start_on_log(self._problem, self._methods, self._temperatures, self._keys, sizes=self._sizes))

    def epoch(self, states: LogState, c: Coefficients) -> Call:
        return self._epoch.call(states, self._methods, c, self._keys.epochs, self._problem)


@partial(jax.jit, static_argnames="sizes")
def start_fits(log: Transition, keys: Key[Array, " run"], *, sizes: FitSizes) -> FitState:
    """Every run's fit before its first epoch."""
    return jax.vmap(lambda key: start_fit(log, sizes, key))(keys)


@partial(jax.jit, static_argnames="sizes", donate_argnames="states")
def pass_over(
    states: FitState, log: Transition, keys: Key[Array, " run"], *, sizes: FitSizes
) -> tuple[FitState, dict[str, Array], dict[str, Array]]:
    """An epoch of every run's fit; a finished one stays as it is."""
    return jax.vmap(lambda state, key: fit_epoch(state, log, sizes, key))(states, keys)


@partial(jax.jit, static_argnames="sizes")
def fits_left(states: FitState, *, sizes: FitSizes) -> Bool[Array, " run"]:
    """Which runs' fits another epoch is due in."""
    return jax.vmap(lambda state: unfinished(state, sizes))(states)


@partial(jax.jit, static_argnames="sizes")
def compiled_start(
    problem: Problem, ensembles: Ensemble, methods: Method, temperatures: Array, keys: Keys, *, sizes: Sizes
) -> TrainState:
    """Every run's state before its first epoch."""

    def one(ensemble: Ensemble, method: Method, temperature: Array, own: Keys) -> TrainState:
        return loop.start(problem, ensemble, method, sizes, temperature, own)

    return jax.vmap(one)(ensembles, methods, temperatures, keys)


@partial(jax.jit, static_argnames="sizes", donate_argnames="states")
def compiled_epoch(
    states: TrainState,
    methods: Method,
    ends: Termination,
    c: Coefficients,
    keys: Key[Array, " run"],
    problem: Problem,
    *,
    sizes: Sizes,
) -> tuple[TrainState, dict[str, Array], dict[str, Array]]:
    """An epoch of every run; `states` is gone afterwards."""

    def one(state: TrainState, method: Method, end: Termination, own: Coefficients, key: Array):
        return loop.epoch(state, method, problem, own, key, sizes=sizes, ends=end)

    return jax.vmap(one)(states, methods, ends, c, keys)


@partial(jax.jit, static_argnames="sizes")
def _start_on_log(
    problem: LogProblem, methods: ModelFreeMethod, temperatures: Array, keys: Keys, *, sizes: Sizes
) -> LogState:
    def one(method: ModelFreeMethod, temperature: Array, own: Keys) -> LogState:
        return log_epoch.start(problem, None, method, sizes, temperature, own)

    return jax.vmap(one)(methods, temperatures, keys)


@partial(jax.jit, static_argnames="sizes", donate_argnames="states")
def _epoch_on_log(
    states: LogState,
    methods: ModelFreeMethod,
    c: Coefficients,
    keys: Key[Array, " run"],
    problem: LogProblem,
    *,
    sizes: Sizes,
) -> tuple[LogState, dict[str, Array], dict[str, Array]]:
    def one(state: LogState, method: ModelFreeMethod, own: Coefficients, key: Array):
        return log_epoch.epoch(state, method, problem, own, key, sizes=sizes)

    return jax.vmap(one)(states, methods, c, keys)
