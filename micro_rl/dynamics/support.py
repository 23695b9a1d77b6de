"""What a log can vouch for: a score of the unknown for every (s, a, s'), and the limit that true transitions keep.

Three parts, each over what is usual for true transitions: the distance of (s, a) to the nearest rows of the log, how
far s' lies outside the range of each of its columns, and how far two members of the ensemble disagree. The score is
the greatest of them. Split-conformal prediction (arXiv 2005.07972) puts the limit where a chosen share of the true
transitions of episodes that the judge did not see lies below it.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import CONSTANT, inputs_of

NEAREST = 4
"""The references are dealt into so many parts; the distance is the mean of the nearest of each."""
REFERENCES = 2400
"""Rows of the log that stand for all of it."""
USUAL = 0.99
"""Share of true transitions whose part of the score is usual."""
LEAST_SCALE = 0.05
"""A part is at least so usual, in standard deviations: where all true rows lie in range, rounding is no alarm."""


class Reference(eqx.Module):
    """Rows of a log that distances are measured to, in their own units, and the range of the next observations."""

    rows: Float[Array, "part row in"]
    mean: Float[Array, " in"]
    std: Float[Array, " in"]
    low: Float[Array, " obs"]
    high: Float[Array, " obs"]
    spread: Float[Array, " obs"]


def reference(log: Transition, rows: Int[np.ndarray, " row"]) -> Reference:
    """The reference that these rows of a log make, a few thousand of them evenly taken.

    Args:
        log: core units.
        rows: numbers of the rows that may be used, in the log's order.
    """
    count = max(1, min(REFERENCES, len(rows)) // NEAREST)
    taken = rows[np.linspace(0, len(rows) - 1, count * NEAREST).round().astype(int)]
    inputs = np.asarray(inputs_of(Transition(*(jnp.asarray(np.asarray(part)[taken]) for part in log))))
    following = np.asarray(log.next_observation)[rows]
    mean, std = inputs.mean(0), _positive(inputs)
    parts = ((inputs - mean) / std).reshape(count, NEAREST, -1).swapaxes(0, 1)
    ends = following.min(0), following.max(0), _positive(following)
    return Reference(*(jnp.asarray(part, jnp.float32) for part in (parts, mean, std, *ends)))


def distance(known: Reference, inputs: Float[Array, "rows in"]) -> Float[Array, " rows"]:
    """Root mean squared distance over the columns to the nearest row of each part, averaged over the parts."""
    x = (inputs - known.mean[None]) / known.std[None]
    squares = jnp.sum(x**2, -1)[None, :, None] - 2 * x[None] @ known.rows.swapaxes(-1, -2)
    squares = squares + jnp.sum(known.rows**2, -1)[:, None, :]
    nearest = jnp.maximum(jnp.min(squares, -1), 0.0) / inputs.shape[-1]
    return jnp.mean(jnp.sqrt(nearest), axis=0)


def excess(known: Reference, following: Float[Array, "rows obs"]) -> Float[Array, " rows"]:
    """How far the worst column lies outside its range, in that column's standard deviations."""
    outside = jnp.maximum(following - known.high[None], known.low[None] - following)
    return jnp.maximum(jnp.max(outside / known.spread[None], axis=-1), 0.0)


def disagreement(
    mean: Float[Array, "rows out"], other: Float[Array, "rows out"], unit: Float[Array, " out"]
) -> Float[Array, " rows"]:
    """Root mean square over the columns of what two members expect apart, in these units."""
    return jnp.sqrt(jnp.mean(((mean - other) / unit[None]) ** 2, axis=-1))


def usual(parts: Float[np.ndarray, "row 3"]) -> Float[np.ndarray, " 3"]:
    """What 99 of 100 true transitions keep of each part: the parts' scales, which make them comparable."""
    return np.maximum(np.quantile(parts, USUAL, axis=0), LEAST_SCALE)


def quantile(values: Float[np.ndarray, " row"], level: float) -> float:
    """The least value that a new one, exchangeable with these, does not exceed with this probability.

    Infinity where there are too few of them for the level.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    rank = int(np.ceil(level * (len(ordered) + 1) - 1e-9))
    return float(ordered[rank - 1]) if 1 <= rank <= len(ordered) else float("inf")


def _positive(values: np.ndarray) -> np.ndarray:
    std, largest = values.std(0), np.abs(values).max(0)
    return np.where(std > CONSTANT * largest + 1e-12, std, 1.0)
