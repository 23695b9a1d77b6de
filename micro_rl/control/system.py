"""One system as a controller sees it: what it measures, what was applied, what the guard says."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from micro_rl.control.alarm import Alarm
from micro_rl.control.decision import told
from micro_rl.control.fallback import Fallbacks
from micro_rl.control.guard import PARTS, WORDS, Before, Guard, Reading, remembered
from micro_rl.control.limits import Limits
from micro_rl.control.missing import Complete, Holder, possible
from micro_rl.control.past import Past
from micro_rl.control.settings import ControlSettings
from micro_rl.control.values import Taker, Values
from micro_rl.core.columns import Columns
from micro_rl.core.wording import plural
from micro_rl.errors import UserError
from micro_rl.policy import Policy

HAND = 0.05
"""Of an action's half range: what was applied differs from what was decided by more where another hand moved it, and by
less where a position is measured with noise or an offset."""


class Sight(NamedTuple):
    """What is seen at a step.

    `raw` are the values as they came, NaN where there was none [obs]; `values` the same with holes held [obs];
    `trusted` those without what stands still, NaN there [obs]; `wrong` what is wrong with them, in words; `window` what
    the policy decides on, None where a value is lost; `score` the guard's, None where it could not judge; `known` that
    everything was measured; `bad` that the score lies above the limit.
    """

    raw: np.ndarray
    values: np.ndarray
    trusted: np.ndarray
    wrong: tuple[str, ...]
    window: np.ndarray | None
    score: float | None
    known: bool
    bad: bool
    alarm: bool

    @classmethod
    def nothing(cls, policy: Policy) -> Sight:
        """Of a step at which nothing could be seen."""
        lost = np.full(policy.observation_size, np.nan)
        return cls(lost, lost, lost, (), None, None, False, False, True)


class System:
    """The past of one system, and what follows from it at the next step."""

    def __init__(
        self, policy: Policy, columns: Columns, guard: Guard | None, settings: ControlSettings, fallbacks: Fallbacks
    ):
        """`columns` are the policy's with their ranges in the log, those of the actions what can be applied."""
        self.guard, self.fallbacks, self.shadow = guard, fallbacks, settings.shadow
        self.observations = Taker(columns.observations, "observation")
        self.actions = Taker(columns.actions, "applied action")
        self.action_low, self.action_high = possible(
            columns.actions, ControlSettings(range_margin=settings.range_margin)
        )
        self.hand = HAND * policy.action_half
        self.holder, self.alarm, self.past = Holder(columns.observations, settings), Alarm(settings), Past(policy)
        self.begin()

    def begin(self) -> None:
        """Forget everything, for an episode begins."""
        for part in (self.holder, self.alarm, self.past, self.fallbacks):
            part.begin()
        self.last: np.ndarray | None = None
        """The action applied last, where one is known [act]."""
        self.decided: np.ndarray | None = None
        """The action that the controller gave last [act]."""
        self.complaints: tuple[str, ...] = ()
        self._forget()

    def fail(self) -> None:
        """Go on as after a fault: in alarm, without a past."""
        self.past.begin()
        self.fallbacks.begin()
        self.fallbacks.interrupted = True
        self.alarm.on, self.alarm.healthy = True, 0
        self._forget()

    def distrust(self) -> bool:
        """Take a policy that gives no action for an alarm, which is true."""
        if not self.alarm.on:
            self.fallbacks.take_over(self.standing)
        self.alarm.on, self.alarm.healthy = True, 0
        return True

    @property
    def standing(self) -> np.ndarray | None:
        """The action that a hold keeps: the last one decided, or the one applied where another hand moved it [act].

        What is measured of an actuator has noise and offsets, which would add up where it is commanded anew.
        """
        if self.shadow or self.decided is None or self.last is None:
            return self.last
        return np.where(np.abs(self.last - self.decided) > self.hand, self.last, self.decided)

    def applied(self, action: Any) -> Values:
        """Learn which action was applied, and give it.

        One that cannot be read, or that no actuator can do, is NaN in what is given, and taken for the one decided; in
        the shadow, where another decides, the last one known is kept.
        """
        taken = self._possible(self.actions.take(action))
        if np.isfinite(taken.values).all():
            self.last = taken.values
            return taken
        self.predicts = False
        if self.decided is not None and not self.shadow:
            self.last = self.decided
        return taken

    def since(self, action: Any) -> tuple[np.ndarray | None, tuple[str, ...]]:
        """What was applied since the last step [act], None before the first, and what was wrong with that.

        Args:
            action: as it was told; None where it was the one decided, or, in the shadow, where nobody knows.
        """
        if action is not None:
            return self.applied(action)
        if self.shadow and self.decided is not None:
            self.predicts = False
            unknown = np.full(self.actions.size, np.nan)
            return unknown, ("applied action: not told, so the shadow does not know it",)
        self.last = self.last if self.decided is None else self.decided
        return self.last, ()

    def prime(self, observations: list[Any], actions: list[Any]) -> list[str]:
        """Take the steps of a past; what was wrong with them, `UserError` where they are not as many."""
        if len(observations) != len(actions):
            counts = f"{plural(len(observations), 'observation')}, {plural(len(actions), 'action')}"
            raise UserError(f"{counts}: give as many")
        wrong: list[str] = []
        for observation, action in zip(observations, actions, strict=True):
            wrong += self.see(observation).wrong
            wrong += self.applied(action).wrong
        return wrong

    def see(self, observation: Any) -> Sight:
        """Take a step's observation, whatever it is."""
        taken = self.observations.take(observation)
        complete = self.holder(taken.values)
        known, before = not complete.held.any(), self._before()
        full = before is not None and before.predicts
        reading = self._read(complete, before)
        trusted, words = complete.values, ()
        bad = reading is not None and self.guard is not None and reading.score > self.guard.threshold
        if self.guard is not None and reading is not None and bad:
            trusted, words = _blamed(self.guard, complete.values, before, reading)
        elif self.guard is not None and not known:
            trusted = np.where(self.guard.still(self.memory), np.nan, trusted)
        window = self._past(complete.values)
        was_on = self.alarm.on
        if self.alarm(bad, complete.blind, known, full) and not was_on:
            self.fallbacks.take_over(self.standing)
        wrong = (*self.complaints, *taken.wrong, *complete.reasons, *words)
        if known and not bad and self.alarm.on:
            wrong = (*wrong, "the alarm is not over yet")
        score = None if reading is None else reading.score
        return Sight(taken.values, complete.values, trusted, wrong, window, score, known, bad, self.alarm.on)

    def _possible(self, taken: Values) -> Values:
        """An applied action without what lies far outside of all that can be applied."""
        outside = (taken.values < self.action_low) | (taken.values > self.action_high)
        if not outside.any():
            return taken
        wrong = [
            f"applied action: {self.actions.columns[place].name} {taken.values[place]:.6g} is outside "
            f"{self.action_low[place]:.6g} to {self.action_high[place]:.6g}"
            for place in np.flatnonzero(outside)
        ]
        return Values(np.where(outside, np.nan, taken.values), (*taken.wrong, *wrong))

    def _before(self) -> Before | None:
        """What this step is judged by: what was measured last and, where that is one step ago, what was applied."""
        if self.previous is None:
            return None
        action = np.zeros(self.actions.size) if self.last is None else self.last
        return Before(self.previous, action, self.memory, self.predicts and self.last is not None)

    def _read(self, complete: Complete, before: Before | None) -> Reading | None:
        """What the guard says, None where a value is held; the next step is judged by this one."""
        known = not complete.held.any()
        self.previous, self.predicts = self.holder.last, known
        if self.guard is None:
            return None
        if not known:
            if before is not None:
                same = self.previous == before.observation
                self.memory = remembered(self.memory, None, same, ~complete.held)
            return None
        reading = self.guard.read(complete.values, before)
        self.memory = reading.memory
        return reading

    def _past(self, values: np.ndarray) -> np.ndarray | None:
        """The policy's window; None, and no past from here on, where a value is lost."""
        if not np.isfinite(values).all():
            self.past.begin()
            self.fallbacks.begin()
            return None
        if self.past.fresh or self.last is None:
            self.fallbacks.see(values, None)
            return self.past.see(values, None)
        self.fallbacks.see(values, self.last)
        return self.past.see(values, self.last)

    def _forget(self) -> None:
        self.previous: np.ndarray | None = None
        """What was measured last of each column, NaN where nothing was [obs]."""
        self.predicts = False
        """Whether all of that is of the last step, and the action since is known."""
        self.memory = np.zeros(0) if self.guard is None else self.guard.blank


