"""How long runs may still take: by their epochs' own times, of which compiling and fits are no part."""

import time
from collections.abc import Callable

from micro_rl.storage.jsonl import Row


class TimeLeft:
    """Sees the epochs of runs that train in programs, one program after the other, several runs in each."""

    def __init__(self, runs: int, epochs: int, now: Callable[[], float] = time.monotonic):
        self._runs, self._epochs, self._now = runs, epochs, now
        self.passed = 0  # epochs of all runs in this process
        self.skipped = 0  # epochs that need not be waited for
        self._begun = self._beside = 0
        self._began: float | None = None
        self._first = 0.0  # seconds of a first epoch, without compiling, and of one run's share of later ones
        self._later = 0.0
        self._counted = 0
        self._before: list[float] = []  # of each program: seconds up to its first epoch, fits and compiling

    def begin(self, new_program: bool) -> None:
        """Take note of a run that is asked for; those of one program are asked for one after another."""
        if new_program:
            self._beside, self._began = 0, self._now()
        self._beside += 1
        self._begun += 1

    def see(self, row: Row, first: bool) -> None:
        """Take an epoch's row, the moment that it is there; `first`: the run's first in this process."""
        if first:
            self.skipped += int(row["epoch"]) - 1
            seconds = _computing(row)
            self._first = seconds / max(self._beside, 1)
            if self._began is not None:
                self._before.append(max(self._now() - self._began - seconds, 0.0))
                self._began = None
        else:
            self._later += row["time/seconds"] / max(self._beside, 1)
            self._counted += 1
        self.passed += 1

    def seconds(self) -> float:
        """Seconds that the epochs to come may take, and what programs to come need before their first."""
        to_come = max(self._runs * self._epochs - self.skipped - self.passed, 0)
        pace = self._later / self._counted if self._counted else self._first
        programs = max(self._runs - self._begun, 0) / max(self._beside, 1)
        before = sum(self._before) / len(self._before) if self._before else 0.0
        return pace * to_come + before * programs


def _computing(row: Row) -> float:
    """Seconds of an epoch without compiling, which `time/seconds` of a program's first one holds."""
    speed, updates = row.get("time/updates_per_second", 0.0), row.get("updates", 0.0) / max(row["epoch"], 1)
    return min(updates / speed, row["time/seconds"]) if speed > 0 and updates else row["time/seconds"]
