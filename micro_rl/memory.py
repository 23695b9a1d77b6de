"""How much memory a run takes beside others in one program, estimated beforehand, and how much there is."""

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from micro_rl import loop
from micro_rl.feeding import INDICES, SHARE, free_on_device
from micro_rl.loop import Keys, Problem
from micro_rl.method import Method
from micro_rl.model import finish_fit, start_fit
from micro_rl.plan import Plan
from micro_rl.rollout import BLOCK
from micro_rl.types import Scaling, Transition

BYTES = 4
"""Of a number."""
SMALL = 16 << 20
"""Bytes of what an update works on: batches, activations and gradients."""
GROUP = Path("/sys/fs/cgroup")
"""Where a container's limit stands."""


def width_that_fits(plan: Plan, runs: int) -> int:
    """How many of so many runs can be made at once in the memory that is free; at least one."""
    free = free_memory()
    if free is None:
        return runs
    left = int(SHARE * free) - _size(_log(plan))
    return max(1, min(runs, len(jax.devices()) * (left // bytes_of_run(plan))))


def bytes_of_run(plan: Plan) -> int:
    """What each run more takes: its state, a copy of that where saves are made from one, and what an epoch writes down.

    Within a fifth of the compiler's own plan at the published sizes, and rather above it (`tests/test_memory.py`).
    """
    if not plan.learns_model:
        return SMALL
    fit, state = _shapes(plan)
    kept = _size(state) * (2 if _device_is_host() else 1)
    return SMALL + max(2 * _size(fit) + _shuffling(plan), kept + _rollout(plan))


def free_memory() -> int | None:
    """Bytes that are free on the device, or in a host that is the device; None where nobody knows."""
    if not _device_is_host():
        return free_on_device()
    known = [number for number in (_available(), _left_by_limit()) if number is not None]
    return min(known, default=None)


def _rollout(plan: Plan) -> int:
    """A rollout as it is made and again in order, and a layer's activations of a block of its rows."""
    sizes, log = plan.settings.sizes(), plan.dataset
    numbers = 2 * log.observations.shape[1] + log.actions.shape[1] + 2
    widest = max(*sizes.hidden, *plan.settings.model_hidden)
    made = 2 * sizes.rollout_starts * sizes.rollout_length * numbers
    return BYTES * (made + min(sizes.rollout_starts, BLOCK) * widest)


def _shuffling(plan: Plan) -> int:
    return BYTES * INDICES * plan.settings.members * _rows(plan)


def _rows(plan: Plan) -> int:
    return int(plan.dataset.learnable(plan.settings.keep_timeouts).sum())


def _shapes(plan: Plan) -> tuple[Any, Any]:
    """A run's fit and its training state, as shapes; nothing is allocated."""
    obs, act = plan.dataset.observations.shape[1], plan.dataset.actions.shape[1]
    log, scaling = _log(plan), Scaling(*map(_floats, ((obs,), (obs,), (act,), (act,), ())))
    settings, method = plan.settings, plan.method()
    assert isinstance(method, Method)
    fit = jax.eval_shape(partial(start_fit, sizes=settings.fit_sizes()), log, key=jax.random.key(0))
    begin = partial(loop.start, sizes=settings.sizes(), temperature=settings.temperature, keys=Keys.of(0))
    state = jax.eval_shape(begin, Problem(log, scaling), jax.eval_shape(finish_fit, fit), method)
    return fit, state


def _log(plan: Plan) -> Transition:
    """The rows to learn from, which all runs share."""
    rows, obs, act = _rows(plan), plan.dataset.observations.shape[1], plan.dataset.actions.shape[1]
    return Transition(*map(_floats, ((rows, obs), (rows, act), (rows,), (rows, obs), (rows,))))


def _floats(shape: tuple[int, ...]) -> Any:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def _size(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _device_is_host() -> bool:
    return jax.devices()[0].platform == "cpu"


def _available() -> int | None:
    """What the system says can be had without swapping."""
    with suppress(OSError, StopIteration, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable:")))
    return None


def _left_by_limit() -> int | None:
    """What a container's limit leaves; copies of files, which make way, are not counted as used."""
    with suppress(OSError, ValueError):
        limit, used = (int((GROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        lines = (GROUP / "memory.stat").read_text().splitlines()
        cached = sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
        return limit - used + cached
    return None
