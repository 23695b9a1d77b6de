"""Tasks on as many processes as there are cores, the longest first; each process has one core's threads."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from micro_rl.core.one_thread import ONE_THREAD
from micro_rl.errors import Diverged, Interrupted, UserError
from micro_rl.selection.task import REFUSED, Task
from micro_rl.storage.files import replace_file, saving

GLANCE = 0.5
"""Seconds between looks at the processes."""


class Failure(NamedTuple):
    """Why a task came to nothing, in one line."""

    name: str
    reason: str


def cores() -> int:
    """How many this process may use; 1 where a graphics card does the work, which takes one process at a time."""
    import jax

    if jax.default_backend() != "cpu":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def carry_out(
    tasks: Sequence[Task],
    folder: Path,
    workers: int,
    watch: Callable[[Sequence[Task]], None] = lambda running: None,
) -> list[Failure]:
    """Do all tasks, in their order, as many at once as there are workers.

    Args:
        tasks: the longest first.
        folder: where what each has to do, and what it says, is kept.
        workers: processes at once.
        watch: sees which are at work, twice a second.

    Returns:
        Those that came to nothing, which keeps none of the others.

    Raises:
        KeyboardInterrupt, Interrupted: it was asked to stop; every process has saved its work.
        UserError: the disk refused a save, a process was killed, or one ended in a way that nobody foresaw.
    """
    waiting, running, failures = list(tasks), dict[str, tuple[Task, subprocess.Popen]](), list[Failure]()
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                task = waiting.pop(0)
                running[task.name] = task, _begin(task, folder, workers)
            watch([task for task, _ in running.values()])
            time.sleep(GLANCE)
            for name, (task, process) in list(running.items()):
                if process.poll() is not None:
                    del running[name]
                    failures += _failure(task, process.returncode, folder)
    except (KeyboardInterrupt, Interrupted, UserError):
        _stop([process for _, process in running.values()])
        raise
    return failures


def _begin(task: Task, folder: Path, workers: int) -> subprocess.Popen:
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / f"{task.name}.json", json.dumps(task._asdict()).encode())
    environment = os.environ | (ONE_THREAD if workers > 1 else {})
    with (folder / f"{task.name}.txt").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "micro_rl.selection.task", str(folder / f"{task.name}.json"), str(os.getpid())],
            stdout=said,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # a Ctrl-C is passed on, once
        )


def _failure(task: Task, code: int, folder: Path) -> list[Failure]:
    if code == 0:
        return []
    lines = (folder / f"{task.name}.txt").read_text(errors="replace").strip().splitlines()
    last = lines[-1] if lines else "nothing was said"
    if code in (UserError.exit_code, Diverged.exit_code):
        return [Failure(task.name, last)]
    if code == REFUSED:
        raise UserError(f"choose: {last}; then go on with --resume")
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    raise UserError(
        f"choose: the process of {task.name} ended {how} ({last}); all that is finished is kept: find out why, perhaps "
        "for want of memory, and go on with --resume"
    )


def _stop(processes: Sequence[subprocess.Popen]) -> None:
    """Ask every process to save and leave, and wait until it has."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait()
