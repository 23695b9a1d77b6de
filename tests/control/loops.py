"""Policies and guards of a few numbers, for loops whose answers can be told by hand."""

from typing import Any

import numpy as np

from micro_rl import Policy
from micro_rl.control.guard import PARTS, Guard
from micro_rl.core.columns import Column, Columns

COLUMNS = Columns(
    (Column("level", "m", 0.0, 4.0), Column("flow", "l/s", -1.0, 1.0)), (Column("valve", "%", 0.0, 100.0),)
)


def proportional(history: int = 1, **changes: Any) -> Policy:
    """A policy without hidden layers: valve = 50 + 50 tanh(level), of the newest observation alone."""
    width = 2 * history + history - 1
    weight = np.zeros((width, 2), np.float32)
    weight[0, 0] = 1.0
    parts: dict[str, Any] = {
        "layers": [(weight, np.zeros(2, np.float32))],
        "observation_mean": np.zeros(width),
        "observation_std": np.ones(width),
        "action_mid": np.array([50.0]),
        "action_half": np.array([50.0]),
        "history": history,
        "columns": COLUMNS,
    }
    return Policy(**(parts | changes))


def of_level(level: float) -> float:
    """What that policy does."""
    return 50 + 50 * float(np.tanh(level))


def range_guard(**changes: Any) -> Guard:
    """A guard that minds nothing but the level's range of 0 to 2: its score is how far it lies beyond."""
    usual = np.full(len(PARTS), 1e12)
    usual[1] = 1.0
    arrays: dict[str, Any] = {
        "center": np.zeros(2),
        "scale": np.ones(2),
        "action_center": np.zeros(1),
        "action_scale": np.ones(1),
        "references": np.zeros((1, 2)),
        "low": np.array([0.0, -1.0]),
        "high": np.array([2.0, 1.0]),
        "weights": np.zeros((4, 2)),
        "residual_scale": np.ones(2),
        "whitening": np.eye(2),
        "still_cost": np.zeros(2),
        "usual": usual,
    }
    return Guard(**(arrays | {"threshold": 0.5, "rate": 0.01, "columns": COLUMNS} | changes))


def at(level: float, flow: float = 0.0) -> dict[str, float]:
    """An observation."""
    return {"level": level, "flow": flow}
