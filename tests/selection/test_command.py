"""The whole command, with its processes: stopped in the middle, it goes on and decides."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from micro_rl.cli.main import run
from micro_rl.data.conversion import convert
from tests.trust import line_world

COMMAND = [sys.executable, "-c", "from micro_rl.cli.main import main; main()", "choose"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "line.hdf5"
    convert(line_world.log(), path, "hdf5", "a test")
    return path


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--minutes", "1"], "minutes: 1 cannot be; take 5 or more"),
        (["--limits", "o0 + 1"], "is a number, not a condition"),
        (["--plan", "nowhere.json"], "nowhere.json"),
        (["--window", "abc"], "is no number of steps"),
        (["--window", "8h"], "tells no times"),
        (["--groups", "nonsense"], "--groups nonsense"),
        (["--termination", "o7 > 2"], "o7"),
        (["--current-policy", "mine.py"], "name a file and a function"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(file, tmp_path, capsys, words, reason):
    out = tmp_path / "out"
    assert run(["choose", str(file), "--out", str(out), *words]) == 2
    message = capsys.readouterr().err
    assert reason in message and message.count("\n") == 1
    assert not out.exists()


def test_a_folder_that_is_a_file_or_is_taken_is_refused(file, tmp_path, capsys):
    assert run(["choose", str(file), "--out", str(file)]) == 2
    assert "is a file" in capsys.readouterr().err
    (tmp_path / "mine.txt").write_text("mine")
    assert run(["choose", str(file), "--out", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_stopped_in_the_middle_it_goes_on_and_decides(file, tmp_path):
    """Five minutes on two cores."""
    out = tmp_path / "out"
    words = [*COMMAND, str(file), "--minutes", "5", "--out", str(out)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    while not (out / "tasks" / "model.json").exists():
        assert process.poll() is None
        time.sleep(0.5)
    time.sleep(5)
    process.send_signal(signal.SIGINT)
    assert "--resume goes on" in process.communicate(timeout=120)[1] and process.returncode == 130
    assert not _at_work(out)
    subprocess.run([*words, "--resume"], check=True, stdout=subprocess.DEVNULL)
    record = json.loads((out / "decision.json").read_text())
    assert record["judgement"] and (out / "decision.html").exists()
    assert (out / "policy.safetensors").exists() == bool(record["chosen"])
    assert not [own["failure"] for own in record["candidates"] if own["failure"]]


def _at_work(out: Path) -> list[str]:
    """Processes that still work for a choice."""
    numbers = [name for name in os.listdir("/proc") if name.isdigit()]
    lines = []
    for number in numbers:
        try:
            lines.append(Path("/proc", number, "cmdline").read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return [line for line in lines if "micro_rl.selection.task" in line and str(out) in line]
