"""Metrics written as a run writes them, and TensorBoard's event files, read with tensorboardX's own messages."""

import importlib
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from micro_rl.storage.jsonl import Row
from micro_rl.storage.metrics_log import open_metrics
from micro_rl.storage.run_folder import RunFolder


def write_metrics(run: RunFolder, rows: Sequence[Row]) -> None:
    """These rows, into all forms that the run keeps."""
    with open_metrics(run) as log:
        for row in rows:
            log.append(row)


def events(path: Path) -> Iterator[Any]:
    """The Events of a file, whose checksums are left to the test of the exact bytes."""
    event: Any = importlib.import_module("tensorboardX.proto.event_pb2").Event
    data, at = path.read_bytes(), 0
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        yield event.FromString(data[at + 12 : at + 12 + size])
        at += 12 + size + 4


def scalars(folder: Path) -> list[tuple[int, str, float]]:
    """(step, tag, value) of every scalar in a folder's event files."""
    return [
        (event.step, value.tag, value.simple_value)
        for path in sorted(folder.glob("events.out.tfevents.*"))
        for event in events(path)
        for value in event.summary.value
    ]
