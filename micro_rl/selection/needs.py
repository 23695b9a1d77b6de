"""What a choice's task asks of a node of a cluster: memory, by the estimate that a sweep's tasks have."""

from functools import lru_cache

from micro_rl.cluster.graph import bytes_asked
from micro_rl.data import load
from micro_rl.errors import UserError
from micro_rl.selection.task import Task
from micro_rl.training.plan import make_plan


def bytes_of(task: Task, node_memory: int) -> int:
    """Memory of a task: of its seeds, as many of them as a node holds at once; a fit asks for what a run does.

    Args:
        task: the choice's.
        node_memory: bytes that the largest node offers; 0 where that is not known.

    Returns:
        Bytes; 0 for a task that cannot be done, as the node will say that tries.

    Raises:
        UserError: no node has the memory for one seed.
    """
    choices = {name: value for name, value in task.choices.items() if name != "model"}  # no run is smaller for one
    try:
        plan = make_plan(_log(task.log), task.method, seed=task.seeds[0], **choices)
    except UserError:
        return 0
    return bytes_asked(task.name, plan, len(task.seeds), node_memory)


_log = lru_cache(maxsize=1)(load)
"""All tasks of a choice have one log."""
