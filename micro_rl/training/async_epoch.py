"""An epoch computed in a thread of its own, so that the one before can be evaluated and saved meanwhile.

Whether the call of a compiled program returns before its work is done is the device's own affair; a thread need not
know.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from micro_rl.algorithms.learner import EpochResult

Call = Callable[[], EpochResult]
"""A compiled epoch with its arguments."""


class CompiledStep:
    """A jitted function, compiled for the first arguments that it is given; later ones have their shapes and devices.

    JAX's settings (a device or a precision chosen in a `with`) hold for one thread. What compiling needs of them is
    taken from the thread that asks for a call, which may then be made in any.
    """

    def __init__(self, function: Any, **static: Any):
        """`static`: the function's arguments that are no arrays."""
        self._function, self._static = function, static
        self._program: Callable[..., Any] | None = None

    @property
    def program(self) -> Any:
        """The compiled program; None before the first call is asked for."""
        return self._program

    def call(self, *arguments: Any) -> Callable[[], Any]:
        """The program with these arguments, not yet called."""
        program = self._program or self._function.lower(*arguments, **self._static).compile()
        self._program = program
        return partial(program, *arguments)


class ComputedEpoch(NamedTuple):
    """A finished epoch: the states after it, its means, the first update in which a term was not finite, and seconds.

    The seconds are the epoch's own, compiling not among them. Every array has the run's axis in front.
    """

    states: Any
    means: dict[str, np.ndarray]
    first_bad: dict[str, np.ndarray]
    seconds: float


class EpochExecutor:
    """One epoch at a time, computed while this thread does something else; use it in a `with`, which waits for it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "computing")
        self._pending: Future[ComputedEpoch] | None = None

    def submit(self, call: Call) -> None:
        """Make this call in the thread. Its states are used up from now on."""
        self._pending = self._thread.submit(_computed, call)

    def result(self) -> ComputedEpoch:
        """Wait for the epoch; raises whatever it raised."""
        assert self._pending is not None, "nothing was submitted"
        pending, self._pending = self._pending, None
        return pending.result()

    def __enter__(self) -> "EpochExecutor":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()


def _computed(call: Call) -> ComputedEpoch:
    began = time.perf_counter()
    states, means, first_bad = call()
    means, first_bad = jax.device_get((means, first_bad))
    return ComputedEpoch(states, means, first_bad, time.perf_counter() - began)
