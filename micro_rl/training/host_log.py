"""Logs larger than the device's memory: they stay on the host, and each epoch is fed the rows that it will draw.

Which rows those are depends on keys and sizes alone. They are drawn on the host by the very functions that the compiled
epoch draws with, gathered there, and handed over as a `GatheredRows`, in which the epoch finds them by their
numbers: it makes the same draws as from the whole log, and so the same weights.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int, Key

from micro_rl.algorithms.buffer import draw_numbers
from micro_rl.algorithms.epoch import keys_of_update, rollout_and_update_keys
from micro_rl.algorithms.method import AnyMethod
from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.sizes import Sizes
from micro_rl.core.types import GatheredRows, Problem, Transition
from micro_rl.data import Dataset
from micro_rl.errors import UserError

SHARE = 0.8
"""Of the device's free memory that a log and its fit may take."""
COPIES = 3
"""A log beside the standardised inputs and targets that a fit begins with."""
NO_MEMORY = "the device has too little free memory for it"
INDICES = 4
"""Arrays of one integer for every member and row, while a fit's order is drawn."""


def stays_on_host(settings: ModelSettings, dataset: Dataset) -> bool:
    """Whether this log is kept on the host: as `log_on` says, by default where it must be."""
    if settings.log_on != "auto":
        return settings.log_on == "host"
    free = free_on_device()
    return free is not None and _needed(settings, dataset) > SHARE * free


def _needed(settings: ModelSettings, dataset: Dataset) -> int:
    """Bytes of the rows to learn from and of their fit; every number has four."""
    rows = int(dataset.learnable(settings.keep_timeouts).sum())
    numbers = 2 * dataset.observations.shape[1] + dataset.actions.shape[1] + 2
    return 4 * rows * (COPIES * numbers + INDICES * settings.ensemble_size)


def free_on_device() -> int | None:
    """Bytes; None where the device is the host, whose memory the log is in already."""
    stats = jax.devices()[0].memory_stats()
    return None if not stats else stats["bytes_limit"] - stats["bytes_in_use"]


def on_host(log: Transition | GatheredRows) -> bool:
    """Whether a log is kept there."""
    return isinstance(log, Transition) and isinstance(log.reward, np.ndarray)


def take(log: Transition, rows: Int[np.ndarray, "*shape"]) -> Transition:
    """These rows of a log on the host, on the device."""
    return jax.tree.map(lambda column: jnp.asarray(np.take(column, rows, axis=0)), log)


def indexed(log: Transition, rows: Int[np.ndarray | Array, "*shape"]) -> tuple[Transition, Int[Array, "*shape"]]:
    """A log that holds these rows on the device, and their numbers in it: the same, or those of a log on the host."""
    if not on_host(log):
        return log, jnp.asarray(rows)
    taken = np.asarray(rows)
    return take(log, taken.reshape(-1)), jnp.arange(taken.size).reshape(taken.shape)


def gather_epoch_rows(problem: Problem, key: Key[Array, ""], epoch: int, sizes: Sizes) -> GatheredRows:
    """The rows of a log on the host that epoch number `epoch` (from 0) draws; `key` is the run's."""
    log = problem.log
    assert isinstance(log, Transition)
    rows = len(log.reward)
    drawn = np.sort(np.asarray(_compiled_draws(key, epoch, rows, sizes=sizes)))
    return GatheredRows(take(log, drawn), jnp.asarray(drawn), jnp.asarray(rows))


def sample(problem: Problem) -> Problem:
    """The problem with two rows of a log on the host, for those who look at nothing but its widths."""
    if isinstance(problem.log, GatheredRows) or not on_host(problem.log):
        return problem
    return problem._replace(log=take(problem.log, np.arange(2)))


def refuse_on_host(method: AnyMethod, name: str, log_on: str) -> None:
    """`UserError` where a method looks at more of the log, which is on the host, than updates and rollouts draw."""
    if not method.needs_device:
        return
    if log_on == "auto":
        why = f"--log-on auto keeps it on the host, since {NO_MEMORY}; take a larger device or --log-on device"
    else:
        why = "--log-on host keeps it off the device; leave that out"
    raise UserError(f"method: {name} {method.needs_device}, and {why}, or choose another method")


def placement_notes(problem: Problem, settings: ModelSettings) -> tuple[str, ...]:
    """What a person should know about where the log is: that it is on the host without having been sent there."""
    if settings.log_on != "auto" or not on_host(problem.log):
        return ()
    return (f"the log stays on the host, since {NO_MEMORY}; every epoch is fed the rows that it draws",)


@partial(jax.jit, static_argnames="sizes")
def _compiled_draws(key: Array, number: Array, rows: Array, *, sizes: Sizes) -> Int[Array, " draw"]:
    """The numbers of all rows that the epoch draws from the log."""

    def turn(key: Array) -> tuple[Array, Array]:
        (start_key, _), updates = rollout_and_update_keys(key, sizes)
        return draw_numbers(start_key, sizes.rollout_batch_size, rows), jax.vmap(update)(updates)

    def update(key: Array) -> Array:
        return draw_numbers(keys_of_update(key)[0], sizes.real_rows, rows)

    turns = jax.random.split(jax.random.fold_in(key, number), sizes.updates_per_epoch // sizes.rollout_every)
    starts, real = jax.vmap(turn)(turns)
    return jnp.concatenate([starts.reshape(-1), real.reshape(-1)])
