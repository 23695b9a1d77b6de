"""Checkpoints of a training or a fit: the newest few and the best stay, and the newest valid one is found again."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from micro_rl.errors import UserError
from micro_rl.storage.arrays import read_arrays, write_arrays
from micro_rl.storage.files import hidden, remove
from micro_rl.storage.json_files import NewerFormat, read_json
from micro_rl.storage.jsonl import Row, numbers


class Checkpoint(NamedTuple):
    """A state read back, and why any newer ones were passed over."""

    epoch: int
    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]
    skipped: list[str]


@dataclass(frozen=True)
class Checkpoints:
    """A folder of checkpoints, `epoch-000001` and so on: the newest `keep` stay, and the one with the best score."""

    path: Path
    keep: int = 2

    def folder(self, epoch: int) -> Path:
        """Where an epoch's state lies."""
        return self.path / f"epoch-{epoch:06d}"

    def epochs(self) -> list[int]:
        """List the epochs with a checkpoint, oldest first, valid or not."""
        names = os.listdir(self.path) if self.path.is_dir() else []
        matches = (re.fullmatch(r"epoch-([0-9]{6,9})|\.epoch-([0-9]{6,9})\.old", name) for name in names)
        return sorted({int(match[1] or match[2]) for match in matches if match})

    def save(
        self,
        epoch: int,
        arrays: Mapping[str, np.ndarray],
        *,
        score: float | None = None,
        unwritten: list[Row] | None = None,
        **meta: Any,
    ) -> None:
        """Save a state whole or not at all, then drop what need not stay.

        Args:
            epoch: after which the state was.
            arrays: of the state, by name.
            score: what its policy reached, where that was measured.
            unwritten: rows that the disk has refused so far.
            meta: what else JSON can hold of the state.

        Raises:
            CannotWrite: where the disk refuses; earlier checkpoints are still there.
        """
        state = {"epoch": epoch, "score": score, "unwritten": unwritten or [], **meta}
        write_arrays(self.folder(epoch), "state", arrays, state)
        self._drop(self._superseded())

    def newest(self) -> Checkpoint | None:
        """Read the newest valid checkpoint; None if none was ever saved.

        Raises:
            UserError: where all are damaged.
            NewerFormat: where a later version wrote the newest.
        """
        skipped: list[str] = []
        for epoch in reversed(self.epochs()):
            try:
                return Checkpoint(epoch, *self._read(epoch), skipped)
            except NewerFormat:
                raise
            except UserError as error:
                skipped.append(str(error))
        if skipped:
            raise UserError(f"{self.path}: no checkpoint can be used ({'; '.join(skipped)}); start a new run")
        return None

    def read(self, epoch: int) -> Checkpoint:
        """Read the checkpoint of an epoch; `UserError` where it is missing or damaged."""
        return Checkpoint(epoch, *self._read(epoch), [])

    def drop_after(self, epoch: int) -> None:
        """Forget later checkpoints, and the leftovers of saves that were cut short."""
        self._drop([later for later in self.epochs() if later > epoch])

    def drop_all(self) -> None:
        """Forget everything, once it is no longer needed."""
        self.drop_after(-1)
        with suppress(OSError):
            self.path.rmdir()

    def _read(self, epoch: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        folder = self.folder(epoch)
        arrays, meta = read_arrays(folder, "state")
        if meta.get("epoch") != epoch:
            raise UserError(f"{folder}: holds epoch {meta.get('epoch')!r:.40}; rename it back")
        meta["unwritten"] = _rows(meta.get("unwritten", []), folder)  # absent in format 1
        return arrays, meta

    def _superseded(self) -> list[int]:
        """All but the newest and the best."""
        older = self.epochs()[: -self.keep]
        scores = {epoch: score for epoch in self.epochs() if (score := self._score(epoch)) is not None}
        best = max(scores, key=lambda epoch: (scores[epoch], epoch), default=None)
        return [epoch for epoch in older if epoch != best]

    def _score(self, epoch: int) -> float | None:
        with suppress(UserError):
            score = read_json(self.folder(epoch) / "state.json").get("score")
            return score if type(score) in (int, float) and score == score else None
        return None

    def _drop(self, epochs: list[int]) -> None:
        """Each is renamed first: half a checkpoint never stands under a checkpoint's name."""
        for epoch in epochs:
            remove(hidden(self.folder(epoch), "tmp"))  # a leftover would be in the rename's way
            with suppress(OSError):
                os.rename(self.folder(epoch), hidden(self.folder(epoch), "tmp"))
            remove(hidden(self.folder(epoch), "old"))
        for leftover in self.path.glob(".epoch-*.tmp"):
            remove(leftover)


def _rows(declared: Any, folder: Path) -> list[Row]:
    try:
        return [numbers(row) for row in declared]
    except (TypeError, AttributeError) as error:
        raise UserError(f"{folder}: its rows are no rows of numbers; restore it from a copy") from error
