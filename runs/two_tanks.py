"""Two tanks in a row under a PI controller: the plant whose export `runs.plant` makes, simulated by the minute.

Water flows from the upper tank into the lower one and out of that; the valve feeds the upper tank with a dead time of
six minutes, and sticks a little. The lower level is to follow a set-point that operators move. The inflow's pressure
drifts, the weather evaporates some, the sensors are noisy. Observed are both levels, the set-point and the outdoor
temperature; the reward is minus the lower level's distance from the set-point, in metres.
"""

from typing import Any

import gymnasium
import numpy as np

DEAD_TIME = 6
"""Minutes from the valve's signal to the water."""
MINUTES = 480
"""Of an episode: a shift."""
SENSOR = 0.012
"""Standard deviation of a level's reading, metres."""
FULL = 3.0
"""Metres at which a tank overflows."""


class TwoTanks(gymnasium.Env):
    """The plant. An action is the valve's position in per cent, for `minutes_per_step` minutes."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - Gymnasium's own annotation

    def __init__(self, minutes_per_step: int = 1):
        self.minutes_per_step = minutes_per_step
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (4,), np.float32)
        self.action_space = gymnasium.spaces.Box(0.0, 100.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin a shift near a steady state."""
        super().reset(seed=seed)
        random = self.np_random
        self.minute, self.pressure = 0, 1.0
        self.set_point = float(random.uniform(0.6, 1.6))
        self.phase = float(random.uniform(0, 2 * np.pi))
        self.lower = float(np.clip(self.set_point + 0.15 * random.normal(), 0.1, FULL))
        self.upper = float(np.clip(0.9 * self.lower + 0.05 * random.normal(), 0.1, FULL))
        self.stuck = steady_valve(self.lower)
        self.pipe = [self.stuck] * DEAD_TIME
        self.readings = [self._read()]
        return self.readings[-1], {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Hold a position for a step; what is observed after it are the means of its minutes' readings."""
        position = float(np.clip(np.asarray(action, np.float64).reshape(-1)[0], 0, 100))
        readings, rewards = [], []
        for _ in range(self.minutes_per_step):
            rewards.append(-abs(self.lower - self.set_point))
            self._minute(position)
            readings.append(self._read())
        observation = np.mean(readings, axis=0)
        observation[2] = readings[-1][2]
        over = self.minute >= MINUTES
        return observation.astype(np.float32), float(np.mean(rewards)), False, over, {"minutes": readings}

    def _minute(self, position: float) -> None:
        random = self.np_random
        self.pipe.append(position)
        arriving = self.pipe.pop(0)
        if abs(arriving - self.stuck) > 0.5:
            self.stuck = arriving
        self.pressure += 0.02 * (1 - self.pressure) + 0.01 * random.normal()
        into = 0.0011 * self.stuck * self.pressure
        between, out = 0.06 * np.sqrt(self.upper), 0.06 * np.sqrt(self.lower) * 0.95
        evaporated = 0.00008 * max(0.0, self.outdoors())
        self.upper = float(np.clip(self.upper + into - between, 0.0, FULL))
        self.lower = float(np.clip(self.lower + between - out - evaporated, 0.0, FULL))
        if random.random() < 1 / 150:
            self.set_point = float(random.uniform(0.6, 1.6))
        self.minute += 1

    def outdoors(self) -> float:
        """The temperature outside, degrees Celsius."""
        return 12 + 8 * float(np.sin(2 * np.pi * self.minute / 1440 + self.phase))

    def _read(self) -> np.ndarray:
        noise = SENSOR * self.np_random.normal(size=2)
        outdoors = self.outdoors() + 0.2 * self.np_random.normal()
        return np.array([self.upper + noise[0], self.lower + noise[1], self.set_point, outdoors], np.float32)


def steady_valve(level: float) -> float:
    """The position that keeps the lower tank at a level, per cent."""
    return float(np.clip(0.06 * 0.95 * np.sqrt(level) / 0.0011, 0, 100))


class Controller:
    """The plant's own PI controller on the lower level, a minute a step, tuned so that it does not swing."""

    def __init__(self, gain: float = 40.0, reset_minutes: float = 80.0):
        self.gain, self.reset_minutes = gain, reset_minutes
        self.integral = 50.0

    def begin(self, position: float) -> None:
        """Take over bumplessly from a position."""
        self.integral = position

    def __call__(self, observation: np.ndarray) -> float:
        """The position for the next minute."""
        error = float(observation[2] - observation[1])
        wanted = self.integral + self.gain * error
        position = float(np.clip(wanted, 0, 100))
        if wanted == position:
            self.integral += self.gain * error / self.reset_minutes
        return position


for _minutes in (1, 2, 3, 5, 10):
    gymnasium.register(f"TwoTanks{_minutes}-v0", "runs.two_tanks:TwoTanks", kwargs={"minutes_per_step": _minutes})
