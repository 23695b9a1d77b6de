"""What a log's columns vary by, for methods that measure in its units.

A fit that leaves its targets as they are (`standardise_targets` off, as in all D4RL presets) has no units of its own:
its mean is 0 and its deviation 1 in every column. They are then measured on the log.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import CONSTANT, Ensemble


class LogUnits(NamedTuple):
    """A log's rows in core units, on the device or the host, and the model fitted to it; measured when asked."""

    rows: Transition
    ensemble: Ensemble

    def of_targets(self) -> Float[np.ndarray, " out"] | None:
        """The deviation of every target, 1 for a constant one; None where those of the fit do."""
        return target_units(self.ensemble, self.rows) if has_raw_targets(self.ensemble) else None

    def constant(self) -> Bool[np.ndarray, " obs"] | None:
        """The columns of the observation in which all rows are the same; None where there is none."""
        observation = self.rows.observation
        constant = np.array([_deviation(observation[:, column]) == 0 for column in range(observation.shape[1])])
        return constant if constant.any() else None


def has_raw_targets(ensemble: Ensemble) -> bool:
    """Whether it was fitted to targets as they are."""
    return not np.any(ensemble.target_mean) and bool(np.all(np.asarray(ensemble.target_std) == 1))


def target_units(ensemble: Ensemble, rows: Transition) -> Float[np.ndarray, " out"]:
    """The deviation of every target, 1 for a constant one: that of the fit, of raw targets that of these rows."""
    if not has_raw_targets(ensemble):
        return np.asarray(ensemble.target_std)
    deviations = np.append(change_deviations(rows, ensemble.target_std.shape[0] - 1), _deviation(rows.reward))
    return np.where(deviations > 0, deviations, 1.0).astype(np.float32)


def change_deviations(rows: Transition, newest: int) -> Float[np.ndarray, " newest"]:
    """How much the change of each of an observation's newest columns varies; 0 where it is constant."""
    changes = (rows.next_observation[:, column] - rows.observation[:, column] for column in range(newest))
    return np.array([_deviation(change) for change in changes])


def _deviation(values: Float[jnp.ndarray | np.ndarray, " row"]) -> float:
    """Standard deviation, in float64; 0 where it is rounding, as a fit has it."""
    column = np.asarray(values, np.float64)
    deviation = float(column.std())
    return deviation if deviation > CONSTANT * np.abs(column).max() + 1e-12 else 0.0
