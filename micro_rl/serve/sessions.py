"""Sessions: a controller with a past of its own for every system, so many at most, and not for ever."""

import secrets
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from micro_rl.control.controller import Controller


class Full(Exception):
    """There are as many sessions as there may be."""


class Sessions:
    """The controllers of all systems, by name; the one used longest ago is first."""

    def __init__(
        self,
        controller: Controller,
        most: int,
        idle: float,
        records: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """Begin with none.

        Args:
            controller: whose policy, guard and settings all have.
            most: sessions at once.
            idle: seconds without use after which a session ends.
            records: a folder for each one's record, NAME.csv; None keeps none.
            clock: seconds.
        """
        self._controller, self._most, self._idle = controller, most, idle
        self._records, self._clock = records, clock
        self._all: OrderedDict[str, tuple[Controller, float]] = OrderedDict()

    def __len__(self) -> int:
        self._drop_idle()
        return len(self._all)

    def begin(self) -> tuple[str, Controller]:
        """Begin a session.

        Raises:
            Full: there is no room.
            UserError: its record cannot be written.
        """
        if len(self) >= self._most:
            raise Full
        name = secrets.token_hex(16)
        controller = self._controller.fresh(None if self._records is None else self._records / f"{name}.csv")
        self._all[name] = controller, self._clock()
        return name, controller

    def find(self, name: str) -> Controller:
        """The controller of a session, which is used now.

        Raises:
            KeyError: there is none, or no longer.
        """
        self._drop_idle()
        controller, _ = self._all.pop(name)
        self._all[name] = controller, self._clock()
        return controller

    def end(self, name: str) -> str | None:
        """End a session; what was wrong with its record, in words.

        Raises:
            KeyError: there is none.
        """
        controller, _ = self._all.pop(name)
        return controller.close()

    def close(self) -> int:
        """End all; how many there were."""
        count = len(self._all)
        for name in list(self._all):
            self._end_and_tell(name)
        return count

    def _end_and_tell(self, name: str) -> None:
        """End a session that no client ends, so that only the console is left to tell what was wrong."""
        if wrong := self.end(name):
            with suppress(OSError):  # a console that refuses must not keep the others from their end
                print(f"micro-rl: session {name}: {wrong}", file=sys.stderr)

    def _drop_idle(self) -> None:
        last = self._clock() - self._idle
        while self._all:
            name, (_, used) = next(iter(self._all.items()))
            if used >= last:
                return
            self._end_and_tell(name)
