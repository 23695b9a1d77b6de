"""What a policy with a history looks at: the last observations, and the actions that were really applied."""

from __future__ import annotations

import numpy as np

from micro_rl.core import windows
from micro_rl.policy import Policy


def asked(policy: Policy, window: np.ndarray) -> np.ndarray:
    """What a policy asks for [act], within its own bounds where it is finite; earlier exports rounded beyond them."""
    action = policy.of_window(window).astype(np.float64)
    if not np.isfinite(action).all():
        return action
    return np.minimum(np.maximum(action, policy.action_low), policy.action_high)


class Past:
    """The last window of one system, for a policy."""

    def __init__(self, policy: Policy):
        self.policy = policy
        self.begin()

    def begin(self) -> None:
        """Forget everything, for an episode begins."""
        self.window: np.ndarray | None = None

    @property
    def fresh(self) -> bool:
        """Whether nothing has been seen yet."""
        return self.window is None

    def see(self, observation: np.ndarray, applied: np.ndarray | None) -> np.ndarray:
        """Take a step, and give the window on which to decide.

        Args:
            observation: finite, raw units [obs].
            applied: the action that led here [act]; None at an episode's first step.
        """
        history = self.policy.history
        if self.window is None or applied is None:
            parts = windows.first(observation, self.policy.action_mid, history)
        else:
            parts = windows.following(observation, self.window, applied)
        self.window = np.concatenate(parts, axis=-1)
        return self.window
