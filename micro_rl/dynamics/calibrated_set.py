"""A set of next states that holds the true one with a probability that was measured, and grows away from the log.

    C(s, a) = {s' : |s' - m(s, a)| <= q (sigma(s, a) + c d(s, a))}

m is the mean of the elites' predictions, |.| the root mean square over the columns in units of the log's changes, sigma
the elites' predictive deviation in that norm (their means apart, and what each says of chance), and d the distance of
(s, a) to the log's rows (`support.distance`). c makes both parts equally large on average; q is the conformal quantile
(arXiv 2005.07972) of |s' - m| / (sigma + c d) on episodes that no member saw. What the members draw has no such
probability: where they are wrong together, it misses the truth. The coverage is over the log's own distribution.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Scalar

from micro_rl.core.types import Transition
from micro_rl.data import Dataset
from micro_rl.dynamics.ensemble import Ensemble, inputs_of, predict
from micro_rl.dynamics.log_units import change_deviations, target_units
from micro_rl.dynamics.support import Reference, distance, quantile

BLOCK = 4096
"""Rows that are measured at once."""
SMALLEST = 1e-6
"""A size is at least so large, in units of the log's changes: an exact model of an exact system has none of its own."""


class CalibratedSet(eqx.Module):
    """c, q, the log's rows, and the unit of each column; 0 in columns that have no part in it."""

    known: Reference
    unit: Float[Array, " obs"]
    mix: Scalar
    radius: Scalar

    def around(self, elites: Ensemble, rows: Transition) -> tuple[Float[Array, "rows obs"], Float[Array, " rows"]]:
        """Centre and size of the set of each row, core units and units of the norm."""
        centre, spread, far = _parts(elites, self.known, self.unit, rows)
        return centre, self.radius * jnp.maximum(spread + self.mix * far, SMALLEST)


def calibrate(
    elites: Ensemble, known: Reference, rows: Transition, unit: Float[Array, " obs"], level: float
) -> CalibratedSet:
    """Set c and q on true transitions that no member saw.

    Args:
        elites: whose predictions are the centre.
        known: the log's rows, those of `rows` not among them.
        rows: true transitions, core units.
        unit: of each column, as `unit_of` has it.
        level: share of true next states that the set is to hold.

    Returns:
        The set; its radius is infinite where there are too few rows for the level.
    """
    parts = measured(elites, known, unit, rows)
    mix = mix_of(parts)
    radius = quantile(parts[:, 0] / size_of(parts, mix), level)
    return CalibratedSet(known, unit, jnp.asarray(mix, jnp.float32), jnp.asarray(radius, jnp.float32))


def mix_of(parts: Float[np.ndarray, "row 3"]) -> float:
    """c: the mean of sigma over that of d."""
    return float(parts[:, 1].mean() / max(parts[:, 2].mean(), SMALLEST))


def size_of(parts: Float[np.ndarray, "row 3"], mix: float) -> Float[np.ndarray, " row"]:
    """sigma + c d of measured rows."""
    return np.maximum(parts[:, 1] + mix * parts[:, 2], SMALLEST)


def measured(
    elites: Ensemble, known: Reference, unit: Float[Array, " obs"], rows: Transition
) -> Float[np.ndarray, "row 3"]:
    """Of true transitions: how far the next state lies from the centre, sigma, and d."""
    count, blocks = len(np.asarray(rows.reward)), []
    for begin in range(0, count, BLOCK):
        taken = np.minimum(np.arange(begin, begin + BLOCK), count - 1)
        block = Transition(*(jnp.asarray(np.asarray(part)[taken]) for part in rows))
        blocks.append(np.asarray(_compiled_parts(elites, known, unit, block), np.float64)[: count - begin])
    return np.concatenate(blocks)


@jax.jit
def _compiled_parts(elites: Ensemble, known: Reference, unit: Array, rows: Transition) -> Float[Array, "rows 3"]:
    centre, spread, far = _parts(elites, known, unit, rows)
    return jnp.stack([norm(rows.next_observation - centre, unit), spread, far], axis=-1)


def norm(change: Float[Array, "*rows obs"], unit: Float[Array, " obs"]) -> Float[Array, "*rows"]:
    """Root mean square over the columns that have a unit, in those units; at least a row."""
    last = (1,) * (change.ndim - 1) + (-1,)
    has = unit > 0
    scaled = jnp.where(has.reshape(last), change / jnp.where(has, unit, 1.0).reshape(last), 0.0)
    return jnp.sqrt(jnp.sum(scaled**2, axis=-1) / jnp.maximum(jnp.sum(has), 1))


def _parts(
    elites: Ensemble, known: Reference, unit: Float[Array, " obs"], rows: Transition
) -> tuple[Float[Array, "rows obs"], Float[Array, " rows"], Float[Array, " rows"]]:
    """Centre, sigma and d."""
    mean, std = predict(elites, rows.observation, rows.action)
    mean, std = mean[..., :-1], std[..., :-1]
    centre = jnp.mean(mean, axis=0)
    variance = jnp.mean((mean - centre[None]) ** 2 + std**2, axis=0)
    return centre, norm(jnp.sqrt(variance), unit), distance(known, inputs_of(rows))


def unit_of(elites: Ensemble, fitted: Transition, judged: Bool[np.ndarray, " obs"]) -> Float[Array, " obs"]:
    """The deviation of each column's change in the log; 0 where that never varies.

    Args:
        elites: whose predictions are held against it.
        fitted: the log's rows that they were fitted to, core units.
        judged: the columns that have a part in it, what is predicted and moves by actions; others have the unit 0.
    """
    predicted = target_units(elites, fitted)[:-1]
    predicted = np.where(change_deviations(fitted, len(predicted)) > 0, predicted, 0.0)
    return jnp.asarray(np.where(judged, np.resize(predicted, len(judged)), 0.0), jnp.float32)


def judged_columns(dataset: Dataset) -> Bool[np.ndarray, " obs"]:
    """The columns of a window that are predicted and that actions move."""
    columns = np.arange(dataset.observations.shape[1])
    return (columns < dataset.observation_size) & ~np.isin(columns, dataset.exogenous)
