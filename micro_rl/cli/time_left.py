"""How long runs may still take: by their epochs' own times, of which compiling and fits are no part.

An epoch's time is what computing it took, and what was waited for beside: an evaluation that took longer than the epoch
after it. The longest wait of a program is left out, for that is where its first evaluation was compiled.
"""

import time
from collections.abc import Callable

from micro_rl.core.epoch_time import computing_seconds
from micro_rl.storage.jsonl import Row


class TimeLeft:
    """Sees the epochs of runs that train in programs, one program after the other, several runs in each.

    `epochs`: of all of them together.
    """

    def __init__(self, runs: int, epochs: int, now: Callable[[], float] = time.monotonic):
        self._runs, self._epochs, self._now = runs, epochs, now
        self.passed = 0  # epochs of all runs in this process
        self.skipped = 0  # epochs that need not be waited for
        self._begun = self._beside = 0
        self._began: float | None = None
        self._computing = 0.0  # seconds of computing all epochs so far
        self._waits: list[float] = []  # each later epoch's seconds beside computing, of programs before this one
        self._own_waits: list[float] = []  # the same of this program; all in one run's share
        self._before: list[float] = []  # of each program: seconds up to its first epoch, fits and compiling

    def begin(self, new_program: bool) -> None:
        """Take note of a run that is asked for; those of one program are asked for one after another."""
        if new_program:
            self._waits, self._own_waits = self._usual_waits(), []
            self._beside, self._began = 0, self._now()
        self._beside += 1
        self._begun += 1

    def see(self, row: Row, first: bool) -> None:
        """Take an epoch's row, the moment that it is there; `first`: the run's first in this process."""
        seconds, beside = computing_seconds(row), max(self._beside, 1)
        self._computing += seconds / beside
        if not first:
            self._own_waits.append((row["time/seconds"] - seconds) / beside)
        else:
            self.skipped += int(row["epoch"]) - 1
            if self._began is not None:
                self._before.append(max(self._now() - self._began - seconds, 0.0))
                self._began = None
        self.passed += 1

    def seconds(self) -> float:
        """Seconds that the epochs to come may take, and what programs to come need before their first."""
        to_come = max(self._epochs - self.skipped - self.passed, 0)
        pace = self._computing / max(self.passed, 1) + _mean(self._usual_waits())
        programs = max(self._runs - self._begun, 0) / max(self._beside, 1)
        return pace * to_come + _mean(self._before) * programs

    def _usual_waits(self) -> list[float]:
        """Without the longest one of this program, which is in a row of each of its runs."""
        return self._waits + sorted(self._own_waits)[: -max(self._beside, 1)]


def _mean(seconds: list[float]) -> float:
    return sum(seconds) / len(seconds) if seconds else 0.0
