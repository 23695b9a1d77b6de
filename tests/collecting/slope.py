"""A small simulator to collect logs in, and settings of a learner that takes a moment."""

from typing import Any

import gymnasium
import numpy as np

from micro_rl.simulation.online_settings import OnlineSettings

SETTINGS = OnlineSettings(
    steps=60, random_steps=20, turn=10, batch_size=4, hidden_sizes=(8,), eval_every=20, eval_episodes=1, seed=3
)


class Slope(gymnasium.Env[np.ndarray, np.ndarray]):
    """Goes on by the action; terminates past 0.9."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,))
    action_space = gymnasium.spaces.Box(-2, 1, (1,))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = self.np_random.uniform(-0.5, 0.5)
        return np.array([self.place]), {}

    def push(self) -> float:
        """What moves it beside the action."""
        return 0.0

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.place += float(action[0]) / 4 + self.push()
        return np.array([self.place]), float(action[0]), self.place > 0.9, False, {}
