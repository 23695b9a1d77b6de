"""Saves made beside the work: a thread that is given what to write, one piece at a time."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from micro_rl.storage.files import CannotWrite


class Background:
    """Saves in a thread; a context manager that waits for the last save and ends the thread.

    Args:
        refused: receives a disk's refusal. Any other error of a save rises from the next call of a method.
    """

    def __init__(self, refused: Callable[[CannotWrite], None]):
        self._refused = refused
        self._thread = ThreadPoolExecutor(1, "saving")
        self._save: Future[None] | None = None

    def busy(self) -> bool:
        """Whether the last save is still going on; what became of one that ended is reported now."""
        if self._save is not None and self._save.done():
            self._conclude(self._save)
        return self._save is not None

    def submit(self, save: Callable[[], None]) -> None:
        """Run `save` in the thread, after any other has ended. Nothing may change what it writes."""
        self.wait()
        self._save = self._thread.submit(save)

    def wait(self) -> bool:
        """Wait for the save that is going on; False if the disk refused it."""
        return self._save is None or self._conclude(self._save)

    def _conclude(self, save: "Future[None]") -> bool:
        self._save = None
        try:
            save.result()
        except CannotWrite as error:
            self._refused(error)
            return False
        return True

    def close(self) -> None:
        """Wait for the save that is going on, and end the thread."""
        try:
            self.wait()
        finally:
            self._thread.shutdown()

    def __enter__(self) -> "Background":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
