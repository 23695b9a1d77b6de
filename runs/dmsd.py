"""NeoRL-2's DMSD as a Gymnasium environment, written out from its equations; it replays its log (`runs.trust`).

As a simulator for training: `micro_rl.train(LOG, env=runs.dmsd.DMSD)`.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from runs.trust_simulators import MassSpringDamper

STEPS = 100
REACH = 1.5
"""Targets are drawn within so much of the masses' rest."""


class DMSD(gymnasium.Env[np.ndarray, np.ndarray]):
    """Two masses between two walls, pushed towards targets that may move at step 50; episodes of 100 steps."""

    observation_space = Box(-np.inf, np.inf, (6,), np.float32)
    action_space = Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        """Near rest, with targets anywhere."""
        super().reset(seed=seed)
        self.position = self.np_random.uniform(-0.25, 0.25, (1, 2))
        self.velocity = self.np_random.uniform(-0.1, 0.1, (1, 2))
        self.target, self.number = self._targets(), 0
        return self._observed(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        """A fifth of a second; the reward is about the targets of the next observation."""
        self.position, self.velocity = MassSpringDamper.moved(self.position, self.velocity, np.asarray(action)[None])
        self.number += 1
        if self.number == MassSpringDamper.MOVES_AT:
            self.target = np.where(self.np_random.random((1, 2)) < 0.5, self._targets(), self.target)
        reward = MassSpringDamper.reward(self.position, self.target)
        return self._observed(), float(reward[0]), False, self.number >= STEPS, {}

    def _targets(self) -> np.ndarray:
        return self.np_random.uniform(-REACH, REACH, (1, 2))

    def _observed(self) -> np.ndarray:
        return np.concatenate([self.position, self.velocity, self.target], 1)[0].astype(np.float32)
