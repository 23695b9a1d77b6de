"""TensorBoard sees every number once, in the bytes that others write too."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from micro_rl.storage import tensorboard_log
from micro_rl.storage.run_folder import RunFolder
from tests.event_files import events, scalars, write_metrics

ROWS = [{"epoch": epoch, "loss/critic": 0.5 / epoch, "q/model": epoch - 3} for epoch in (1, 2, 3)]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", {"beta": 0.5})


def test_tensorboard_reads_every_number_once(run):
    write_metrics(
        run,
        [
            {"epoch": 1, "loss/critic": 0.5, "q/model": -2.0},
            {"epoch": 3, "loss/critic": 0.25, "q/model": 3},
            {"epoch": 300, "q/model": 1e300},
        ],
    )
    assert scalars(run.path) == [
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
    assert tensorboard_log._scalars(1.5, {"epoch": 300, "loss/critic": 0.25, "q/model": -7}).hex() == expected


def test_an_event_file_begins_with_its_version_and_a_fresh_start(run):
    write_metrics(run, [])
    (path,) = run.path.glob("events.out.tfevents.*")
    version, start = events(path)
    assert version.file_version == "brain.Event:2"
    assert start.session_log.status == start.session_log.START, "a TensorBoard then forgets what it read before"


def test_a_resumed_runs_event_file_sorts_after_the_earlier_one(run):
    write_metrics(run, ROWS)
    for _ in range(3):
        write_metrics(run, [])
        files = sorted(run.path.glob("events.out.tfevents.*"))
        assert [path.stat().st_size > 0 for path in files] == [False, True]


def test_the_name_tells_nothing_about_the_machine(run):
    write_metrics(run, [])
    (path,) = run.path.glob("events.*")
    assert re.fullmatch(r"events\.out\.tfevents\.[0-9]{10}\.micro_rl", path.name)


def test_what_encodes_the_events_is_imported_late():
    code = "import sys, micro_rl.storage.metrics_log; sys.exit('tensorboardX' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent).returncode == 0
