"""A run's numbers for other programs: CSV, TensorBoard and Weights & Biases, all mirrors of metrics.jsonl.

The JSON lines are the truth. When a run is opened, CSV and TensorBoard events are made anew from them, so
that a resumed run shows each epoch once; after that they are appended to. NaN and infinity are `nan` and
`inf` in the CSV, where an empty field means that the epoch has no such number.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from micro_rl.storage.files import CannotWrite, append_file, replace_file
from micro_rl.storage.jsonl import Row, RowFile
from micro_rl.storage.run_folder import RunFolder
from micro_rl.storage.tensorboard_log import TensorBoardFile
from micro_rl.storage.wandb_log import WandbRun


@runtime_checkable
class Mirror(Protocol):
    """A second form of the rows, which may lag behind after a refused write and then catches up."""

    def update(self, rows: Sequence[Row]) -> None:
        """Write those of all the rows that are not written yet; raises `CannotWrite`."""
        ...

    def close(self) -> None:
        """Finish."""
        ...


class MetricsLog:
    """Adds rows to a run and its mirrors. Made by `open_metrics`; use it in a `with` or close it."""

    def __init__(self, run: RunFolder, mirrors: Sequence[Mirror]):
        self._mirrors = mirrors
        self._rows = run.metrics()
        self._file = RowFile(run.path / "metrics.jsonl", self._rows.append)

    @property
    def waiting(self) -> list[Row]:
        """Rows that the disk has refused so far."""
        return list(self._file.waiting)

    def append(self, row: Mapping[str, Any]) -> None:
        """Write an epoch's numbers everywhere.

        Args:
            row: numbers by name, `epoch` among them.

        Raises:
            CannotWrite: where the disk refuses; the row then waits and is written with the next one.
        """
        self._file.append(row)
        self.update_mirrors()

    def write_waiting(self) -> None:
        """Try again to write rows that the disk refused; raises `CannotWrite`."""
        self._file.write_waiting()
        self.update_mirrors()

    def update_mirrors(self) -> None:
        """Bring every mirror up to the last row; raises `CannotWrite`."""
        for mirror in self._mirrors:
            mirror.update(self._rows)

    def close(self) -> None:
        """Finish the mirrors."""
        for mirror in self._mirrors:
            mirror.close()

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# CSV


class CsvFile:
    """A rectangular table: a number not seen before gives it a new column and the whole file is replaced."""

    def __init__(self, path: Path):
        self._path = path
        self._columns: list[str] = []
        self._written = 0

    def update(self, rows: Sequence[Row]) -> None:
        """See `Mirror`."""
        columns = list(dict.fromkeys([*self._columns, *(key for row in rows[self._written :] for key in row)]))
        if columns != self._columns or not self._written:
            replace_file(self._path, _csv_bytes(columns, rows, header=True))
        elif self._written < len(rows):
            append_file(self._path, _csv_bytes(columns, rows[self._written :], header=False))
        self._columns, self._written = columns, len(rows)

    def close(self) -> None:
        """Nothing is held open."""


def _csv_bytes(columns: Sequence[str], rows: Iterable[Row], header: bool) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    if header and columns:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def open_metrics(run: RunFolder, wandb: WandbRun | None = None) -> MetricsLog:
    """Open what a run's rows go to: metrics.jsonl and its mirrors.

    Args:
        run: when resuming, after `run.rewind(epoch)`.
        wandb: the run at Weights & Biases, where the rows shall go there too.

    Returns:
        The log; closing it closes that run.
    """
    mirrors: list[Mirror] = [CsvFile(run.path / "metrics.csv"), TensorBoardFile(run.path)]
    if wandb is not None:
        mirrors.append(wandb)
    log = MetricsLog(run, mirrors)
    with suppress(CannotWrite):  # the first row tries again, and says so
        log.update_mirrors()
    return log
