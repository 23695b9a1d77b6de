"""SIGINT and SIGTERM while a compiled program runs: the first is remembered, the second ends the process at once.

Python runs a signal's handler between two of its own instructions, and a compiled epoch may take minutes. But the
signal's number is written to a pipe the moment it arrives, and a thread that waits there is not held up.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from micro_rl.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)
TERMINAL = 1
SHOW_CURSOR = b"\x1b[?25h\n"


class Interrupts:
    """Asks to stop when a signal has come; `say` is told so, from another thread.

    Signals are noticed inside a `with` in the main thread; outside, nothing is ever received.
    """

    def __init__(self, say: Callable[[str], None] = lambda text: None):
        self._say = say
        self._received: int | None = None

    @property
    def received(self) -> bool:
        """Whether the work should be saved and left."""
        return self._received is not None

    def leave(self, saved: str, whole: bool = True) -> None:
        """Raise `Interrupted` for the signal that came.

        Args:
            saved: says what is on the disk.
            whole: that is all that was reached.
        """
        assert self._received is not None
        raise Interrupted(self._received, saved, whole)

    def __enter__(self) -> "Interrupts":
        self._reading, writing = os.pipe()
        self._writing = writing
        os.set_blocking(writing, False)
        self._replaced_pipe = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self._replaced: dict[int, Any] = {number: signal.signal(number, _noticed_by_thread) for number in SIGNALS}
        self._thread = threading.Thread(target=self._listen, name="signals", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._replaced.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._replaced_pipe)
        os.close(self._writing)
        self._thread.join()
        os.close(self._reading)

    def _listen(self) -> None:
        while number := os.read(self._reading, 1):
            if number[0] not in SIGNALS:
                continue
            if self._received is not None:
                leave_at_once(number[0])
            self._received = number[0]
            self._say("stops when this epoch is finished and saved; once more leaves at once")


@contextmanager
def leaving_on_sigterm(saved: str) -> Iterator[None]:
    """SIGTERM raises `Interrupted` wherever the main thread is, as Ctrl-C raises `KeyboardInterrupt`.

    For work that may be left at any moment; `saved` says what is on the disk.
    """

    def leave(number: int, frame: Any) -> None:
        raise Interrupted(number, saved)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _noticed_by_thread(number: int, frame: Any) -> None:
    """In place of Python's own handler, which would raise an exception somewhere in the epoch."""


def leave_at_once(number: int) -> None:
    """End the process as the signal would, with a terminal that can be typed on; what is being saved stays hidden."""
    if os.isatty(TERMINAL):
        os.write(TERMINAL, SHOW_CURSOR)  # past Python's own stream, whose lock the main thread may hold
    os._exit(128 + number)
