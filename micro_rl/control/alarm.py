"""When steps above the guard's limit are an alarm, and when it is over: neither at the first sign."""

from __future__ import annotations

from collections import deque

from micro_rl.control.settings import ControlSettings

PARTS = 5
"""Of a good step that was judged in full; one that was not counts one part."""


class Alarm:
    """On after k of the last n judged steps were bad, or at once where the controller is blind; off after m good ones.

    A step at which a value is held was not judged: it counts for neither. Of an alarm that steps judged in full have
    made, a good step without the guard's predictions counts a fifth.
    """

    def __init__(self, settings: ControlSettings):
        self.after, self.healthy_after = settings.alarm_after, settings.healthy_after
        self.last: deque[bool] = deque(maxlen=settings.alarm_window)
        self.begin()

    def begin(self) -> None:
        """Take all for healthy, for an episode begins."""
        self.on, self.healthy, self.strict = False, 0, False
        self.last.clear()

    def __call__(self, bad: bool, blind: bool, known: bool, full: bool) -> bool:
        """Say whether to fall back.

        Args:
            bad: the step's score lies above the limit.
            blind: a value has been missing for too long.
            known: everything was measured at this step.
            full: the guard could judge it by all of its parts.
        """
        if known:
            self.last.append(bad)
            self.strict |= bad and full
            self.healthy += PARTS if full or not self.strict else 1
        if bad or blind:
            self.healthy = 0
        if self.on and self.healthy >= PARTS * self.healthy_after:
            self.begin()
        elif blind or sum(self.last) >= self.after:
            self.on = True
        elif not self.on and not any(self.last):
            self.strict = False
        return self.on
