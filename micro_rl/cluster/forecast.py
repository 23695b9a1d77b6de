"""How long a sweep would take on a cluster, as far as one machine's times tell."""

from micro_rl.cluster.connection import Capacity
from micro_rl.cluster.graph import Chunk, Graph


def at_once(has: Capacity, ahead: Graph) -> int:
    """Tasks of a sweep at once, at least one."""
    return max(1, min(slots(has, max(chunk.bytes for chunk in ahead.chunks)), len(ahead.chunks)))


def slots(has: Capacity, largest: int) -> int:
    """Tasks at once: by the cores, the cards where there are any, and the memory as if all nodes had the largest's.

    Args:
        has: the cluster's.
        largest: bytes that the largest task asks for; 0: none is known.
    """
    by_cores = min(has.cores, has.cards) if has.cards else has.cores
    return min(by_cores, has.nodes * (has.memory // largest)) if has.memory and largest else by_cores


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
