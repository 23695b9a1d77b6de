"""Puts decisions into a record: a step's row is written when the next one tells which action was really applied."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np

from micro_rl.control.decision import Decision
from micro_rl.control.record import Record
from micro_rl.control.system import Sight
from micro_rl.errors import in_words
from micro_rl.policy import Policy

SAME = 1e-6
"""Of an action's half range: what was applied differs from what was decided by more, or is the same."""


class Recorder:
    """Keeps the row that is not over yet. Nothing here raises: what the disk refuses is counted and told.

    A refused row ends the episode, so that nobody takes the rows beside it for steps that follow each other.
    """

    def __init__(self, policy: Policy, record: Record | None, limit: float | None = None):
        """`limit` is the guard's, for the rows."""
        self.record, self.limit = record, limit
        self.middle, self.half = policy.action_mid, policy.action_half
        self.nothing = np.full(policy.action_size, np.nan)
        self.row: tuple[str, Sight, Decision] | None = None
        self.episode, self.number, self.lost, self.why = 0 if record is None else record.episode, 0, 0, ""

    def applied(self, action: np.ndarray | None, reward: Any) -> tuple[str, ...]:
        """Write the last step's row, for its action and reward are known now; a reward that is no number is told of.

        Args:
            action: what was applied, NaN where that could not be read [act].
            reward: of the step.
        """
        self._write(action, _number(reward), False)
        return self._complaints(reward)

    def decided(self, sight: Sight, decision: Decision) -> str | None:
        """Keep this step's row; tell what the disk refused."""
        if self.record is None:
            return None
        self.row = datetime.now(UTC).isoformat(timespec="milliseconds"), sight, decision
        return f"record: {self.lost:,} rows lost ({self.why})" if self.lost else None

    def ended(self, action: np.ndarray | None, terminated: bool, reward: Any = None) -> tuple[str, ...]:
        """Write the last row of an episode, with the action as of `applied`; a reward that is no number is told of."""
        self._write(action, _number(reward), terminated)
        self._next_episode()
        return self._complaints(reward)

    def close(self, action: np.ndarray | None) -> str | None:
        """Write the last row, with the action as of `applied`, and close the file; what went wrong, or None."""
        if self.record is None:
            return None
        self.ended(action, False)
        try:
            self.record.close()
        except Exception as error:
            return f"record: {in_words(error)}"
        return f"record: {self.lost:,} rows lost ({self.why})" if self.lost else None

    def _write(self, action: np.ndarray | None, reward: float | None, terminated: bool) -> None:
        if self.record is None or self.row is None:
            return
        (time, sight, decision), self.row = self.row, None
        action = decision.action if action is None else action
        wrong = self._wrong(action)
        advised = self.nothing if decision.advised is None else decision.advised
        same = bool((np.abs(action - decision.action) <= SAME * self.half).all())
        who = decision.source if same and decision.source != "shadow" else "operator"
        who = who if np.isfinite(action).all() else "unknown"
        healthy = sight.known and not sight.bad and not decision.alarm and not wrong
        front = [self.episode, self.number, time, *sight.raw.tolist(), *action.tolist(), *advised.tolist()]
        own = [reward, int(terminated), int(healthy), who, decision.source, decision.score, self.limit]
        try:
            self.record.write([*front, *own, int(decision.alarm), "; ".join([decision.reason, *wrong])])
            self.number += 1
        except Exception as error:  # a full disk, a file that was taken away
            self.lost, self.why = self.lost + 1, in_words(error)[:80]
            self._next_episode()

    def _next_episode(self) -> None:
        """Number the rows to come as another episode's, where this one has any."""
        if self.number:
            self.episode, self.number = self.episode + 1, 0

    def _complaints(self, reward: Any) -> tuple[str, ...]:
        unreadable = self.record is not None and reward is not None and _number(reward) is None
        return ("reward: no finite number",) if unreadable else ()

    def _wrong(self, action: np.ndarray) -> list[str]:
        """Why nobody should learn from an action that was applied [act]."""
        if not np.isfinite(action).all():
            return ["what was applied is not known"]
        if (np.abs(action - self.middle) > (1 + SAME) * self.half).any():
            return ["what was applied lies beyond the policy's bounds"]
        return []


def _number(value: Any) -> float | None:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except Exception:
        return None
    return number if math.isfinite(number) else None
