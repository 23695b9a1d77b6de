"""A look at the nodes now and then: which came, which went, and whether what waits could be done on one of them."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from micro_rl.cluster.capacity import Capacity, capacity
from micro_rl.cluster.head import Head
from micro_rl.core.wording import first_few, plural

BETWEEN = 5.0
"""Seconds between looks."""


class Lookout:
    """Looks at a cluster's nodes while work goes on; what they had begun, begins again by Ray's own doing.

    Args:
        ray: connected.
        has: what the cluster had at the start.
        head: the cluster's.
        tell: takes a line.
    """

    def __init__(self, ray: Any, has: Capacity, head: Head, tell: Callable[[str], None]):
        self._ray, self._has, self._head, self._tell = ray, has, head, tell
        self._looked, self._in_vain = time.monotonic(), False

    def look(self, going: Mapping[str, int]) -> None:
        """Tell of what is otherwise than before.

        Args:
            going: the bytes that each task which is not over asks for, by its name.

        Raises:
            HeadGone: it has been away for too long.
        """
        if time.monotonic() - self._looked < BETWEEN:
            return
        self._looked = time.monotonic()
        if not self._head.answers():  # what asks it would wait until Ray ends the process, without our line
            return
        before, self._has = self._has, capacity(self._ray, self._has.asks_card)
        there = plural(self._has.nodes, "node")
        if before.names - self._has.names:
            self._tell(f"a node is gone: what it did begins again elsewhere; {there} now")
        if self._has.names - before.names:
            self._tell(f"a node has joined; {there} now")
        self._tell_of_vain(going)

    def _tell_of_vain(self, going: Mapping[str, int]) -> None:
        """Ray says nothing of tasks that no node could hold, and waits for a node that can."""
        waiting = {name: needed for name, needed in going.items() if not self._has.holds(needed)}
        if waiting and not self._in_vain:
            card = ", a card" if self._has.asks_card else ""
            size = f"{max(waiting.values()) / 2**20:,.0f} MiB"
            self._tell(
                f"no node that is there could ever hold {first_few([*waiting])}, for want of a core{card} or {size}: "
                "waits until one joins that can (Ctrl-C saves what is at work; --resume cuts anew by the nodes there)"
            )
        self._in_vain = bool(waiting)
