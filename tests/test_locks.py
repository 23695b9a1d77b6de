"""One training at a time, whatever became of the one before; and what others can see of it."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from micro_rl.errors import UserError
from micro_rl.storage.files import CannotWrite
from micro_rl.storage.locks import is_locked, locked

ROOT = Path(__file__).parent.parent
HOLDER = """
import sys
from pathlib import Path
from micro_rl.storage.files import CannotWrite
from micro_rl.storage.locks import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def holding(lock: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", HOLDER, str(lock)]
    other = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"locked\n"
    return other


def test_the_second_is_refused_and_told_of_the_first_until_that_was_killed(tmp_path: Path):
    lock = tmp_path / "lock"
    with holding(lock) as other:
        assert is_locked(lock)
        with (
            pytest.raises(UserError, match=rf"another training is going on there \(process {other.pid}\)"),
            locked(lock),
        ):
            pytest.fail("was let in")
        other.kill()
    assert not is_locked(lock)
    with locked(lock) as killed:
        assert killed == str(other.pid)
        assert is_locked(lock)
        with pytest.raises(UserError, match=f"process {os.getpid()}"), locked(lock):
            pytest.fail("was let in")
    with locked(lock) as killed:
        assert killed is None


def test_a_mistake_inside_leaves_nothing_that_looks_like_a_crash(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock"):
        raise ZeroDivisionError
    with locked(tmp_path / "lock") as killed:
        assert killed is None


def test_looking_turns_nobody_away(tmp_path: Path):
    lock = tmp_path / "lock"
    assert not is_locked(lock)
    for _ in range(3):
        with locked(lock):
            assert is_locked(lock)
        assert not is_locked(lock)


def test_a_look_of_another_process_turns_no_taker_away(tmp_path: Path):
    """Whoever looks holds the lock for an instant; 0.2 s here, and a taker waits for it."""
    lock = tmp_path / "lock"
    look = FileLock(lock, thread_local=False)
    look.acquire()
    threading.Timer(0.2, look.release).start()
    with locked(lock) as killed:
        assert killed is None


def test_a_full_disk_and_a_folder_of_others(tmp_path: Path, monkeypatch):
    lock = tmp_path / "lock"
    with holding(lock) as other:
        monkeypatch.setattr(FileLock, "acquire", refuse)
        assert is_locked(lock), "a number is there, and the lock cannot be tried"
        with pytest.raises(CannotWrite, match="lock: cannot be written"), locked(lock):
            pytest.fail("was let in")
        assert other.stdin is not None
        other.stdin.close()
    assert not is_locked(lock)


def refuse(*_: object, **__: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")
