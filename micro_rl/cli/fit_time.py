"""How long a dynamics fit may still take: bounds from its epochs' times, its patience and its limit."""

import math
import time
from collections.abc import Callable

from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.wording import clock
from micro_rl.storage.jsonl import Row

GAIN = 0.99
"""A member improves where its error falls below this share of its best, as the fit itself counts it."""


class FitTime:
    """Sees the rows of one run's fit as they come."""

    def __init__(self, settings: ModelSettings, now: Callable[[], float] = time.monotonic):
        self._limit, self._patience, self._now = settings.max_fit_epochs, settings.patience, now
        self._drops = settings.model_lr_drops
        self._first = self._epoch = self._stale = 0
        self._began = self._seen = 0.0
        self._best: dict[str, float] = {}

    def see(self, row: Row) -> None:
        """Take an epoch's row, the moment that it is there."""
        self._epoch, self._seen = int(row["epoch"]), self._now()
        if not self._first:
            self._first, self._began = self._epoch, self._seen
        members = {key: error for key, error in row.items() if key.startswith("holdout/member")}
        better = {key: error for key, error in members.items() if error < GAIN * self._best.get(key, math.inf)}
        self._best |= better
        self._stale = 0 if better else self._stale + 1
        if self._stale == self._patience and self._drops:
            self._stale, self._drops = 0, self._drops - 1

    def order(self) -> tuple[int, int]:
        """Of fits that go on side by side the greatest is over last: the furthest, then the least stale."""
        return self._epoch, -self._stale

    def left(self) -> str:
        """At least until patience runs out for good where nobody improves, at most to the last epoch allowed.

        Empty before the second epoch, since the first one's time is compiling; of a fit that was resumed there is no
        least, since its earlier epochs were not seen.
        """
        if self._epoch == self._first:
            return ""
        pace = (self._seen - self._began) / (self._epoch - self._first)
        most = max(self._limit - self._epoch, 0)
        least = min(self._patience * (1 + self._drops) - self._stale, most)
        bound = f", at least {clock(pace * max(least, 0))}" if self._first == 1 else ""
        return f"at most {clock(pace * most)} left{bound}"
