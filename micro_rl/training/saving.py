"""What a training and a fit save, when, and what happens where the disk refuses: they go on, the next save tries again.

Saves are written by a thread of their own from copies of the state, beside the next epochs.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

import numpy as np

from micro_rl.core.metric_keys import SCORE_KEYS
from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.settings import Settings
from micro_rl.core.wording import first_few
from micro_rl.dynamics.fit_epoch import FitState
from micro_rl.dynamics.saved_model import FittedModel, save_model
from micro_rl.storage import pytree_io
from micro_rl.storage.background import Background
from micro_rl.storage.checkpoints import Checkpoint, Checkpoints
from micro_rl.storage.files import CannotWrite
from micro_rl.storage.jsonl import Row, RowFile, rewind_rows
from micro_rl.storage.metrics_log import MetricsLog
from micro_rl.storage.run_folder import RunFolder

State = TypeVar("State")
Arrays = dict[str, np.ndarray]
GO_ON = "the same command with --resume goes on"


class Kept(NamedTuple):
    """What the disk has of work that was asked to stop: in words, and whether it is all that was reached."""

    words: str
    whole: bool


def kept_of_all(kept: Sequence[Kept]) -> Kept:
    """Of several runs: the words of one alone; of more, how many the disk refused."""
    if len(kept) == 1:
        return kept[0]
    refused = [own for own in kept if not own.whole]
    if not refused:
        return Kept("every run is saved", True)
    return Kept(f"of {len(kept)} runs {len(refused)} could not be saved ({refused[0].words}, ...)", False)


def missing_epochs(rows: Sequence[Row], last: int) -> str:
    """Which epochs up to the last have no row, in words; empty where every one has its own."""
    present = {int(row["epoch"]) for row in rows}
    missing = {epoch for epoch in range(1, last + 1) if epoch not in present}
    first = sorted(epoch for epoch in missing if epoch - 1 not in missing)
    until = sorted(epoch for epoch in missing if epoch + 1 not in missing)
    parts = [str(one) if one == other else f"{one} to {other}" for one, other in zip(first, until, strict=True)]
    return f"{'epoch' if len(missing) == 1 else 'epochs'} {first_few(parts)}" if parts else ""


class _Saver:
    """Saves to a run folder; use it in a `with`, which waits for the save that is going on."""

    work = "training"

    def __init__(self, folder: RunFolder, note: Callable[[str], None]):
        self._folder, self._note = folder, note
        self._background = Background(self._refused)

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._background.close()

    def _read_newest(self, checkpoints: Checkpoints, fresh: State) -> tuple[State, Checkpoint | None]:
        """The newest valid checkpoint in the shape of `fresh`, and what is known of it; `fresh` where there is none."""
        checkpoint = checkpoints.newest()
        if checkpoint is None:
            return fresh, None
        source = str(checkpoints.folder(checkpoint.epoch))
        state = pytree_io.from_arrays(fresh, checkpoint.arrays, source)
        for skipped in checkpoint.skipped:
            self._note(f"passed over a checkpoint: {skipped}")
        return state, checkpoint

    def _try(self, save: Callable[[], None]) -> None:
        try:
            save()
        except CannotWrite as error:
            self._refused(error)

    def _refused(self, error: CannotWrite) -> None:
        self._note(f"not saved, {self.work} goes on: {error}")


class RunSaver(_Saver):
    """A training's saves.

    Args:
        folder: Where they go.
        fit_rows: The rows of the dynamics fit, of which the disk may have refused some so far.
        model: What is saved as the run's model, or as what scores it; None where there is neither.
        place: The model's folder.
        settings: How often a checkpoint is due.
        note: Is told of what could not be saved.
    """

    def __init__(
        self,
        folder: RunFolder,
        fit_rows: RowFile,
        model: FittedModel | None,
        place: Path,
        settings: Settings,
        note: Callable[[str], None],
    ):
        super().__init__(folder, note)
        self._fit_rows, self._model, self._place, self._settings = fit_rows, model, place, settings
        self._overdue = False
        self._saved_epoch = 0
        self._score: float | None = None

    def restore(self, fresh: State) -> State:
        """The newest valid checkpoint if there is one; the folder goes back to its epoch, and has its model."""
        self._try(self._save_model)
        state, checkpoint = self._read_newest(self._folder.checkpoints, fresh)
        if checkpoint is None:
            if self._folder.metrics():
                self._note("begins anew: no checkpoint is there")
            self._folder.rewind(0)
            return fresh
        self._note(f"goes on after epoch {checkpoint.epoch}")
        self._folder.rewind(checkpoint.epoch, checkpoint.meta["unwritten"])
        if gaps := missing_epochs(self._folder.metrics(), checkpoint.epoch):
            self._note(f"metrics.jsonl lacks the rows of {gaps}; scores and figures count those that are there")
        self._saved_epoch = checkpoint.epoch
        return state

    def copy_if_due(self, epoch: int, state: Callable[[], Any], final: bool) -> Arrays | None:
        """A copy of the state after an epoch, which `state` gives, where a save is due.

        A save is overdue at the next epoch where the one before is still going on.
        """
        if not (final or self._overdue or epoch % self._settings.checkpoint_every == 0):
            return None
        self._overdue = self._background.busy() and not final
        return None if self._overdue else pytree_io.copies(state())

    def after_epoch(self, row: Row, log: MetricsLog, arrays: Arrays | None, final: bool) -> None:
        """Write an epoch's row, and save what was copied of the state."""
        self._try(self._fit_rows.write_waiting)
        self._try(lambda: log.append(row))
        self._score = next((row[key] for key in SCORE_KEYS if key in row), None)
        if arrays is not None:
            self._submit(arrays, int(row["epoch"]), log)
        if final:
            self.finish()

    def save_now(self, state: Any, log: MetricsLog) -> Kept:
        """Save what is finished, since the process is asked to stop."""
        self.finish()
        epoch = int(state.epoch)
        if self._saved_epoch != epoch:
            self._submit(pytree_io.copies(state), epoch, log)
            self.finish()
        words = f"epoch {self._saved_epoch} is saved" if self._saved_epoch else "no epoch is saved"
        if self._saved_epoch != epoch:
            return Kept(f"{words}, epoch {epoch} could not be", False)
        return Kept(words if epoch else "no epoch was finished", True)

    def finish(self) -> None:
        """Wait for the save that is going on."""
        self._background.wait()

    def _submit(self, arrays: Arrays, epoch: int, log: MetricsLog) -> None:
        unwritten, score = log.waiting, self._score

        def save() -> None:
            self._save_model()
            self._folder.checkpoints.save(epoch, arrays, score=score, unwritten=unwritten, seed=self._settings.seed)
            self._saved_epoch = epoch

        self._background.submit(save)

    def _save_model(self) -> None:
        if self._model is not None and not self._place.exists():
            save_model(self._place, self._model)
        self._folder.fit_checkpoints.drop_all()


