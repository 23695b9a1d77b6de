"""Signals while the main thread cannot answer: the first is remembered, the second ends the process at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from micro_rl.errors import Interrupted
from micro_rl.training.interrupts import Interrupts, leaving_on_sigterm

ROOT = Path(__file__).parent.parent

# The main thread waits in C, as it does for a compiled epoch.
STUCK = """
import ctypes, sys
from micro_rl.training.interrupts import Interrupts
with Interrupts(lambda text: print(text, flush=True)):
    print("ready", flush=True)
    libc = ctypes.CDLL(None)
    while True:
        libc.pause()
"""


def test_work_that_may_be_left_is_left_on_sigterm():
    before = signal.getsignal(signal.SIGTERM)
    with (
        pytest.raises(Interrupted, match="stopped by SIGTERM; all is kept") as stopped,
        leaving_on_sigterm("all is kept"),
    ):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    assert stopped.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_remembered(number: signal.Signals):
    notes: list[str] = []
    before = signal.getsignal(number)
    with Interrupts(notes.append) as interrupts:
        assert not interrupts.received
        os.kill(os.getpid(), number)
        until = time.monotonic() + 10
        while not (interrupts.received and notes) and time.monotonic() < until:
            time.sleep(0.01)
        assert interrupts.received and "once more leaves at once" in notes[0]
        with pytest.raises(Interrupted, match=f"stopped by {number.name}; all is saved") as stopped:
            interrupts.leave("all is saved")
    assert stopped.value.exit_code == 128 + number
    assert signal.getsignal(number) is before


def test_other_signals_go_their_way():
    numbers: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: numbers.append(number))
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.05)
            assert not interrupts.received
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert numbers == [signal.SIGUSR1]


@pytest.mark.parametrize(("second", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_leaves_although_the_main_thread_never_returns(second: signal.Signals, code: int):
    with subprocess.Popen([sys.executable, "-c", STUCK], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        assert "stops when this epoch is finished" in child.stdout.readline()
        child.send_signal(second)
        assert child.wait(timeout=20) == code
