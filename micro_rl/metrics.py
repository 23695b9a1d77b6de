"""A run's numbers for other programs: CSV, TensorBoard and Weights & Biases, all mirrors of metrics.jsonl.

The JSON lines are the truth. When a run is opened, CSV and TensorBoard events are made anew from them, so
that a resumed run shows each epoch once; after that they are appended to. NaN and infinity are `nan` and
`inf` in the CSV, where an empty field means that the epoch has no such number.
"""

import csv
import importlib
import io
import os
import secrets
import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np

from micro_rl.errors import UserError
from micro_rl.store import Row, RunFolder, append_file, numbers, read_json, replace_file, write_json


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
        self._run = run
        self._mirrors = mirrors
        self._rows = run.metrics()
        self._waiting: list[Row] = []

    def append(self, row: Mapping[str, Any]) -> None:
        """Write an epoch's numbers everywhere.

        Raises `CannotWrite` if the disk refuses; the row is then kept and written with the next one.
        """
        self._waiting.append(numbers(row))
        while self._waiting:
            self._run.append_metrics(self._waiting[0])
            self._rows.append(self._waiting.pop(0))
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


# TensorBoard: records of protocol-buffer Events, see tensorflow/core/util/event.proto and record_writer.h


class TensorBoardFile:
    """Scalars against the epoch, written in the calling thread: a full disk is seen, no queue can block.

    All rows of a resumed run go into a new file, which begins by telling a TensorBoard that is watching to
    forget what it has read.
    """

    def __init__(self, folder: Path):
        self._earlier = sorted(folder.glob("events.out.tfevents.*"))
        last = max((_stamp(path) for path in self._earlier), default=0)
        self._path = folder / f"events.out.tfevents.{max(int(time.time()), last + 1):010d}.micro_rl"
        self._written: int | None = None

    def update(self, rows: Sequence[Row]) -> None:
        """See `Mirror`."""
        now = time.time()
        if self._written is None:
            opening = [_event(now, 0, _field(3, b"brain.Event:2")), _event(now, 0, _field(7, b"\x08\x01"))]
            replace_file(self._path, b"".join(opening + [_scalars(now, row) for row in rows]))
            _empty(self._earlier)
        elif self._written < len(rows):
            append_file(self._path, b"".join(_scalars(now, row) for row in rows[self._written :]))
        self._written = len(rows)

    def close(self) -> None:
        """Nothing is held open."""


def _empty(files: Sequence[Path]) -> None:
    """Hide earlier events: a TensorBoard goes on from an emptied file, not from a missing one."""
    for path in files:
        if path.stat().st_size:
            os.truncate(path, 0)
        else:
            path.unlink()


def _stamp(path: Path) -> int:
    stamp = path.name.split(".")[3]
    return int(stamp) if stamp.isdecimal() else 0


def _scalars(wall_time: float, row: Row) -> bytes:
    with np.errstate(over="ignore"):
        values = [
            _field(1, _field(1, key.encode()) + b"\x15" + np.float32(value).tobytes())
            for key, value in row.items()
            if key != "epoch"
        ]
    return _event(wall_time, int(row["epoch"]), _field(5, b"".join(values)))


def _event(wall_time: float, step: int, payload: bytes) -> bytes:
    """A record: length, its checksum, the Event (field 1 wall time, field 2 step), its checksum."""
    event = b"\x09" + struct.pack("<d", wall_time) + b"\x10" + _varint(step) + payload
    length = struct.pack("<Q", len(event))
    return length + _checksum(length) + event + _checksum(event)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _castagnoli(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CRC_TABLE = [_castagnoli(byte) for byte in range(256)]


def _checksum(content: bytes) -> bytes:
    """CRC-32C, masked as TensorFlow's records have it."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


# Weights & Biases


class WandbSettings(NamedTuple):
    """Where rows go; `offline` keeps them in the run folder for `wandb sync`."""

    project: str = "micro-rl"
    mode: Literal["online", "offline"] = "offline"


class WandbRun:
    """Rows for Weights & Biases; a resumed run goes on under its first identity, kept in wandb.json."""

    def __init__(self, run: RunFolder, settings: WandbSettings):
        try:
            wandb: Any = importlib.import_module("wandb")
        except ImportError as error:
            raise UserError("wandb is not installed; pip install 'micro-rl[wandb]' or leave it out") from error
        identity = run.path / "wandb.json"
        if not identity.exists():
            write_json(identity, {"id": secrets.token_hex(8)})
        self._run: Any = wandb.init(
            id=read_json(identity).get("id"),
            resume="allow",
            dir=str(run.path),
            config=run.config(),
            **settings._asdict(),
        )
        self._written = len(run.metrics())

    def update(self, rows: Sequence[Row]) -> None:
        """See `Mirror`; the rows of an earlier process were sent by it."""
        for row in rows[self._written :]:
            self._run.log(row, step=int(row["epoch"]))
        self._written = len(rows)

    def close(self) -> None:
        """Wait until everything is sent or stored."""
        self._run.finish()


def open_metrics(run: RunFolder, wandb: WandbSettings | None = None) -> MetricsLog:
    """Where a run's rows go; when resuming, after `run.rewind(epoch)`.

    Raises `CannotWrite`, and `UserError` if Weights & Biases is asked for and not installed.
    """
    mirrors: list[Mirror] = [CsvFile(run.path / "metrics.csv"), TensorBoardFile(run.path)]
    if wandb is not None:
        mirrors.append(WandbRun(run, wandb))
    log = MetricsLog(run, mirrors)
    log.update_mirrors()
    return log
