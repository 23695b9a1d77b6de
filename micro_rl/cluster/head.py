"""What sweeps and choices do alike about a cluster: how often a task begins again, how long a head is away."""

import time
from typing import Any

from micro_rl.cluster.address import listens
from micro_rl.cluster.connection import head_of
from micro_rl.errors import UserError

TRIES = 5
"""Times that work is begun again which a signal stopped on its node."""
GONE = 40.0
"""Seconds that a head may be away; after 60 Ray ends the process."""


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
