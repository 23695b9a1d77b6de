"""What computing an epoch took, by its row in metrics.jsonl: without compiling and what was waited for beside."""

from collections.abc import Mapping


def computing_seconds(row: Mapping[str, float | int]) -> float:
    """Seconds that an epoch's updates took.

    Args:
        row: the epoch's, whose `time/seconds` may hold compiling and evaluations.

    Returns:
        Those of the compiled program alone; all of `time/seconds` where the row does not tell its speed.
    """
    speed, updates = row.get("time/updates_per_second", 0.0), row.get("updates", 0.0) / max(row["epoch"], 1)
    return min(updates / speed, row["time/seconds"]) if speed > 0 and updates else row["time/seconds"]