def _blamed(
    guard: Guard, values: np.ndarray, before: Before | None, reading: Reading
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The values without the columns that stand still, and in words what the guard minds."""
    worst = int(np.argmax(reading.parts))
    column = guard.column(worst, values, before, reading)
    still = guard.still(reading.memory)
    if column is not None and PARTS[worst] == "stillness":
        still[column] = True
    names = [own.name for own in guard.columns.observations]
    words = [told(PARTS[worst], WORDS[worst], "" if column is None else names[column], reading.score, guard.threshold)]
    told_of = column if PARTS[worst] == "stillness" else None
    words += [f"{names[other]} stands still" for other in np.flatnonzero(still) if other != told_of]
    return np.where(still, np.nan, values), tuple(words)


def ranges(policy: Policy, guard: Guard | None, limits: Limits) -> Columns:
    """The policy's columns: observations with their ranges in the log, actions with what may be asked of them."""
    known = all(column.low is not None for column in policy.columns.observations)
    observations = (policy.columns if known or guard is None else guard.columns).observations
    low, high = np.minimum(policy.action_low, limits.low), np.maximum(policy.action_high, limits.high)
    bounds = zip(policy.columns.actions, low.tolist(), high.tolist(), strict=True)
    return Columns(observations, tuple(column._replace(low=least, high=most) for column, least, most in bounds))
