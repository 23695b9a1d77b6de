"""How long a sweep would take on a cluster, as far as one machine's times tell."""

from micro_rl.cluster.capacity import Capacity
from micro_rl.cluster.graph import Chunk, Graph


def at_once(has: Capacity, ahead: Graph) -> int:
    """Tasks of a sweep at once, at least one."""
    return max(1, min(has.slots(max(chunk.bytes for chunk in ahead.chunks)), len(ahead.chunks)))


def seconds_of(ahead: Graph, each: dict[str, float], slots: int) -> float:
    """Training, to the end of the last task: each in its turn to the slot that is free first.

    Args:
        ahead: what the sweep is cut into.
        each: seconds of a run's epochs, by its name.
        slots: tasks at once.
    """
    busy = [0.0] * slots
    for chunk in ahead.chunks:
        first = busy.index(min(busy))
        busy[first] += _seconds(chunk, each)
    return max(busy)


def _seconds(chunk: Chunk, each: dict[str, float]) -> float:
    """Of a chunk's runs, as if one after another."""
    return sum(each[trial.name] for trial in chunk.trials)
