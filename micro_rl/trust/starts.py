"""Where rollouts begin: at rows of the log, in core units, with what the log observed beside them."""

import jax
import jax.numpy as jnp
import numpy as np

from micro_rl.core.types import Scaling, Transition
from micro_rl.data import Dataset
from micro_rl.data.scaling import to_core
from micro_rl.data.stretches import Stretches
from micro_rl.trust.rollouts import Starts


def starts_at(dataset: Dataset, windows: Stretches, scaling: Scaling) -> Starts:
    """The first observations of these windows, with the log's exogenous columns beside them."""
    first = core_rows(dataset, windows.starts, scaling).observation
    if not dataset.exogenous:
        return Starts(first)
    rows, _ = windows.rows()
    following = core_rows(dataset, rows.reshape(-1), scaling).next_observation
    replayed = following.reshape(*rows.shape, -1).swapaxes(0, 1)
    return Starts(first, replayed, jnp.asarray(np.isin(np.arange(first.shape[1]), dataset.exogenous)))


def core_rows(dataset: Dataset, rows: np.ndarray, scaling: Scaling) -> Transition:
    """Rows of the log in core units, on the device."""
    return jax.tree.map(jnp.asarray, to_core(dataset.rows(rows), scaling))
