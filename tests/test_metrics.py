"""Mirrors of the rows: rectangular, without doubles, readable by others."""

import csv
import math
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from micro_rl import metrics, store
from micro_rl.errors import UserError
from micro_rl.metrics import WandbSettings, open_metrics
from micro_rl.store import CannotWrite, RunFolder

ROWS = [
    {"epoch": 1, "loss/critic": 0.5, "q/model": -2.0},
    {"epoch": 2, "loss/critic": math.nan, "q/model": math.inf, "eval/return": -160.25},
    {"epoch": 3, "loss/critic": 0.25, "q/model": 3},
]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", {"beta": 0.5})


def write(run: RunFolder, rows) -> None:
    with open_metrics(run) as log:
        for row in rows:
            log.append(row)


def table(run: RunFolder) -> list[list[str]]:
    with open(run.path / "metrics.csv", newline="") as file:
        return list(csv.reader(file))


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data: bytes) -> list[tuple[int, Any]]:
    """A protocol-buffer message as (number, value) pairs, by the wire format."""
    found, at = [], 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            size, at = varint(data, at) if key & 7 == 2 else ({1: 8, 5: 4}[key & 7], at)
            value, at = data[at : at + size], at + size
        found.append((key >> 3, value))
    return found


def events(path: Path) -> list[dict[int, Any]]:
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        found.append(dict(fields(data[at + 12 : at + 12 + size])))
        at += 12 + size + 4
    return found


def scalars(run: RunFolder) -> list[tuple[int, str, float]]:
    """(step, tag, value) of every scalar in the run's event files."""
    return [
        (event[2], tag.decode(), struct.unpack("<f", number)[0])
        for path in sorted(run.path.glob("events.out.tfevents.*"))
        for event in events(path)
        for _, value in fields(event.get(5, b""))
        for tag, number in [dict(fields(value)).values()]
    ]


def test_the_csv_stays_rectangular(run):
    write(run, ROWS)
    assert table(run) == [
        ["epoch", "loss/critic", "q/model", "eval/return"],
        ["1", "0.5", "-2.0", ""],
        ["2", "nan", "inf", "-160.25"],
        ["3", "0.25", "3", ""],
    ]


def test_tensorboard_reads_every_number_once(run):
    write(run, [ROWS[0], ROWS[2], {"epoch": 300, "q/model": 1e300}])
    assert scalars(run) == [
        (1, "loss/critic", 0.5),
        (1, "q/model", -2.0),
        (3, "loss/critic", 0.25),
        (3, "q/model", 3.0),
        (300, "q/model", math.inf),
    ]


def test_records_are_the_bytes_that_tensorboardx_2_6_5_writes():
    expected = (
        "3200000000000000241956ec09000000000000f83f10ac022a240a120a0b6c6f73732f637269746963150000803e"
        "0a0e0a07712f6d6f64656c150000e0c0b39a17b3"
    )
    assert metrics._scalars(1.5, {"epoch": 300, "loss/critic": 0.25, "q/model": -7}).hex() == expected


def test_an_event_file_begins_with_its_version_and_a_fresh_start(run):
    write(run, [])
    (path,) = run.path.glob("events.out.tfevents.*")
    version, start = events(path)
    assert version[3] == b"brain.Event:2"
    assert fields(start[7]) == [(1, 1)], "SessionLog.START makes a TensorBoard forget what it read before"


def test_a_resumed_run_shows_each_epoch_once(run, tmp_path):
    write(run, ROWS)
    run.rewind(1)
    with open_metrics(run):
        assert [row[0] for row in table(run)] == ["epoch", "1"]
        assert {step for step, *_ in scalars(run)} == {1}
    write(run, ROWS[1:])
    whole = RunFolder.create(tmp_path / "whole", {})
    write(whole, ROWS)
    for name in ("metrics.jsonl", "metrics.csv"):
        assert (run.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert str(scalars(run)) == str(scalars(whole))


def test_a_resumed_runs_event_file_sorts_after_the_earlier_one(run):
    write(run, ROWS)
    for _ in range(3):
        write(run, [])
        files = sorted(run.path.glob("events.out.tfevents.*"))
        assert [path.stat().st_size > 0 for path in files] == [False, True]


@pytest.mark.parametrize("writer", ["append_file", "append_row"])
def test_rows_refused_by_the_disk_are_written_with_the_next(run, monkeypatch, writer):
    def refuse(path, *_):
        raise CannotWrite(f"{path}: cannot be written")

    module = {"append_file": metrics, "append_row": store}[writer]
    with open_metrics(run) as log:
        log.append(ROWS[0])
        with monkeypatch.context() as patch, pytest.raises(CannotWrite):
            patch.setattr(module, writer, refuse)
            log.append(ROWS[2])
        log.append({**ROWS[0], "epoch": 4})
    assert [row["epoch"] for row in run.metrics()] == [1, 3, 4]
    assert [row[0] for row in table(run)] == ["epoch", "1", "3", "4"]
    assert sorted({step for step, *_ in scalars(run)}) == [1, 3, 4]


def test_wandb_that_is_not_installed_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r"micro-rl\[wandb\]"):
        open_metrics(run, WandbSettings())


class FakeWandb:
    """Records what it is told, in place of a service."""

    def __init__(self):
        self.started, self.logged, self.finished = [], [], 0

    def init(self, **arguments):
        self.started.append(arguments)
        return self

    def log(self, row, step):
        self.logged.append((step, row))

    def finish(self):
        self.finished += 1


def test_wandb_goes_on_under_one_identity(run, monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    for row in ROWS:
        with open_metrics(run, WandbSettings(project="p")) as log:
            log.append(row)
    assert [step for step, _ in fake.logged] == [1, 2, 3]
    assert fake.finished == 3
    assert len({arguments["id"] for arguments in fake.started}) == 1
    assert fake.started[0]["mode"] == "offline" and fake.started[0]["project"] == "p"
    assert fake.started[0]["config"]["beta"] == 0.5
