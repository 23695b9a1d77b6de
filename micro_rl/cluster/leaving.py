"""What tasks that were asked to save have not saved, each with the reason."""

from collections.abc import Mapping, Sequence
from typing import Any

from micro_rl.cluster.again import last_line, stopped_in
from micro_rl.cluster.head import LEAVING
from micro_rl.cluster.tasks import FAILED


def unsaved(ray: Any, asked: Mapping[str, Any], left: Sequence[Any]) -> list[str]:
    """Tasks that lose what they had reached since their checkpoints.

    Args:
        ray: connected.
        asked: references of all tasks that were asked to save, by name.
        left: those that had not ended when nobody waited any more.

    Returns:
        For each its name and what happened.
    """
    whys = {name: f"not in {LEAVING:.0f} seconds" if ref in left else _why(ray, ref) for name, ref in asked.items()}
    return [f"{name} ({why})" for name, why in whys.items() if why]


def _why(ray: Any, ref: Any) -> str:
    """What kept a task that has ended from saving; empty where nothing is lost."""
    try:
        outcomes = ray.get(ref)
    except ray.exceptions.TaskCancelledError:  # it had not begun
        return ""
    except ray.exceptions.RayError as error:
        stopped = stopped_in(error)
        if stopped is None:
            return last_line(error)
        return "" if stopped.whole else stopped.line
    return next((own.line for own in outcomes if own.end == FAILED), "")
