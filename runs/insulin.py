"""A day with an insulin pump: a patient of our own, with a lagging sensor, meals that are miscounted, and operators.

Insulin is absorbed under the skin by way of two compartments (Hovorka and others, 2004), acts on glucose as in the
minimal model (Bergman and others, 1979), and meals come out of the gut by way of two compartments more. How sensitive
the patient is differs from day to day, drifts, and is not measured; some snacks are not announced. A step takes ten
minutes, an episode a day from six in the morning. The reward is a tenth of the risk of the true glucose, negated:
10 (1.509 ((ln G)^1.084 - 5.381))^2 (Kovatchev and others, 1997), which is 0 at 112.5 mg/dL and greater below and above.
"""

from typing import Any

import gymnasium
import numpy as np

STEPS = 144
"""Of an episode."""
MINUTES = 10
"""Of a step."""
MOST = 8.0
"""Units of insulin in a step."""
BASAL = 1 / 6
"""Units a step that hold an average patient at `AT_BASAL`."""
AT_BASAL = 120.0
"""mg/dL."""
CLEARED = 0.138 * 8.76
"""Litres of plasma a minute that are freed of insulin."""
ABSORBED, EMPTIED = 55.0, 40.0
"""Minutes of each compartment, under the skin and of the gut."""
FORGOTTEN, ACTION = 0.025, 8e-6
"""p2 in 1/min and p3 in L/(mU min^2): how insulin's action on glucose fades and comes."""
OWN_RETURN = 0.005
"""p1 in 1/min."""
GLUCOSE_VOLUME = 117.0
"""Decilitres."""
ARRIVES = 0.8
"""Share of a meal's carbohydrates."""
SENSOR_MINUTES, SENSOR_NOISE = 10.0, 4.0
"""The sensor's lag, and the deviation of its readings in mg/dL."""
MEALS = ((6, 30.0), (36, 50.0), (72, 50.0))
"""The earliest step of a meal, of which it is at most two hours late, and its grams on average."""
COLUMNS = {"glucose": "mg/dL", "change": "mg/dL", "insulin_under_way": "U", "announced": "g", "hour": "h"}


class Insulin(gymnasium.Env):
    """The patient. An action is the insulin of the next ten minutes, in units."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - Gymnasium's own annotation

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (len(COLUMNS),), np.float32)
        self.action_space = gymnasium.spaces.Box(np.float32(0), np.float32(MOST), (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin a day at the basal rate; its meals are drawn."""
        super().reset(seed=seed)
        random = self.np_random
        self.number, self.effect = 0, 0.0
        self.sensitivity = float(np.exp(0.25 * random.normal()))
        self.glucose = self.sensed = self.read = float(np.clip(AT_BASAL + 30 * random.normal(), 70, 220))
        under_skin = 1000 * BASAL / MINUTES * ABSORBED
        self.skin, self.gut = np.full(2, under_skin), np.zeros(2)
        self.plasma = BASAL_PLASMA
        self.meals = np.zeros(STEPS + 1)
        for earliest, grams in MEALS:
            self.meals[earliest + random.integers(12)] = grams * np.exp(0.3 * random.normal())
        self.snack = int(random.integers(STEPS)) if random.random() < 0.5 else -1
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Ten minutes of pumping, eating and absorbing."""
        units = float(np.clip(np.asarray(action, np.float64).reshape(-1)[0], 0, MOST))
        eaten = self.meals[self.number] + 15.0 * (self.number == self.snack)
        self.gut[0] += 1000 * ARRIVES * eaten
        for _ in range(MINUTES):
            self._minute(1000 * units / MINUTES)
        self.sensitivity *= float(np.exp(0.02 * self.np_random.normal()))
        self.number += 1
        return self._observe(), -risk(self.glucose) / 10, False, self.number >= STEPS, {}

    def _minute(self, pumped: float) -> None:
        """Milliunits are pumped for a minute; explicit Euler."""
        absorbed, appearing = self.skin[1] / ABSORBED, self.gut[1] / EMPTIED
        self.skin += np.array([pumped - self.skin[0] / ABSORBED, self.skin[0] / ABSORBED - absorbed])
        self.gut += np.array([-self.gut[0] / EMPTIED, self.gut[0] / EMPTIED - appearing])
        self.plasma += 0.138 * (absorbed / CLEARED - self.plasma)
        self.effect += ACTION * self.sensitivity * (self.plasma - BASAL_PLASMA) - FORGOTTEN * self.effect
        leaving = OWN_RETURN * (self.glucose - AT_BASAL) + self.effect * self.glucose
        self.glucose = float(np.clip(self.glucose - leaving + appearing / GLUCOSE_VOLUME, 20, 600))
        self.sensed += (self.glucose - self.sensed) / SENSOR_MINUTES

    def _observe(self) -> np.ndarray:
        """Draws the same numbers whatever was done."""
        before = self.read
        self.read = self.sensed + SENSOR_NOISE * float(self.np_random.normal())
        counted = self.meals[self.number] * float(np.exp(0.2 * self.np_random.normal()))
        hour = 6 + self.number * MINUTES / 60
        return np.array([self.read, self.read - before, self.skin.sum() / 1000, counted, hour], np.float32)


BASAL_PLASMA = 1000 * BASAL / MINUTES / CLEARED
"""Insulin in plasma at the basal rate, mU/L."""


def risk(glucose: float) -> float:
    """Kovatchev's risk of a glucose in mg/dL, 0 at 112.5, about 100 at 20 and at 600."""
    return float(10 * (1.509 * (np.log(glucose) ** 1.084 - 5.381)) ** 2)


class Controller:
    """A basal rate, a bolus for what is announced, a correction of high readings, nothing at low ones."""

    def __init__(self, basal: float, grams_per_unit: float, correction: float, low: float):
        """`basal` in units a step, `correction` the share of a reading's excess corrected in a step, `low` in mg/dL."""
        self.basal, self.grams_per_unit, self.correction, self.low = basal, grams_per_unit, correction, low

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Units of the next step."""
        glucose, _, under_way, announced, _ = map(float, observation)
        wanted = self.basal + announced / self.grams_per_unit
        wanted += self.correction * max(0.0, (glucose - 140) / 40 - max(0.0, under_way - 2))
        return np.array([0.0 if glucose < self.low and not announced else wanted])
