"""A process in a run folder: it keeps others out and leaves there what it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from micro_rl.storage import provenance
from micro_rl.storage.files import CannotWrite
from micro_rl.storage.locks import locked
from micro_rl.storage.run_folder import RunFolder


@contextmanager
def at_work(folder: RunFolder, command: str, note: Callable[[str], None]) -> Iterator[None]:
    """Keep others out of the folder, and leave there what this process is; say where an earlier one was another."""
    with locked(folder.lock) as killed:
        if killed:
            note(f"process {killed}, which trained here, was killed")
        before = folder.processes()
        now = provenance.process(command, max(folder.checkpoints.epochs(), default=0))
        if before:
            changed = provenance.changes(before[-1].get("fingerprint") or {}, now["fingerprint"])
            if changed:
                note(f"bits may differ from those of an undisturbed run: {'; '.join(changed)}")
        try:
            folder.append_process(now)
        except CannotWrite as error:
            note(f"not recorded, the run goes on: {error}")
        yield
