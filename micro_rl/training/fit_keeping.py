"""A fit that survives: its state is saved every minute, and what led there is kept when it blows up."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from jax import Array
from jaxtyping import Key

from micro_rl.algorithms.buffer import rows_of
from micro_rl.core.settings import ModelSettings
from micro_rl.core.types import Problem
from micro_rl.dynamics.fit_epoch import FitState
from micro_rl.storage import pytree_io
from micro_rl.storage.background import Background
from micro_rl.storage.files import CannotWrite
from micro_rl.storage.jsonl import Row, RowFile, rewind_rows
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training import fit_divergence
from micro_rl.training.fitting import Keeper
from micro_rl.training.interrupts import Interrupts


class KeptFit(Keeper):
    """Keeps a fit's rows and states in a run folder. Use it in a `with`: its saves are made beside the fit."""

    def __init__(
        self,
        folder: RunFolder,
        rows: RowFile,
        settings: ModelSettings,
        problem: Problem,
        note: Callable[[str], None],
        interrupts: Interrupts,
    ):
        self._folder, self._rows, self._settings, self._problem = folder, rows, settings, problem
        self._note, self._interrupts = note, interrupts
        self._background = Background(self._refused)
        self._saved_at = time.monotonic()

    def __enter__(self) -> "KeptFit":
        return self

    def __exit__(self, *_: object) -> None:
        self._background.close()

    def begun(self, fresh: FitState) -> FitState:
        """The newest valid checkpoint if there is one; the rows go back to it."""
        kept = self._folder.fit_checkpoints.newest()
        epoch = kept.epoch if kept else 0
        rewind_rows(self._folder.path / "fit.jsonl", epoch, kept.meta["unwritten"] if kept else ())
        self._folder.fit_checkpoints.drop_after(epoch)
        if kept is None:
            return fresh
        for skipped in kept.skipped:
            self._note(f"passed over a checkpoint: {skipped}")
        self._note(f"the dynamics fit goes on after epoch {epoch}")
        return pytree_io.from_arrays(fresh, kept.arrays, str(self._folder.fit_checkpoints.folder(epoch)))

    def passed(self, state: FitState, row: Row) -> None:
        """Write the row; save the state if a minute has passed, or if the process is asked to stop, and then stop."""
        try:
            self._rows.append(row)
        except CannotWrite as error:
            self._refused(error)
        stopping = self._interrupts.received
        if stopping or (self._due() and not self._background.busy()):
            self._save(state)
        if stopping:
            saved = self._background.wait()
            epoch = int(state.epoch)
            self._interrupts.leave(
                f"the dynamics fit is saved after epoch {epoch}; the same command with --resume goes on"
                if saved
                else "the disk refused the state; --resume goes on from the save before it"
            )

    def diverged(self, before: FitState, key: Key[Array, ""], row: Row) -> str:
        """Keep the state and the batch, and say what blew up first."""
        found = fit_divergence.step_through(before, rows_of(self._problem.log), self._settings.fit_sizes(), key)
        return fit_divergence.keep(self._folder.diverged, before, key, row, found)

    def _due(self) -> bool:
        return time.monotonic() - self._saved_at >= self._settings.fit_checkpoint_seconds

    def _save(self, state: FitState) -> None:
        arrays: dict[str, Any] = pytree_io.copies(state)
        save = partial(self._folder.fit_checkpoints.save, int(state.epoch), arrays, unwritten=list(self._rows.waiting))
        self._background.submit(save)
        self._saved_at = time.monotonic()

    def _refused(self, error: CannotWrite) -> None:
        self._note(f"not saved, the fit goes on: {error}")
