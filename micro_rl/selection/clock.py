"""How long a choice has taken, over all processes that worked on it."""

import math
import time
from pathlib import Path
from typing import Any

from micro_rl.errors import UserError
from micro_rl.storage.json_files import read_json, write_json


class Clock:
    """Seconds of all processes since the choice was begun; what a killed one spent after its last mark is lost.

    What was spent before the training stays as it was the first time, so that going on, which is quicker, makes no
    other plan.
    """

    def __init__(self, path: Path, began: float | None = None):
        """Goes on from what the file says, where there is one; `UserError` where it is damaged.

        Args:
            path: its file.
            began: when this process began with the choice, by `time.monotonic`; by default now.
        """
        self._path, self._began = path, time.monotonic() if began is None else began
        self._before = _read(path) if path.exists() else {"seconds": 0.0, "before_training": None}

    @property
    def seconds(self) -> float:
        """All of them until now."""
        return float(self._before["seconds"]) + time.monotonic() - self._began

    def mark(self) -> None:
        """Keep what was spent until now."""
        write_json(self._path, self._before | {"seconds": self.seconds})

    def before_training(self) -> float:
        """Seconds until this was asked for the first time."""
        if self._before["before_training"] is None:
            self._before |= {"before_training": self.seconds}
        self.mark()
        return float(self._before["before_training"])


def _read(path: Path) -> dict[str, Any]:
    times = read_json(path)
    seconds, before = times.get("seconds"), times.get("before_training")
    if _is_time(seconds) and (before is None or _is_time(before)):
        return {"seconds": seconds, "before_training": before}
    raise UserError(f"{path}: tells no seconds; restore it from a copy, or choose another folder")


def _is_time(value: Any) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value < math.inf
