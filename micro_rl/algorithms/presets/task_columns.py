"""Values of many tasks, written as columns."""

from collections.abc import Mapping, Sequence
from typing import Any

ROBOTS = ("halfcheetah", "hopper", "walker2d")
LEVELS = ("medium", "medium-replay", "medium-expert")


def per_task(tasks: Sequence[str], common: Mapping[str, Any], **columns: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """For each task the common values and its entry of every column."""
    rows = zip(*columns.values(), strict=True)
    return {task: {**common, **dict(zip(columns, row, strict=True))} for task, row in zip(tasks, rows, strict=True)}
