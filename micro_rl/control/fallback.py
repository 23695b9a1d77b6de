"""What acts where the policy must not: the last action, a fixed one, another policy, or a function of the user's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from micro_rl.control.past import Past, asked
from micro_rl.control.settings import ControlSettings, by_column
from micro_rl.control.values import Taker
from micro_rl.errors import UserError, in_words
from micro_rl.policy import Policy

Function = Callable[[dict[str, float]], Any]
"""From the observation by the columns' names, NaN where a value is lost or stands still, to the action: numbers, or by
name."""


class Resort(NamedTuple):
    """An action [act], who gave it, and why another one did not."""

    action: np.ndarray
    source: str
    reasons: tuple[str, ...] = ()


class Fallbacks:
    """The fallback of a controller; whatever fails, the last action is held."""

    def __init__(self, policy: Policy, settings: ControlSettings, function: Function | None, other: Policy | None):
        """`other` is the fallback policy, where the settings name one.

        Raises:
            UserError: the fallback that the settings name is not there.
        """
        self.kind, self.function, self.columns = settings.fallback, function, policy.columns
        self.resting, self.takes = policy.action_mid, Taker(policy.columns.actions, "action")
        self.fixed = _fixed(policy, settings) if self.kind == "fixed" else self.resting
        self.past = None if other is None else Past(other)
        self.interrupted = False
        if (self.kind == "function") != (function is not None):
            raise UserError(
                "fallback: give a function together with the setting fallback = 'function', from Python, or neither"
            )

    @property
    def policy(self) -> Policy | None:
        """The other policy, where the fallback is one."""
        return self.past.policy if self.past else None

    def begin(self) -> None:
        """Forget the past, for an episode begins."""
        if self.past:
            self.past.begin()

    def take_over(self, last: np.ndarray | None) -> None:
        """Tell the user's function the last action, where it has a method `begin` for it; errors are passed over."""
        self.interrupted = False
        begin = getattr(self.function, "begin", None)
        if callable(begin):
            try:
                begin(self.by_name(self.columns.actions, self.resting if last is None else last))
            except (Exception, SystemExit):
                return

    def see(self, observation: np.ndarray, applied: np.ndarray | None) -> None:
        """Let the other policy take a step, whether it acts or not."""
        if self.past:
            self.window = self.past.see(observation, applied)

    def __call__(self, observation: np.ndarray, last: np.ndarray | None) -> Resort:
        """Give the action of this step.

        Args:
            observation: NaN where a value is lost, or stands still [obs].
            last: the action to hold, None where none is known [act].
        """
        held = Resort(self.resting if last is None else last, "fallback: hold")
        if self.kind == "hold":
            return held
        if self.interrupted:
            self.take_over(last)
        self.interrupted = True
        try:
            action = self._action(observation)
        except (Exception, SystemExit) as error:  # a user's function may raise anything
            return held._replace(reasons=(f"fallback {self.kind} failed ({in_words(error)[:80]})",))
        if action is None or not np.isfinite(action).all():
            return held._replace(reasons=(f"fallback {self.kind} gave no action",))
        self.interrupted = False
        return Resort(action, f"fallback: {self.kind}")

    def _action(self, observation: np.ndarray) -> np.ndarray | None:
        if self.kind == "fixed":
            return self.fixed
        if self.function is not None:
            return self.takes.take(self.function(self.by_name(self.columns.observations, observation))).values
        if self.past is None or not np.isfinite(observation).all():
            return None
        return asked(self.past.policy, self.window)

    @staticmethod
    def by_name(columns: Any, values: np.ndarray) -> dict[str, float]:
        """Values by the columns' names."""
        return {column.name: value for column, value in zip(columns, values.tolist(), strict=True)}


def _fixed(policy: Policy, settings: ControlSettings) -> np.ndarray:
    action = by_column("fixed_action", settings.fixed_action, policy.columns.actions)
    names = [column.name for column in policy.columns.actions]
    if lacking := [name for number, name in enumerate(names) if number not in action]:
        raise UserError(f"fixed_action: none for {', '.join(lacking)}: give one for every action")
    return np.array([action[number] for number in range(len(names))])


def other_policy(policy: Policy, path: Path) -> Policy:
    """Read a fallback policy; `UserError` where there is none, or where it is of other columns."""
    other = Policy.load(path)
    if why := other.columns.unlike(policy.columns):
        raise UserError(f"{path}: its columns are not those of the policy that it stands in for ({why})")
    return other
