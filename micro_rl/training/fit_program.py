"""The compiled fit of one or several runs' ensembles: their states before the first epoch, and an epoch of each.

A log on the device is fitted to by all runs side by side. One on the host passes block by block, run after run; from
the same keys it makes the same bits.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int, Key, PyTree

from micro_rl.core.sizes import FitSizes
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Members
from micro_rl.dynamics.fit_epoch import (
    FitState,
    conclude_epoch,
    fit_epoch,
    fit_step,
    shuffled_batches,
    start_fit,
    unfinished,
)
from micro_rl.training.host_log import indexed, on_host, take
from micro_rl.training.lanes import over_runs, replicate, shard_runs, stack, take_run

FitEpochResult = tuple[FitState, dict[str, Array], dict[str, Array]]
"""The state after an epoch, its loss and holdout errors, and the first batch whose loss was not finite (0: none)."""

BLOCK = 256 << 20
"""Bytes of rows of a log on the host that are on the device at a time."""


def start_fits(log: Transition, sizes: FitSizes, keys: Key[Array, " run"]) -> FitState:
    """Every run's state before the first epoch [run, ...]; of a log on the host it is computed there."""
    if on_host(log):
        with jax.default_device(_host()):
            return compiled_starts(log, keys, sizes=sizes)
    return shard_runs(compiled_starts(replicate(log, len(keys)), keys, sizes=sizes))


def run_fit_epoch(
    states: FitState, log: Transition, sizes: FitSizes, keys: Key[Array, " run"], block: int = BLOCK
) -> FitEpochResult:
    """An epoch of every run's fit; a finished one stays as it is. `states` is gone afterwards.

    Args:
        states: [run, ...], as `start_fits` makes them.
        log: In core units, on the device or the host.
        sizes: The static sizes.
        keys: One a run, for this epoch.
        block: Bytes of rows of a log on the host that are on the device at a time.
    """
    if not on_host(log):
        return compiled_epochs(states, replicate(log, len(keys)), keys, sizes=sizes)
    return stack([_epoch_in_blocks(take_run(states, run), log, sizes, key, block) for run, key in enumerate(keys)])


@partial(jax.jit, static_argnames="sizes")
def compiled_starts(log: Transition, keys: Key[Array, " run"], *, sizes: FitSizes) -> FitState:
    """Every run's fit before its first epoch."""
    return over_runs(lambda key: start_fit(log, sizes, key), len(keys))(keys)


@partial(jax.jit, static_argnames="sizes", donate_argnames="states")
def compiled_epochs(states: FitState, log: Transition, keys: Key[Array, " run"], *, sizes: FitSizes) -> FitEpochResult:
    """An epoch of every run's fit to a log on the device."""
    return over_runs(lambda state, key: fit_epoch(state, log, sizes, key), len(keys))(states, keys)


@partial(jax.jit, static_argnames="sizes")
def fits_left(states: FitState, *, sizes: FitSizes) -> Bool[Array, " run"]:
    """Which runs' fits another epoch is due in."""
    return over_runs(lambda state: unfinished(state, sizes), len(states.epoch))(states)


def _epoch_in_blocks(
    state: FitState, log: Transition, sizes: FitSizes, key: Key[Array, ""], block: int
) -> FitEpochResult:
    """One run's epoch on a log on the host."""
    with jax.default_device(_host()):
        batches = np.asarray(_compiled_batches(state.bootstrap, sizes.batch_size, key))
    carry, losses = (state.members, state.moments), []
    units = state._replace(bootstrap=state.bootstrap[:, :0], holdout=state.holdout[:0])
    for part in _blocks(batches, log, block):
        rows, index = indexed(log, part)
        carry, some = _compiled_steps(carry, units, rows, index, sizes=sizes)
        losses.append(some)
    holdout = take(log, np.asarray(state.holdout))
    return _compiled_end(state, *carry, jnp.concatenate(losses), holdout, sizes=sizes)


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


_compiled_batches = jax.jit(shuffled_batches, static_argnums=1)
_compiled_end = jax.jit(conclude_epoch, static_argnames="sizes")
