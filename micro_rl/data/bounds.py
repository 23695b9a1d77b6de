"""The bounds of the action space: given, recorded in the file, or the usual [-1, 1] where the actions fit."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from micro_rl.errors import UserError

# One number for all actions, or one per action.
Limit = int | float | Sequence[int | float] | np.ndarray

# Tasks whose actions are known to lie in [-1, 1], by the first word of the log's name.
UNIT_TASKS = frozenset({"halfcheetah", "hopper", "walker2d", "ant", "pen", "hammer", "door", "relocate"})

# Excess, as a share of the half range, that is rounding and not another action space.
ROUNDING = 1e-6


class Bounds(NamedTuple):
    """Least and greatest action."""

    low: Float32[np.ndarray, " act"]
    high: Float32[np.ndarray, " act"]


def as_bounds(path: Path, source: str, low: Limit | None, high: Limit | None, width: int) -> Bounds | None:
    """One number or one per action, checked; None when neither is there."""
    if low is None and high is None:
        return None
    if low is None or high is None:
        raise UserError(f"{path}: {source} has one action bound only: give both action_low and action_high")
    try:
        pair = [np.broadcast_to(np.asarray(side, np.float32), (width,)).copy() for side in (low, high)]
    except (TypeError, ValueError):
        raise UserError(f"{path}: action bounds ({source}) must be one number or {width}, one per action") from None
    if not (np.isfinite(pair).all() and (pair[0] < pair[1]).all()):
        raise UserError(f"{path}: action bounds ({source}) must be finite and low < high in each action")
    return Bounds(*pair)


def usual(path: Path, actions: Float32[np.ndarray, "row act"]) -> Bounds:
    """[-1, 1] when every action fits; otherwise the bounds must be given."""
    reach = np.abs(actions).max()
    if reach > 1 + ROUNDING:
        raise UserError(
            f"{path}: actions reach {reach:.6g} and the file records no bounds: give action_low and "
            "action_high (--action-bounds LOW HIGH)"
        )
    width = actions.shape[1]
    return Bounds(np.full(width, -1, np.float32), np.full(width, 1, np.float32))


def inside(
    path: Path, actions: Float32[np.ndarray, "row act"], bounds: Bounds
) -> tuple[Float32[np.ndarray, "row act"], str | None]:
    """Actions within the bounds: rounding is cut off and said, anything more is refused with its rows."""
    slack = ROUNDING * (bounds.high.astype(np.float64) - bounds.low) / 2
    outside = (actions < bounds.low - slack) | (actions > bounds.high + slack)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        space = f"[{bounds.low[column]:.6g}, {bounds.high[column]:.6g}]"
        raise UserError(
            f"{path}: {int(outside.any(1).sum())} rows have an action outside the bounds, first row {row}: "
            f"action {column} is {actions[row, column]:.6g}, not in {space}: "
            "correct the log or give its bounds (--action-bounds LOW HIGH)"
        )
    clipped = np.clip(actions, bounds.low, bounds.high)
    changed = int((clipped != actions).any(1).sum())
    return clipped, f"{changed} rows have actions past the bounds by rounding: cut off" if changed else None