class FitSaver(_Saver):
    """A fit's saves: its rows, and its state every minute.

    Args:
        folder: Where they go.
        rows: The file of the fit's rows.
        settings: How often a checkpoint is due.
        note: Is told of what could not be saved.
    """

    work = "the fit"

    def __init__(self, folder: RunFolder, rows: RowFile, settings: ModelSettings, note: Callable[[str], None]):
        super().__init__(folder, note)
        self._rows, self._settings = rows, settings
        self._saved_at = time.monotonic()

    @property
    def diverged(self) -> Any:
        """Where what led to a divergence is kept."""
        return self._folder.diverged

    def restore(self, fresh: FitState) -> FitState:
        """The newest valid checkpoint if there is one; the rows go back to it."""
        state, checkpoint = self._read_newest(self._folder.fit_checkpoints, fresh)
        epoch = checkpoint.epoch if checkpoint else 0
        rewind_rows(self._folder.path / "fit.jsonl", epoch, checkpoint.meta["unwritten"] if checkpoint else ())
        self._folder.fit_checkpoints.drop_after(epoch)
        if checkpoint:
            self._note(f"the dynamics fit goes on after epoch {epoch}")
        return state

    def after_epoch(self, row: Row, state: Callable[[], FitState]) -> None:
        """Write an epoch's row; save the state, which `state` gives, where a minute has passed."""
        self._try(partial(self._rows.append, row))
        if time.monotonic() - self._saved_at >= self._settings.fit_checkpoint_seconds and not self._background.busy():
            self._submit(state())

    def save_now(self, state: FitState) -> Kept:
        """Save the state, since the process is asked to stop."""
        self._submit(state)
        if self._background.wait():
            return Kept(f"the dynamics fit is saved after epoch {int(state.epoch)}; {GO_ON}", True)
        return Kept("the disk refused the state; --resume goes on from the save before it", False)

    def _submit(self, state: FitState) -> None:
        arrays, checkpoints = pytree_io.copies(state), self._folder.fit_checkpoints
        self._background.submit(partial(checkpoints.save, int(state.epoch), arrays, unwritten=list(self._rows.waiting)))
        self._saved_at = time.monotonic()
