"""What an action may be: the user's clamps, rates and limits, kept whoever asks for more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from micro_rl.control.settings import ControlSettings, Pair, by_column
from micro_rl.core.columns import Column
from micro_rl.errors import UserError


class Limits:
    """Bounds of every action: `clamp` for the policy, `rate` and `limits` for all."""

    def __init__(self, columns: Sequence[Column], bounds: tuple[np.ndarray, np.ndarray], settings: ControlSettings):
        """`bounds` are the policy's own, lowest and highest [act].

        Raises:
            UserError: there is no such column, or a clamp that the limits leave nothing of.
        """
        named = tuple(columns)
        self.names = [column.name for column in named]
        self.low, self.high = _ends("limits", settings.limits, named, bounds)
        self.clamp_low, self.clamp_high = _ends("clamp", settings.clamp, named, (self.low, self.high))
        if (empty := (self.clamp_low > self.high) | (self.clamp_high < self.low)).any():
            name = self.names[int(np.argmax(empty))]
            raise UserError(f"clamp of {name!r}: lies outside its limits, so that nothing is left")
        rates = by_column("rate", settings.rate, named)
        self.rate = np.array([rates.get(number, np.inf) for number in range(len(named))])

    def clamped(self, action: np.ndarray, reasons: list[str]) -> np.ndarray:
        """Hold what the policy asks for to the clamp [act]."""
        return self._told(action, np.minimum(np.maximum(action, self.clamp_low), self.clamp_high), "clamped", reasons)

    def __call__(self, action: np.ndarray, last: np.ndarray | None, reasons: list[str]) -> np.ndarray:
        """Hold any action to rate and limits; the limits win.

        Args:
            action: finite [act].
            last: the action applied last, None where none is known [act].
            reasons: what was changed is added to them.
        """
        if last is not None:
            slow = np.minimum(np.maximum(action, last - self.rate), last + self.rate)
            action = self._told(action, slow, "slowed", reasons)
        return self._told(action, np.minimum(np.maximum(action, self.low), self.high), "limited", reasons)

    def _told(self, before: np.ndarray, after: np.ndarray, word: str, reasons: list[str]) -> np.ndarray:
        if (changed := before != after).any():
            reasons.append(f"{', '.join(self.names[place] for place in np.flatnonzero(changed))} {word}")
        return after


def _ends(
    source: str, table: Mapping[str, Pair], columns: tuple[Column, ...], usual: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    low, high = (np.array(end, np.float64) for end in usual)
    for number, pair in by_column(source, table, columns).items():
        low[number], high[number] = pair
    return low, high
