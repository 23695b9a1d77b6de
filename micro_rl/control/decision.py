"""What a controller answers at a step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from micro_rl.core.columns import Columns


class Decision(NamedTuple):
    """The action of a step, who gives it, and why.

    `action` is finite and within all limits, raw units, float64 [act]. `source` is "policy", "fallback: hold",
    "fallback: fixed", "fallback: policy", "fallback: function", or "shadow", where the action is the last one applied.
    `reason` is "healthy" or what was wrong, in words. `score` is the guard's, None where it could not judge; `alarm`
    tells that the policy is not to act. `advised` is what the policy would do [act], None where it could not tell; in
    the shadow it is what the controller would have done.
    """

    action: np.ndarray
    source: str
    reason: str
    score: float | None
    alarm: bool
    advised: np.ndarray | None

    def copied(self) -> Decision:
        """Give the same in arrays of its own."""
        return self._replace(action=self.action.copy(), advised=None if self.advised is None else self.advised.copy())

    def as_dict(self, columns: Columns) -> dict[str, Any]:
        """Give it in plain values, actions by the columns' names."""
        names = [column.name for column in columns.actions]
        advised = None if self.advised is None else dict(zip(names, self.advised.tolist(), strict=True))
        plain: dict[str, Any] = self._asdict()
        return plain | {"action": dict(zip(names, self.action.tolist(), strict=True)), "advised": advised}


def told(part: str, words: str, column: str, score: float, limit: float) -> str:
    """Put what the guard says into a reason, "level stands still (stillness: score 9.5, limit 1.2)"."""
    return f"{column or 'the observation'}: {words} ({part}: score {score:.3g}, limit {limit:.3g})"
