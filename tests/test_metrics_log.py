"""Mirrors of the rows: rectangular, without doubles, readable by others."""

import csv
import math
from pathlib import Path

import pytest

from micro_rl.storage import jsonl as rows
from micro_rl.storage import metrics_log, tensorboard_log
from micro_rl.storage.files import CannotWrite
from micro_rl.storage.metrics_log import open_metrics
from micro_rl.storage.run_folder import RunFolder
from tests.event_files import scalars, write_metrics

ROWS = [
    {"epoch": 1, "loss/critic": 0.5, "q/model": -2.0},
    {"epoch": 2, "loss/critic": math.nan, "q/model": math.inf, "eval/return": -160.25},
    {"epoch": 3, "loss/critic": 0.25, "q/model": 3},
]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", {"beta": 0.5})


def table(run: RunFolder) -> list[list[str]]:
    with open(run.path / "metrics.csv", newline="") as file:
        return list(csv.reader(file))


def test_the_csv_stays_rectangular(run):
    write_metrics(run, ROWS)
    assert table(run) == [
        ["epoch", "loss/critic", "q/model", "eval/return"],
        ["1", "0.5", "-2.0", ""],
        ["2", "nan", "inf", "-160.25"],
        ["3", "0.25", "3", ""],
    ]


def test_a_resumed_run_shows_each_epoch_once(run, tmp_path):
    write_metrics(run, ROWS)
    run.rewind(1)
    with open_metrics(run):
        assert [row[0] for row in table(run)] == ["epoch", "1"]
        assert {step for step, *_ in scalars(run.path)} == {1}
    write_metrics(run, ROWS[1:])
    whole = RunFolder.create(tmp_path / "whole", {})
    write_metrics(whole, ROWS)
    for name in ("metrics.jsonl", "metrics.csv"):
        assert (run.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert str(scalars(run.path)) == str(scalars(whole.path))


@pytest.mark.parametrize(
    ("module", "writer"), [(metrics_log, "append_file"), (tensorboard_log, "append_file"), (rows, "append_row")]
)
def test_rows_refused_by_the_disk_are_written_with_the_next(run, monkeypatch, module, writer):
    def refuse(path, *_):
        raise CannotWrite(f"{path}: cannot be written")

    with open_metrics(run) as log:
        log.append(ROWS[0])
        with monkeypatch.context() as patch, pytest.raises(CannotWrite):
            patch.setattr(module, writer, refuse)
            log.append(ROWS[2])
        log.append({**ROWS[0], "epoch": 4})
    assert [row["epoch"] for row in run.metrics()] == [1, 3, 4]
    assert [row[0] for row in table(run)] == ["epoch", "1", "3", "4"]
    assert sorted({step for step, *_ in scalars(run.path)}) == [1, 3, 4]
