"""Processes that do the work: what they say when they fail, and that none outlives whoever began it."""

import json
import subprocess
import sys

import pytest

from micro_rl.cluster.place import make_home
from micro_rl.errors import UserError
from micro_rl.selection import task as work
from micro_rl.selection import workers
from micro_rl.selection.crew import UNFIT, on_node
from micro_rl.selection.task import Task
from micro_rl.storage.files import CannotWrite


def test_a_task_that_fails_says_why_and_keeps_none_of_the_others(tmp_path):
    tasks = [
        Task(name, str(tmp_path / f"{name}.hdf5"), str(tmp_path / name), "bc", {"preset": "generic"}, (0,), 2)
        for name in ("a", "b")
    ]
    seen = []
    failures = workers.carry_out(tasks, tmp_path / "tasks", 2, lambda running: seen.append(len(running)))
    assert [failure.name for failure in failures] == ["a", "b"] or [own.name for own in failures] == ["b", "a"]
    assert all(f"{failure.name}.hdf5" in failure.reason for failure in failures)
    assert max(seen) == 2


def test_a_process_leaves_when_whoever_began_it_is_gone(tmp_path):
    task = Task("a", "none", str(tmp_path / "out"), "bc", {}, (0,), 2)
    (tmp_path / "a.json").write_text(json.dumps(task._asdict()))
    words = [sys.executable, "-m", "micro_rl.selection.task", str(tmp_path / "a.json"), "1"]
    assert subprocess.run(words, timeout=60, capture_output=True).returncode == 1


def test_a_disk_that_refuses_is_no_fault_of_the_task(tmp_path, monkeypatch, capsys):
    """The choice stops, and goes on once there is room: no candidate is given up for it."""

    def refuse(task):
        raise CannotWrite(f"{task.out}: cannot be written (No space left on device); free the disk")

    task = Task("a", "none", str(tmp_path / "out"), "bc", {}, (0,), 2)
    (tmp_path / "a.json").write_text(json.dumps(task._asdict()))
    monkeypatch.setattr(work, "carry_out", refuse)
    monkeypatch.setattr(work, "_leave_with", lambda parent: None)
    monkeypatch.setattr(sys, "argv", ["task", str(tmp_path / "a.json"), "1"])
    with pytest.raises(SystemExit) as left:
        work.main()
    (tmp_path / "a.txt").write_text(capsys.readouterr().err)
    with pytest.raises(UserError, match=r"No space left on device.*; then go on with --resume"):
        workers._failure(task, int(str(left.value)), tmp_path)
    monkeypatch.setattr("micro_rl.selection.crew.differences", lambda driver: "")
    assert on_node(task, make_home(tmp_path, "word"), {})[0] == UNFIT
