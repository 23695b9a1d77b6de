"""What a task tells of a run: notes for the driver, a line now and then for its own log, and its folder, sent home."""

import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from micro_rl.cluster.place import Home, packed
from micro_rl.policy import Policy
from micro_rl.storage.jsonl import Row
from micro_rl.training.callbacks import Callback

BETWEEN = 30.0
"""Seconds between pieces that a node without the shared folder sends home."""
PAUSE = 0.2
"""Seconds between questions whether a piece lies on the driver's disk."""
QUIET = 10.0
"""Seconds between lines in the task's log, which Ray's dashboard shows."""


class Sender(Callback):
    """Keeps notes, prints how far the run is, and sends its folder home where the node does not see the sweep's.

    Args:
        home: of the sweep.
        parcels: the actor that takes what is sent.
        folder: in which the task works.
        name: of the run.
        at_home: the task works in the sweep's own folder.
    """

    def __init__(self, home: Home, parcels: Any, folder: Path, name: str, at_home: bool):
        self._home, self._parcels, self._folder, self._name, self._at_home = home, parcels, folder, name, at_home
        self._path = folder / name
        self._sent, self._printed = time.monotonic(), 0.0
        self._mark = ""
        self.notes: list[str] = []
        self.last: int | None = None
        """The epoch with which the run ends, once that is known."""

    def note(self, text: str) -> None:
        text = text.replace(str(self._folder), self._home.folder)  # where it is once it has been sent home
        if text not in self.notes:
            self.notes.append(text)

    def fitted(self, row: Row) -> None:
        self._print(f"epoch {row['epoch']} of the fit")
        self._send_now_and_then()

    def trained(self, row: Row, policy: Policy) -> None:
        self._print(f"epoch {row['epoch']} of {self.last}", over=row["epoch"] == self.last)
        self._send_now_and_then()

    def finished(self, path: Path) -> None:
        from micro_rl.reports.run import write_page

        write_page(path, self.note)

    def send(self) -> None:
        """Send the folder, where that is needed, and there is one."""
        self._sent = time.monotonic()
        if self._at_home or not self._path.exists():
            return
        import ray

        self._mark = secrets.token_hex(8)
        ray.get(self._parcels.put.remote(self._name, self._mark, packed(self._path)))

    def wait_until_kept(self) -> None:
        """Wait until what was sent last lies on the driver's disk; sent again where the actor has lost it."""
        if not self._mark:
            return
        import ray

        while not (kept := ray.get(self._parcels.is_kept.remote(self._name, self._mark))):
            if kept is None:
                self.send()
            time.sleep(PAUSE)

    def _send_now_and_then(self) -> None:
        if time.monotonic() - self._sent > BETWEEN:
            self.send()

    def _print(self, text: str, over: bool = False) -> None:
        """A line for who looks at the task in Ray's dashboard; nothing that is printed here reaches the driver."""
        if over or time.monotonic() - self._printed > QUIET:
            self._printed = time.monotonic()
            print(f"{self._name}: {text}", flush=True)


def deliver(senders: Sequence[Sender]) -> None:
    """Send all folders, and wait until they lie on the driver's disk: what Ray begins next may look for them there."""
    for sender in senders:
        sender.send()
    for sender in senders:
        sender.wait_until_kept()
