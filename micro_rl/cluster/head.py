"""The cluster's head: whether it answers, how long it may be away, and how long tasks are given to save."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from micro_rl.cluster.address import listens
from micro_rl.cluster.connection import head_of
from micro_rl.errors import UserError

GONE = 40.0
"""Seconds that a head may be away; after 60 Ray ends the process."""
LEAVING = 120.0
"""Seconds that tasks are given to save when whoever waits for them is stopped."""
GLANCE = 1.0
"""Seconds between looks at the tasks."""


class HeadGone(UserError):
    """The head answers no more, and whatever asks Ray would wait until Ray ends the process."""

    def __init__(self, reason: str):
        super().__init__(
            f"cluster: its head is gone, or answers no more ({reason}); begin a cluster, and go on with --resume"
        )


class Head:
    """A cluster's head, as this process reaches it."""

    def __init__(self, ray: Any):
        self._address = head_of(ray)
        self._seen = time.monotonic()

    def answers(self) -> bool:
        """Whether something listens at its address; by ray:// the client's own connection tells instead.

        Raises:
            HeadGone: it has been away for `GONE` seconds; one that is begun again is given these.
        """
        if self._address is None or listens(self._address):
            self._seen = time.monotonic()
            return True
        if time.monotonic() - self._seen > GONE:
            raise HeadGone(f"nothing listens at {self._address}")
        return False

    def wait_for_saves(self, ray: Any, refs: Sequence[Any], meanwhile: Callable[[], None] = lambda: None) -> list[Any]:
        """Wait for tasks that were asked to save, two minutes at the longest, and as long as the head is there.

        Args:
            ray: connected.
            refs: the tasks.
            meanwhile: is called about once a second, as long as the head answers.

        Returns:
            The tasks that had not ended by then.

        Raises:
            HeadGone: it has been away for `GONE` seconds; a node that is at a save still ends it.
        """
        end, left = time.monotonic() + LEAVING, list(refs)
        while left and time.monotonic() < end:
            _, left = ray.wait(left, num_returns=len(left), timeout=GLANCE)
            if self.answers():
                meanwhile()
        return left
