"""A run's numbers as TensorBoard events.

tensorboardX encodes them; its writer is not used, for it writes from a queue in a thread of its own.
"""

import importlib
import os
import struct
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from micro_rl.storage.files import append_file, replace_file
from micro_rl.storage.jsonl import Row


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
            opening = [_record(wall_time=now, file_version="brain.Event:2"), _start(now)]
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


class _Library(NamedTuple):
    Event: Any
    SessionLog: Any
    Summary: Any
    checksum: Any


@cache
def _library() -> _Library:
    """tensorboardX's parts, imported late because it imports much more than is needed here."""
    event, summary, record = (
        importlib.import_module(f"tensorboardX.{name}")
        for name in ("proto.event_pb2", "proto.summary_pb2", "record_writer")
    )
    return _Library(event.Event, event.SessionLog, summary.Summary, record.masked_crc32c)


def _start(wall_time: float) -> bytes:
    log = _library().SessionLog
    return _record(wall_time=wall_time, session_log=log(status=log.START))


def _scalars(wall_time: float, row: Row) -> bytes:
    """The row's numbers in single precision, those beyond its range as infinity."""
    summary = _library().Summary
    with np.errstate(over="ignore"):
        values = [
            summary.Value(tag=key, simple_value=float(np.float32(value)))
            for key, value in row.items()
            if key != "epoch"
        ]
    return _record(wall_time=wall_time, step=int(row["epoch"]), summary=summary(value=values))


def _record(**event: Any) -> bytes:
    """An Event with its length, each followed by its checksum."""
    content = _library().Event(**event).SerializeToString()
    length = struct.pack("<Q", len(content))
    return length + _checksum(length) + content + _checksum(content)


def _checksum(content: bytes) -> bytes:
    return struct.pack("<I", _library().checksum(content))
