"""What a training saves, when, and what it does where the disk refuses: it goes on, and the next save tries again."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from micro_rl.algorithms.epoch import TrainState
from micro_rl.algorithms.log_epoch import LogState
from micro_rl.core.metric_keys import SCORE_KEYS
from micro_rl.core.settings import Settings
from micro_rl.storage import pytree_io
from micro_rl.storage.background import Background
from micro_rl.storage.files import CannotWrite
from micro_rl.storage.jsonl import Row, RowFile
from micro_rl.storage.metrics_log import MetricsLog
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.fitting import FittedModel, save_model
from micro_rl.training.interrupts import Interrupts

State = TypeVar("State", TrainState, LogState)
Arrays = dict[str, np.ndarray]


class KeptRun:
    """A training's saves. Checkpoints are written beside the next epochs, from a copy; use it in a `with`."""

    def __init__(
        self,
        folder: RunFolder,
        fit_rows: RowFile,
        model: FittedModel | None,
        settings: Settings,
        note: Callable[[str], None],
    ):
        """`fit_rows` may hold some of the dynamics fit that the disk has refused so far."""
        self._folder, self._fit_rows, self._model, self._settings, self._note = folder, fit_rows, model, settings, note
        self._background = Background(self._refused)
        self._overdue = False
        self._saved_epoch = 0
        self._score: float | None = None
        self._try(self._save_model)

    def __enter__(self) -> "KeptRun":
        return self

    def __exit__(self, *_: object) -> None:
        self._background.close()

    def restored(self, fresh: State) -> State:
        """The newest valid checkpoint if there is one; the folder goes back to its epoch."""
        kept = self._folder.checkpoints.newest()
        if kept is None:
            self._folder.rewind(0)
            return fresh
        state = pytree_io.from_arrays(fresh, kept.arrays, str(self._folder.checkpoints.folder(kept.epoch)))
        for skipped in kept.skipped:
            self._note(f"passed over a checkpoint: {skipped}")
        self._note(f"goes on after epoch {kept.epoch}")
        self._folder.rewind(kept.epoch, kept.meta["unwritten"])
        self._saved_epoch = kept.epoch
        return state

    def take(self, number: int, whole: Callable[[], TrainState | LogState], final: bool) -> Arrays | None:
        """Copies of the state after epoch `number`, which `whole` makes, where a save is due.

        A save is overdue at the next epoch where the one before is still going on.
        """
        if not (final or self._overdue or number % self._settings.checkpoint_every == 0):
            return None
        self._overdue = self._background.busy() and not final
        return None if self._overdue else pytree_io.copies(whole())

    def epoch(self, row: Row, log: MetricsLog, taken: Arrays | None, final: bool) -> None:
        """Write the row, and save what was taken of the state."""
        self._try(self._fit_rows.write_waiting)
        self._try(lambda: log.append(row))
        self._score = next((row[key] for key in SCORE_KEYS if key in row), None)
        if taken is not None:
            self._begin(taken, int(row["epoch"]), log)
        if final:
            self.finish()

    def leave(self, state: TrainState | LogState, log: MetricsLog, interrupts: Interrupts) -> None:
        """A signal came: save what is finished, and raise `Interrupted`."""
        self.finish()
        epoch = int(state.epoch)
        if self._saved_epoch != epoch:
            self._begin(pytree_io.copies(state), epoch, log)
            self.finish()
        saved = f"epoch {self._saved_epoch} is saved" if self._saved_epoch else "no epoch was finished"
        interrupts.leave(f"{saved}; the same command with --resume goes on")

    def finish(self) -> None:
        """Wait for the save that is going on."""
        self._background.finish()

    def _begin(self, arrays: Arrays, epoch: int, log: MetricsLog) -> None:
        unwritten, score = log.waiting, self._score

        def save() -> None:
            self._save_model()
            self._folder.checkpoints.save(epoch, arrays, score=score, unwritten=unwritten, seed=self._settings.seed)
            self._saved_epoch = epoch

        self._background.begin(save)

    def _save_model(self) -> None:
        if self._model is not None and not self._folder.model.exists():
            save_model(self._folder.model, self._model)
        self._folder.fit_checkpoints.drop_all()

    def _try(self, save: Callable[[], None]) -> None:
        try:
            save()
        except CannotWrite as error:
            self._refused(error)

    def _refused(self, error: CannotWrite) -> None:
        self._note(f"not saved, training goes on: {error}")
