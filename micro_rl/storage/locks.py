"""One training at a time in a folder, and how another program sees that one is there.

The lock is the system's own: it is let go when its process dies, however it dies. The file holds the process's
number while the training goes on, so a number in a file that nobody holds tells of a process that was killed.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from micro_rl.errors import UserError
from micro_rl.storage.files import saving

PATIENCE = 0.5
"""Seconds: `held` takes the lock for an instant, which must not turn away a training."""


@contextmanager
def locked(path: Path, work: str = "training") -> Iterator[str | None]:
    """Hold the lock file `path`; gives the number of a process that was killed while it held it, else None.

    `work`: what goes on there. Raises `UserError` if another process holds it, `CannotWrite` where there can be none.
    """
    with saving(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        _take(descriptor, path, work)
        left = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        _write(path, str(os.getpid()))
        try:
            yield left or None
        finally:
            _write(path, "")
    finally:
        os.close(descriptor)


def held(path: Path) -> bool:
    """Whether a process holds the lock file."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, work: str) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with saving(path):
                _flock(descriptor, path, work)
            return
        except UserError:
            if time.monotonic() > until:
                raise
            time.sleep(PATIENCE / 10)


def _flock(descriptor: int, path: Path, work: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        who = f" (process {holder})" if holder.isdigit() else ""
        raise UserError(f"{path.parent}: another {work} is going on there{who}; wait for it or stop it") from error


def _write(path: Path, text: str) -> None:
    """A full disk may refuse the number; the lock holds without it."""
    with suppress(OSError):
        path.write_text(text)
