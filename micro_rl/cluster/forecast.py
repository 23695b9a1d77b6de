"""How long a sweep would take on a cluster, as far as one machine's times tell."""

from micro_rl.cluster.connection import Capacity
from micro_rl.cluster.graph import Chunk, Graph


def at_once(has: Capacity, ahead: Graph) -> int:
    """Tasks at once: by the cores, the cards where there are any, and the memory as if all nodes had the largest's."""
    slots = min(has.cores, has.cards) if has.cards else has.cores
    if has.memory:
        slots = min(slots, has.nodes * (has.memory // max(chunk.bytes for chunk in ahead.chunks)))
    return max(1, min(slots, len(ahead.chunks)))


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
