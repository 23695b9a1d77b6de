"""A stirred tank with an exothermic reaction: a plant of our own, easily made to oscillate.

A -> B in a cooled tank, with a textbook's parameters (Seborg, Edgar and Mellichamp, Process Dynamics and Control,
chapter 2: V 100 L, E/R 8,750 K, k0 7.2e10 1/min, UA 5e4 J/(min K), 350 K and 1 mol/L fed), but half their heat of
reaction, 2.5e4 J/mol, so that a PI controller can hold it. Coolant follows its command with a lag. What is fed drifts
in strength and temperature, unmeasured; the analyser of what leaves is a minute and a half late. A step takes half a
minute, an episode an hour. The reward is the product that leaves, less what the tank is hotter than a limit that
operators move, less the distance of the coolant from 320 K.
"""

from typing import Any

import gymnasium
import numpy as np

STEPS = 120
"""Of an episode."""
MINUTES, PARTS = 0.5, 20
"""Of a step, and its parts in the integration."""
ANALYSER_STEPS = 3
"""Steps from the outlet to its reading."""
LOW, HIGH = np.array([280.0, 80.0]), np.array([350.0, 120.0])
"""Coolant in K, feed in L/min."""
RATE, BARRIER = 7.2e10, 8750.0
"""k0 in 1/min and E/R in K."""
HEAT, COOLING = 2.5e4 / (1000 * 0.239), 5e4 / (100 * 1000 * 0.239)
"""-dH / (rho cp) in K L/mol, and UA / (V rho cp) in 1/min."""
VOLUME = 100.0
COLUMNS = {"temperature": "K", "outlet": "mol/L", "coolant": "K", "feed": "L/min", "limit": "K"}


class Reactor(gymnasium.Env):
    """The plant. An action is the coolant's temperature and the feed for half a minute."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - Gymnasium's own annotation

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (len(COLUMNS),), np.float32)
        self.action_space = gymnasium.spaces.Box(LOW.astype(np.float32), HIGH.astype(np.float32))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an hour somewhere about the usual state."""
        super().reset(seed=seed)
        random = self.np_random
        self.number = 0
        self.strength, self.fed_at = 1 + 0.02 * float(random.normal()), 350 + float(random.normal())
        self.limit = float(random.uniform(345, 370))
        self.coolant, self.feed = float(random.uniform(315, 330)), float(random.uniform(90, 110))
        self.temperature, self.left = 345 + 5 * float(random.normal()), float(random.uniform(0.4, 0.7))
        self.late = [self.left] * ANALYSER_STEPS
        return self._read(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Hold a coolant's temperature and a feed for half a minute."""
        wanted = np.clip(np.asarray(action, np.float64), LOW, HIGH)
        self.feed = float(wanted[1])
        for _ in range(PARTS):
            self._react(float(wanted[0]), MINUTES / PARTS)
        product = self.feed / 100 * (self.strength - self.left)
        reward = product - 0.05 * max(0.0, self.temperature - self.limit) - 0.002 * abs(self.coolant - 320)
        self.late = [*self.late[1:], self.left]
        self._disturb()
        self.number += 1
        return self._read(), float(reward), False, self.number >= STEPS, {}

    def _react(self, coolant: float, minutes: float) -> None:
        """A part of a step by Euler, implicit for the concentration, which a hot tank uses up at once."""
        self.coolant += minutes / 0.5 * (coolant - self.coolant)
        flow, rate = self.feed / VOLUME, RATE * np.exp(-BARRIER / self.temperature)
        self.left = float((self.left + minutes * flow * self.strength) / (1 + minutes * (flow + rate)))
        warmed = flow * (self.fed_at - self.temperature) + HEAT * rate * self.left
        self.temperature += float(minutes * (warmed + COOLING * (self.coolant - self.temperature)))

    def _disturb(self) -> None:
        """Draws the same numbers whatever was done."""
        random = self.np_random
        self.strength += 0.05 * (1 - self.strength) + 0.01 * float(random.normal())
        self.fed_at += 0.05 * (350 - self.fed_at) + 0.5 * float(random.normal())
        anew, limit = random.random() < 1 / 60, float(random.uniform(345, 370))
        if anew:
            self.limit = limit

    def _read(self) -> np.ndarray:
        heat, strength = self.np_random.normal(size=2)
        readings = self.temperature + 0.3 * heat, self.late[0] + 0.01 * strength, self.coolant, self.feed, self.limit
        return np.array(readings, np.float32)


class Controller:
    """A PI controller from the temperature to the coolant, 3 K under the limit; the feed is the operator's."""

    def __init__(self, gain: float, reset_steps: float, feed: float):
        """`gain` in K of coolant a K of the tank."""
        self.gain, self.reset_steps, self.feed = gain, reset_steps, feed
        self.integral = 325.0

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Coolant and feed for the next step."""
        error = float(observation[4] - 3 - observation[0])
        wanted = self.integral + self.gain * error
        coolant = float(np.clip(wanted, LOW[0], HIGH[0]))
        if wanted == coolant:
            self.integral += self.gain * error / self.reset_steps
        return np.array([coolant, self.feed])
