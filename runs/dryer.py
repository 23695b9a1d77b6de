"""A belt dryer under a PI controller: a plant of our own with transport delay, drifting feed and operators.

Wet granules ride on a belt through warm air. The air's temperature follows its command with a lag, the belt its speed
more quickly. Moisture leaves at a rate that grows with the moisture and with the air's distance from the wet-bulb
temperature, which the ambient humidity moves. What enters drifts and is not measured; the moisture at the outlet is,
four minutes late and with noise. A step takes two minutes, an episode four hours. The reward counts what leaves
the belt, less the distance of its moisture from the target, less the heat.
"""

from typing import Any

import gymnasium
import numpy as np

STEPS = 120
"""Of an episode."""
CELLS = 12
"""The belt's length is cut into so many."""
SENSOR_STEPS = 2
"""Steps from the outlet to its reading."""
PARTS = 8
"""Of a step, for the integration."""
LOW, HIGH = np.array([60.0, 0.4]), np.array([140.0, 1.4])
"""Air temperature in degrees Celsius, belt speed in metres a minute."""
COLUMNS = {
    "outlet_moisture": "%",
    "air_temperature": "degC",
    "belt_speed": "m/min",
    "humidity": "%",
    "target_moisture": "%",
}


class Dryer(gymnasium.Env):
    """The plant. An action is the air's temperature and the belt's speed for two minutes."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - Gymnasium's own annotation

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (len(COLUMNS),), np.float32)
        self.action_space = gymnasium.spaces.Box(LOW.astype(np.float32), HIGH.astype(np.float32))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode near a steady state."""
        super().reset(seed=seed)
        random = self.np_random
        self.number = 0
        self.feed = 60 + 4 * float(random.normal())
        self.humidity = float(random.uniform(20, 70))
        self.target = float(random.uniform(8, 14))
        self.air, self.speed = float(random.uniform(90, 110)), float(random.uniform(0.7, 1.0))
        self.belt = np.full(CELLS, self.feed)
        for _ in range(200):
            self._ride(self.air, self.speed)
        self.late = [float(self.belt[-1])] * SENSOR_STEPS
        return self._read(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Hold a temperature and a speed for two minutes."""
        wanted = np.clip(np.asarray(action, np.float64), LOW, HIGH)
        self.air += 0.3 * (wanted[0] - self.air)
        self.speed += 0.8 * (wanted[1] - self.speed)
        self._ride(self.air, self.speed)
        moisture = float(self.belt[-1])
        reward = 2 * self.speed - 0.3 * abs(moisture - self.target) - 0.01 * (self.air - 60)
        self.late = [*self.late[1:], moisture]
        self._disturb()
        self.number += 1
        return self._read(), float(reward), False, self.number >= STEPS, {}

    def _ride(self, air: float, speed: float) -> None:
        """The belt's cells move on and lose moisture, in small parts of a step."""
        rate = 0.11 * (air - self.wet_bulb) / 75
        moved = speed * 2 / PARTS * CELLS / 20
        for _ in range(PARTS):
            before = np.concatenate([[self.feed], self.belt[:-1]])
            self.belt = self.belt + moved * (before - self.belt) - rate * 2 / PARTS * self.belt

    @property
    def wet_bulb(self) -> float:
        """The temperature to which wet granules cool the air, degrees Celsius."""
        return 15 + 0.25 * self.humidity

    def _disturb(self) -> None:
        """Draws the same numbers whatever was done."""
        random = self.np_random
        self.feed += 0.05 * (60 - self.feed) + 1.2 * float(random.normal())
        self.humidity = float(np.clip(self.humidity + 0.8 * random.normal(), 15, 80))
        anew, target = random.random() < 1 / 60, float(random.uniform(8, 14))
        if anew:
            self.target = target

    def _read(self) -> np.ndarray:
        reading = self.late[0] + 0.3 * float(self.np_random.normal())
        return np.array([reading, self.air, self.speed, self.humidity, self.target], np.float32)


class Controller:
    """A PI controller from the outlet's moisture to the air's temperature; the speed is the operator's."""

    def __init__(self, gain: float, reset_steps: float, speed: float):
        self.gain, self.reset_steps, self.speed = gain, reset_steps, speed
        self.integral = 100.0

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Temperature and speed for the next step."""
        error = float(observation[0] - observation[4])
        wanted = self.integral + self.gain * error
        temperature = float(np.clip(wanted, LOW[0], HIGH[0]))
        if wanted == temperature:
            self.integral += self.gain * error / self.reset_steps
        return np.array([temperature, self.speed])
