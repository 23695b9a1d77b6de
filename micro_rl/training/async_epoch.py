"""An epoch computed in a thread of its own, so that the one before can be looked at meanwhile.

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
from jax import Array

Call = Callable[[], tuple[Any, dict[str, Array], dict[str, Array]]]
"""A compiled epoch with its arguments: the state after it, what it logged, and when each of that was first bad."""


class Compiled:
    """A jitted function, compiled for the first arguments that it is given; later ones have their shapes and devices.

    JAX's settings (a device or a precision chosen in a `with`) hold for one thread. What compiling needs of them is
    taken from the thread that asks for a call, which may then be made in any.
    """

    def __init__(self, function: Any, **static: Any):
        """`static`: the function's arguments that are no arrays."""
        self._function, self._static = function, static
        self._program: Callable[..., Any] | None = None

    def call(self, *arguments: Any, **named: Any) -> Callable[[], Any]:
        """The program with these arguments, not yet called."""
        program = self._program or self._function.lower(*arguments, **named, **self._static).compile()
        self._program = program
        return partial(program, *arguments, **named)


class Computed(NamedTuple):
    """A finished epoch: the state after it, its means, and the seconds that it took, compiling not among them."""

    state: Any
    logged: dict[str, np.ndarray]
    seconds: float


class Ahead:
    """One epoch at a time, computed while this thread does something else; use it in a `with`, which waits for it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "computing")
        self._coming: Future[Computed] | None = None

    def begin(self, call: Call) -> None:
        """Make this call in the thread. Its state is used up from now on."""
        self._coming = self._thread.submit(_computed, call)

    def outcome(self) -> Computed:
        """Wait for it; raises whatever it raised."""
        assert self._coming is not None, "nothing was begun"
        coming, self._coming = self._coming, None
        return coming.result()

    def __enter__(self) -> "Ahead":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()


def _computed(call: Call) -> Computed:
    began = time.perf_counter()
    state, logged, _ = call()
    return Computed(state, jax.device_get(logged), time.perf_counter() - began)
