"""The run folder: all that a training run leaves on disk, and how it goes on from there."""

import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from micro_rl.arrays import read_arrays, write_arrays
from micro_rl.errors import UserError
from micro_rl.files import (
    FORMAT,
    NewerFormat,
    check_format,
    hidden,
    read_json,
    reading,
    remove,
    replace_file,
    saving,
    sha256,
    write_json,
)
from micro_rl.rows import Row, append_row, read_rows, rewind_rows

_MANIFEST = "manifest.json"


class Checkpoint(NamedTuple):
    """A training state read back, and why any newer ones were passed over."""

    epoch: int
    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]
    skipped: list[str]


@dataclass(frozen=True)
class RunFolder:
    """One training run on disk; `keep` is how many checkpoints stay. Make it with `create` or `open`."""

    path: Path
    keep: int = 2

    @classmethod
    def create(cls, path: Path | str, config: Mapping[str, Any], keep: int = 2) -> "RunFolder":
        """Begin a run in a new or empty folder; the configuration is the first thing in it."""
        path = Path(path)
        with saving(path):
            path.mkdir(parents=True, exist_ok=True)
            taken = [entry for entry in path.iterdir() if not entry.name.endswith(".tmp")]
        if taken:
            raise UserError(f"{path}: is not empty; continue the run there with --resume or choose another folder")
        write_json(path / "config.json", {"format": FORMAT, **config})
        return cls(path, keep)

    @classmethod
    def open(cls, path: Path | str, keep: int = 2) -> "RunFolder":
        """An existing run, unchanged; raises `UserError` if there is none."""
        path = Path(path)
        with reading(path):
            present = (path / "config.json").exists()
        if not present:
            raise UserError(f"{path}: is not a run folder (it has no config.json); check the path")
        run = cls(path, keep)
        check_format(run.config().get("format"), path / "config.json")
        return run

    @property
    def model(self) -> Path:
        """Folder of the ensemble: `read_arrays(run.model, "ensemble")`."""
        return self.path / "model"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other training out of the folder meanwhile; `UserError` if one is already there.

        The system lets go of the file `lock` when its process dies, however it dies, so none stays locked.
        """
        path = self.path / "lock"
        with saving(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        try:
            with saving(path):
                self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"{self.path}: another training is going on there; wait for it or stop it") from error

    def config(self) -> dict[str, Any]:
        """The configuration given to `create`, and its `format`."""
        return read_json(self.path / "config.json")

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add an epoch's numbers to metrics.jsonl; the row must hold `epoch`."""
        if "epoch" not in row:
            raise ValueError("a row of metrics needs its epoch")
        append_row(self.path / "metrics.jsonl", row)

    def metrics(self) -> list[Row]:
        """The rows of metrics.jsonl."""
        return read_rows(self.path / "metrics.jsonl")

    def append_fit(self, row: Mapping[str, Any]) -> None:
        """Add an epoch of the dynamics fit to fit.jsonl."""
        append_row(self.path / "fit.jsonl", row)

    def fit(self) -> list[Row]:
        """The rows of fit.jsonl."""
        return read_rows(self.path / "fit.jsonl")

    def restart_fit(self) -> None:
        """Forget the epochs of a fit that was cut short."""
        replace_file(self.path / "fit.jsonl", b"")

    def write_scores(self, scores: Mapping[str, Any]) -> None:
        """Replace scores.json."""
        write_json(self.path / "scores.json", scores)

    def scores(self) -> dict[str, Any]:
        """The object in scores.json; raises `UserError` if the run has none yet."""
        return read_json(self.path / "scores.json")

    def seal(self) -> None:
        """List the finished run's files with their SHA-256 in manifest.json."""
        names = ("config.json", "metrics.jsonl", "policy.safetensors", "scores.json", "report.html")
        files = {name: {"sha256": sha256(self.path / name)} for name in names if (self.path / name).exists()}
        write_json(self.path / _MANIFEST, {"format": FORMAT, "files": files})

    def verify(self) -> None:
        """Compare the files that `seal` listed; `UserError` names the first that has changed."""
        if not (self.path / _MANIFEST).exists():
            raise UserError(f"{self.path}: its run is not finished; let it go on with micro-rl train LOG --resume")
        for name, entry in read_json(self.path / _MANIFEST).get("files", {}).items():
            if (
                Path(name).name != name
                or not (self.path / name).exists()
                or sha256(self.path / name) != entry.get("sha256")
            ):
                raise UserError(
                    f"{self.path / name}: is not the file this run wrote; restore it from a copy or train again"
                )

    def checkpoint(self, epoch: int) -> Path:
        """Folder of an epoch's training state."""
        return self.path / "checkpoints" / f"epoch-{epoch:06d}"

    def checkpoints(self) -> list[int]:
        """Epochs with a checkpoint, oldest first, valid or not."""
        names = os.listdir(self.path / "checkpoints") if (self.path / "checkpoints").is_dir() else []
        found = (re.fullmatch(r"epoch-([0-9]{6,9})|\.epoch-([0-9]{6,9})\.old", name) for name in names)
        return sorted({int(match[1] or match[2]) for match in found if match})

    def save_checkpoint(self, epoch: int, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        """Save the whole training state, then drop all but the newest `keep`; raises `CannotWrite`."""
        write_arrays(self.checkpoint(epoch), "state", arrays, {**meta, "epoch": epoch})
        self._drop_checkpoints(self.checkpoints()[: -self.keep])

    def newest_checkpoint(self) -> Checkpoint | None:
        """The newest valid checkpoint, None if none was ever saved.

        Raises `UserError` if all are damaged, `NewerFormat` if a later version wrote the newest.
        """
        skipped: list[str] = []
        for epoch in reversed(self.checkpoints()):
            try:
                arrays, meta = read_arrays(self.checkpoint(epoch), "state")
                if meta.get("epoch") != epoch:
                    raise UserError(f"{self.checkpoint(epoch)}: holds epoch {meta.get('epoch')}; rename it back")
                return Checkpoint(epoch, arrays, meta, skipped)
            except NewerFormat:
                raise
            except UserError as error:
                skipped.append(str(error))
        if skipped:
            raise UserError(f"{self.path}: no checkpoint can be used ({'; '.join(skipped)}); start a new run")
        return None

    def rewind(self, epoch: int) -> None:
        """Make the folder as it was after an epoch: drop later rows, checkpoints and leftovers, and the seal.

        To be called before a stopped run goes on; -1 forgets all epochs.
        """
        with saving(self.path):
            (self.path / _MANIFEST).unlink(missing_ok=True)
        rewind_rows(self.path / "metrics.jsonl", epoch)
        self._drop_checkpoints([later for later in self.checkpoints() if later > epoch])

    def _drop_checkpoints(self, epochs: list[int]) -> None:
        for epoch in epochs:
            remove(self.checkpoint(epoch))
            remove(hidden(self.checkpoint(epoch), "old"))
        for leftover in (self.path / "checkpoints").glob(".epoch-*.tmp"):
            remove(leftover)
