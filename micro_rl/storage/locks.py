"""One training at a time in a folder, and how another program sees that one is there.

The lock is the system's own: it is let go when its process dies, however it dies. Beside it a file holds the process's
number while the work goes on, so a number that is left where nobody holds the lock is that of a killed process.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from micro_rl.errors import UserError
from micro_rl.storage import provenance
from micro_rl.storage.files import CannotWrite, saving
from micro_rl.storage.run_folder import RunFolder, refuse_taken

OF_CLUSTER = ".cluster.lock"
"""In a sweep's folder, held by whoever carries it out on a cluster: runs on nodes without the folder have no lock."""
PATIENCE, GLANCE = 0.5, 0.1
"""Seconds that `locked` and `is_locked` wait: whoever looks takes the lock for an instant and turns nobody away."""


@contextmanager
def locked(path: Path, work: str = "training") -> Iterator[str | None]:
    """Hold a lock file until the block ends.

    Args:
        path: the lock file; it stays when the lock is let go.
        work: what goes on in its folder, for the error.

    Yields:
        The number of a process that was killed while it held the lock, else None.

    Raises:
        UserError: where another process holds it; names that process.
        CannotWrite: where there can be no such file.
    """
    lock, holder = FileLock(path), process_file(path)
    with saving(path):
        try:
            lock.acquire(timeout=PATIENCE, poll_interval=PATIENCE / 10)
        except Timeout as error:
            raise _going_on(path, work) from error
    try:
        killed = _number(holder)
        with suppress(OSError):  # a full disk may refuse the number; the lock holds without it
            holder.write_text(str(os.getpid()))
        try:
            yield killed
        finally:
            with suppress(OSError):
                holder.unlink()
    finally:
        lock.release()


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock file; where this user cannot take it, whether one left its number there."""
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=GLANCE, poll_interval=GLANCE / 10):
            return False
    except Timeout:
        return True
    except OSError:
        return _number(process_file(path)) is not None


def refuse_locked(path: Path, work: str) -> None:
    """`UserError` where a process holds the lock file; `work` is what goes on in its folder."""
    if is_locked(path):
        raise _going_on(path, work)


def _going_on(path: Path, work: str) -> UserError:
    number = _number(process_file(path))
    who = f" (process {number})" if number else ""
    return UserError(f"{path.parent}: another {work} is going on there{who}; wait for it or stop it")


def begun(path: Path, config: Mapping[str, Any]) -> RunFolder:
    """Begin a run, others kept out meanwhile: of two that begin in one folder together, one is refused.

    Args:
        path: a new or empty folder.
        config: what JSON can hold of the run's plan.

    Returns:
        Its folder, which is not locked any more.

    Raises:
        UserError: where the folder is not empty, or another process works there.
        CannotWrite: where the disk refuses.
    """
    refuse_taken(path)  # no lock is left in a folder of others
    with saving(path):
        path.mkdir(parents=True, exist_ok=True)
    with locked(path / "lock"):
        return RunFolder.create(path, config)


@contextmanager
def run_lock(folder: RunFolder, command: str, note: Callable[[str], None]) -> Iterator[None]:
    """Keep others out of a run folder until the block ends, and leave there what this process is.

    Args:
        folder: the run that this process works on.
        command: what was typed, for the record.
        note: receives remarks: an earlier process was killed, or had another version, device, or processor.

    Raises:
        UserError: where another process works on the run.
        CannotWrite: where the folder takes no lock.
    """
    with locked(folder.lock) as killed:
        if killed:
            note(f"process {killed}, which trained here, was killed")
        earlier = folder.processes()
        current = provenance.process(command, max(folder.checkpoints.epochs(), default=0))
        if earlier:
            changes = provenance.changes(earlier[-1].get("fingerprint") or {}, current["fingerprint"])
            if changes:
                note(f"bits may differ from those of an undisturbed run: {'; '.join(changes)}")
        try:
            folder.append_process(current)
        except CannotWrite as error:
            note(f"not recorded, the run goes on: {error}")
        yield


def process_file(path: Path) -> Path:
    """Where the number of the process that holds the lock file `path` stands."""
    return path.with_name(f"{path.name}.pid")


def _number(holder: Path) -> str | None:
    with suppress(OSError, ValueError):
        text = holder.read_text().strip()
        return text if text.isdigit() and len(text) < 20 else None
    return None
