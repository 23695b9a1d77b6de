"""Observations and actions as people give them, in raw units and perhaps by name, as the networks take them."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Float64

from micro_rl.core import windows
from micro_rl.core.columns import Column, Columns, title
from micro_rl.core.named_values import numbers
from micro_rl.core.types import Scaling
from micro_rl.core.wording import plural


class Rows(NamedTuple):
    """Rows in core units, windows where there is a history; `single` where one row was given without its axis."""

    observation: Float32[np.ndarray, "row window"]
    action: Float32[np.ndarray, "row act"]
    newest: Float64[np.ndarray, "row obs"]
    """The observations in raw units."""
    single: bool

    def shaped(self, values: Float[np.ndarray, "*lead row"] | Float[np.ndarray, "*lead row column"], axis: int) -> Any:
        """Takes the axis of the rows away where one row was given without it."""
        return np.take(values, 0, axis) if self.single else values


def core_rows(observations: Any, actions: Any, units: Scaling, columns: Columns, history: int) -> Rows:
    """Converts rows to core units; with a history, makes windows of them.

    Args:
        observations: raw units [obs] or [row, obs], or by the columns' names. With a history, rows of one episode from
            its first step on, in order; or windows as `core.windows` lays them out [row, window].
        actions: what was done there, raw units [act] or [row, act], or by the columns' names.
        units: of the networks.
        columns: names of the observations and actions.
        history: observations in a window.

    Raises:
        ValueError: another width or number of rows, other names, or values that are not finite.
    """
    observation = _raw("observation", observations, columns.observations, len(units.observation_mean))
    action = _raw("action", actions, columns.actions, len(units.action_mid))
    if observation.shape[:-1] != action.shape[:-1]:
        raise ValueError(f"observations {observation.shape} and actions {action.shape}: give as many rows of each")
    single, (observation, action) = observation.ndim == 1, map(np.atleast_2d, (observation, action))
    width, window = len(columns.observations), observation
    if history > 1 and observation.shape[1] == width:
        window = windows.of_episode(observation, action, np.asarray(units.action_mid, np.float64), history)
    mean, std, mid, half = (np.asarray(part, np.float64) for part in units[:4])
    core = ((window - mean) / std).astype(np.float32), ((action - mid) / half).astype(np.float32)
    return Rows(*core, observation[:, :width], single)


def _raw(what: str, values: Any, columns: tuple[Column, ...], window: int) -> Float64[np.ndarray, "*row column"]:
    raw, width = numbers(values, columns, what), len(columns)
    if raw.ndim not in (1, 2) or raw.shape[-1] not in (width, window):
        there = f"there {'is' if width == 1 else 'are'} {plural(width, 'column')}"
        raise ValueError(f"{what} of shape {raw.shape} where {there}: [{width}] or [rows, {width}]")
    if not np.isfinite(raw).all():
        column = int(np.argwhere(~np.isfinite(raw))[0, -1])
        named = title("column", column, columns[column]) if column < width else f"column {column} of the window"
        raise ValueError(f"{what} is not finite in {named}")
    return raw
