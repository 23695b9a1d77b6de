"""What a cluster's nodes offer, each for itself, since a task has to fit on one of them."""

from typing import Any, NamedTuple

from micro_rl.errors import UserError


class Node(NamedTuple):
    """A node that is there: Ray's name for it, cores, cards, and memory in bytes."""

    name: str
    cores: int
    cards: int
    memory: int


class Capacity(NamedTuple):
    """All nodes that are there, and whether a task asks for a card beside its core, as it does where there are any."""

    each: tuple[Node, ...]
    asks_card: bool

    @property
    def names(self) -> set[str]:
        """Of all nodes."""
        return {node.name for node in self.each}

    @property
    def nodes(self) -> int:
        """How many there are."""
        return len(self.each)

    @property
    def cores(self) -> int:
        """Of all nodes."""
        return sum(node.cores for node in self.each)

    @property
    def cards(self) -> int:
        """Of all nodes."""
        return sum(node.cards for node in self.each)

    @property
    def memory(self) -> int:
        """Bytes of the largest node that can do a task at all: with a core, and a card where tasks ask for one."""
        return max((node.memory for node in self.each if self._slots(node)), default=0)

    def holds(self, memory: int) -> bool:
        """Whether a node that is there, were it idle, could do a task that asks for so many bytes."""
        return any(self._slots(node) and node.memory >= memory for node in self.each)

    def slots(self, largest: int) -> int:
        """Tasks at once: by cores, cards and memory of each node.

        Args:
            largest: bytes that the largest task asks for; 0: none is known.
        """
        by_cores = {node: self._slots(node) for node in self.each}
        if not largest:
            return sum(by_cores.values())
        return sum(min(slots, node.memory // largest) for node, slots in by_cores.items())

    def _slots(self, node: Node) -> int:
        """Tasks at once on a node, by its cores and cards."""
        return min(node.cores, node.cards) if self.asks_card else node.cores


def capacity(ray: Any, asks_card: bool | None = None) -> Capacity:
    """What the cluster has now.

    Args:
        ray: connected.
        asks_card: what was decided before; None: tasks ask for a card where a node has one.
    """
    alive = [(node["NodeID"], node["Resources"]) for node in ray.nodes() if node["Alive"]]
    each = tuple(
        Node(name, int(has.get("CPU", 0)), int(has.get("GPU", 0)), int(has.get("memory", 0))) for name, has in alive
    )
    return Capacity(each, any(node.cards for node in each) if asks_card is None else asks_card)


def capacity_for_work(ray: Any, where: str) -> Capacity:
    """What the cluster has at the start of some work, which is cut by it.

    Args:
        ray: connected.
        where: what was typed, for the message.

    Raises:
        UserError: no node could do any task.
    """
    has = capacity(ray)
    if not has.slots(0):
        beside = " beside its cards" if has.asks_card else ""
        raise UserError(
            f"on: {where}: {'no node has a core' + beside if has.each else 'there is no node'}, and work is cut by "
            "what is there when it begins; wait until a node is there that can work (ray start --num-cpus)"
        )
    return has
