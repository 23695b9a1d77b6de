"""Processes that do the work: what they say when they fail, and that none outlives whoever began it."""

import json
import subprocess
import sys

from micro_rl.selection import workers
from micro_rl.selection.task import Task


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
