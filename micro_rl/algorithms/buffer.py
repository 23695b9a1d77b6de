"""The last few rollouts, one slot each, compacted as they are written; only valid rows are ever sampled."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Int, Key

from micro_rl.core.types import GatheredRows, Predictions, Rollout, Transition


class Buffer(NamedTuple):
    """Rows [slot, capacity], of which the first `filled[slot]` of each slot are valid, and what members predict."""

    rows: Transition
    filled: Int[Array, " slot"]
    next_slot: Int[Array, ""]
    predictions: Predictions | None = None


def empty(slots: int, capacity: int, obs: int, act: int, members: int = 0) -> Buffer:
    """Nothing written yet; with room for the predictions of so many members."""
    shape = (slots, capacity, members, obs)
    predictions = Predictions(jnp.zeros(shape), jnp.zeros(shape)) if members else None
    rows = Transition(
        observation=jnp.zeros((slots, capacity, obs)),
        action=jnp.zeros((slots, capacity, act)),
        reward=jnp.zeros((slots, capacity)),
        next_observation=jnp.zeros((slots, capacity, obs)),
        discount=jnp.zeros((slots, capacity)),
    )
    return Buffer(rows, jnp.zeros(slots, jnp.int32), jnp.zeros((), jnp.int32), predictions)


def write(buffer: Buffer, rollout: Rollout) -> Buffer:
    """Put a rollout's valid rows into the oldest slot, ahead of its invalid ones."""
    order, slot = valid_first(rollout.valid), buffer.next_slot
    old, new = (buffer.rows, buffer.predictions), (rollout.rows, rollout.predictions)
    rows, predictions = jax.tree.map(lambda column, new: column.at[slot].set(new[order]), old, new)
    filled = buffer.filled.at[slot].set(jnp.sum(rollout.valid, dtype=jnp.int32))
    return Buffer(rows, filled, (slot + 1) % buffer.filled.shape[0], predictions)


def valid_first(valid: Bool[Array, " rows"]) -> Int[Array, " rows"]:
    """The numbers of the valid rows, then of the others: a stable sort by counting."""
    number = jnp.arange(valid.shape[0], dtype=jnp.int32)
    before = jnp.cumsum(valid, dtype=jnp.int32)
    position = jnp.where(valid, before - 1, before[-1] + number - before)
    return jnp.zeros_like(number).at[position].set(number, unique_indices=True)


def draw(buffer: Buffer, key: Key[Array, ""], size: int) -> tuple[Transition, Predictions | None]:
    """`size` valid rows, uniformly and with replacement, and what members predict of them."""
    ends = jnp.cumsum(buffer.filled)
    index = jax.random.randint(key, (size,), 0, ends[-1])
    slot = jnp.searchsorted(ends, index, side="right")
    row = index - (ends - buffer.filled)[slot]
    return jax.tree.map(lambda column: column[slot, row], (buffer.rows, buffer.predictions))


def draw_log(log: Transition | GatheredRows, key: Key[Array, ""], size: int) -> Transition:
    """`size` rows of the log, uniformly and with replacement."""
    if isinstance(log, GatheredRows):
        index = jnp.searchsorted(log.numbers, draw_numbers(key, size, log.count))
        return jax.tree.map(lambda column: column[index], log.rows)
    index = draw_numbers(key, size, log.reward.shape[0])
    return jax.tree.map(lambda column: column[index], log)


def rows_of(log: Transition | GatheredRows) -> Transition:
    """What there is of a log."""
    return log.rows if isinstance(log, GatheredRows) else log


def draw_numbers(key: Key[Array, ""], size: int, count: int | Int[Array, ""]) -> Int[Array, " size"]:
    """`size` numbers of rows of a log that has `count`."""
    return jax.random.randint(key, (size,), 0, count)


def mean_reward(rollout: Rollout) -> Float[Array, ""]:
    """Over valid rows."""
    return jnp.sum(jnp.where(rollout.valid, rollout.rows.reward, 0.0)) / jnp.maximum(jnp.sum(rollout.valid), 1)


def figures(rollout: Rollout, starts: int) -> dict[str, Float[Array, ""]]:
    """What is logged of a rollout from so many starts; the share of unknown rows where somebody asked for them."""
    logged = {"rollout/reward": mean_reward(rollout), "rollout/length": jnp.sum(rollout.valid) / starts}
    if rollout.unknown is not None:
        unknown = jnp.sum(rollout.valid & rollout.unknown)
        logged["rollout/unknown"] = unknown / jnp.maximum(jnp.sum(rollout.valid), 1)
    return logged


def largest_entry(rollout: Rollout) -> Float[Array, ""]:
    """The largest magnitude in its valid rows; NaN where there is one."""

    def largest(column: Array) -> Array:
        valid = rollout.valid.reshape(rollout.valid.shape + (1,) * (column.ndim - rollout.valid.ndim))
        return jnp.max(jnp.where(valid, jnp.abs(column), 0.0))

    return jnp.max(jnp.stack([largest(column) for column in rollout.rows]))
