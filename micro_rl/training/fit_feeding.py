"""One epoch of the dynamics fit, from a log on the device or block by block from one on the host."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int, Key, PyTree

from micro_rl.core.sizes import FitSizes
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Members
from micro_rl.dynamics.fit_epoch import FitState, conclude_epoch, fit_epoch, fit_step, shuffled_batches, start_fit
from micro_rl.training.host_log import indexed, on_host, take

BLOCK = 256 << 20
"""Bytes of rows that are on the device at a time."""

compiled_start = jax.jit(start_fit, static_argnames="sizes")
compiled_epoch = jax.jit(fit_epoch, static_argnames="sizes", donate_argnames="state")
compiled_batches = jax.jit(shuffled_batches, static_argnums=1)


def begin(log: Transition, sizes: FitSizes, key: Key[Array, ""]) -> FitState:
    """The state before the first epoch; of a log on the host it is computed there."""
    if not on_host(log):
        return compiled_start(log, sizes=sizes, key=key)
    with jax.default_device(_host()):
        return compiled_start(log, sizes=sizes, key=key)


def pass_over(
    state: FitState, log: Transition, sizes: FitSizes, key: Key[Array, ""], block: int = BLOCK
) -> tuple[FitState, dict[str, Array], dict[str, Array]]:
    """`fit_epoch`, the same bits from the same key; `state` is gone afterwards."""
    if not on_host(log):
        return compiled_epoch(state, log, sizes=sizes, key=key)
    with jax.default_device(_host()):
        batches = np.asarray(compiled_batches(state.bootstrap, sizes.batch, key))
    carry, losses = (state.members, state.moments), []
    units = state._replace(bootstrap=state.bootstrap[:, :0], holdout=state.holdout[:0])
    for part in _blocks(batches, log, block):
        rows, index = indexed(log, part)
        carry, some = _compiled_steps(carry, units, rows, index, sizes=sizes)
        losses.append(some)
    held = take(log, np.asarray(state.holdout))
    return _compiled_end(state, *carry, jnp.concatenate(losses), held, sizes=sizes)


def _blocks(batches: Int[np.ndarray, "batches member batch"], log: Transition, block: int) -> Iterator[np.ndarray]:
    """As many batches at a time as fit into a block."""
    row = sum(np.asarray(column[:1]).nbytes for column in log)
    step = max(1, block // (row * batches[0].size))
    for start in range(0, len(batches), step):
        yield batches[start : start + step]


def _host() -> Any:
    return jax.local_devices(backend="cpu")[0]


@partial(jax.jit, static_argnames="sizes")
def _compiled_steps(
    carry: tuple[Members, PyTree], units: FitState, rows: Transition, index: Array, *, sizes: FitSizes
) -> tuple[tuple[Members, PyTree], Array]:
    return jax.lax.scan(fit_step(units, rows, sizes), carry, index)


_compiled_end = jax.jit(conclude_epoch, static_argnames="sizes")
