"""The plants of the study of trust, and the hands that make their logs.

`runs.two_tanks` in steps of five minutes, `runs.dryer`, `runs.reactor` and `runs.insulin`, each under its own
controller with three operators' tunings, a little wandering and moves by hand now and then. `runs.trust_recorded` makes
the logs.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np

from runs import dryer, insulin, reactor, two_tanks

MINUTES_PER_STEP = 5
OPERATORS = 3


class Plant(NamedTuple):
    """A plant, its hidden state as a vector, and what makes its log."""

    make: Callable[[], gymnasium.Env[Any, Any]]
    state: Callable[[Any], np.ndarray]
    set_state: Callable[[Any, np.ndarray], None]
    controller: Callable[[int, np.ndarray, np.random.Generator], "Hand"]
    episodes: int
    columns: tuple[dict[str, str], dict[str, str]]
    """Observations and actions with their units."""


class Hand(Protocol):
    """What acts in the plant, step after step."""

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """The action of this step."""
        ...


class Wandering:
    """A controller's output that wanders a little; now and then a hand holds it somewhere for a while."""

    def __init__(
        self,
        controller: Callable[[np.ndarray], np.ndarray],
        random: np.random.Generator,
        wander: np.ndarray,
        reach: np.ndarray,
    ):
        """`wander` and `reach` are the standard deviations of the wandering and of a hand's moves [act]."""
        self.controller, self.random, self.wander_by, self.reach = controller, random, wander, reach
        self.offset, self.left = np.zeros_like(wander), 0

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """The controller's action with what is added to it."""
        action = self.controller(observation)
        self.left -= 1
        if self.left < 0:
            self.offset = 0.8 * self.offset + 0.6 * self.wander_by * self.random.normal(size=self.offset.shape)
            if self.random.random() < 1 / 40:
                self.left = int(self.random.integers(4, 16))
                self.offset = self.reach * self.random.normal(size=self.offset.shape)
        return action + self.offset


def tanks_controller(operator: int, observation: np.ndarray, random: np.random.Generator) -> Hand:
    """The plant's own PI controller, as one of three operators has it tuned."""
    gain, minutes = ((20.0, 80.0), (40.0, 80.0), (60.0, 50.0))[operator]
    controller = two_tanks.Controller(gain, minutes / MINUTES_PER_STEP)
    controller.begin(two_tanks.steady_valve(float(observation[2])))
    return Wandering(lambda levels: np.array([controller(levels)]), random, np.array([3.0]), np.array([15.0]))


def tanks_state(plant: Any) -> np.ndarray:
    """Clock, pressure, set-point, weather, levels, valve and what is under way in the pipe."""
    levels = [plant.lower, plant.upper, plant.stuck]
    return np.array([plant.minute, plant.pressure, plant.set_point, plant.phase, *levels, *plant.pipe])


def set_tanks(plant: Any, state: np.ndarray) -> None:
    """Puts the tanks into a state that `tanks_state` gave."""
    plant.minute, plant.pressure, plant.set_point, plant.phase = int(state[0]), *map(float, state[1:4])
    plant.lower, plant.upper, plant.stuck = map(float, state[4:7])
    plant.pipe = [float(position) for position in state[7:]]


def dryer_controller(operator: int, observation: np.ndarray, random: np.random.Generator) -> Hand:
    """The dryer's PI controller, as one of three operators has it tuned, at that operator's belt speed."""
    gain, steps, speed = ((1.0, 12.0, 0.7), (2.0, 12.0, 0.85), (3.0, 8.0, 1.0))[operator]
    controller = dryer.Controller(gain, steps, speed)
    controller.integral = float(observation[1])
    return Wandering(controller, random, np.array([2.0, 0.03]), np.array([10.0, 0.15]))


def dryer_state(plant: Any) -> np.ndarray:
    """Clock, feed, weather, target, air, speed, the outlet's readings to come, and the belt."""
    scalars = [plant.number, plant.feed, plant.humidity, plant.target, plant.air, plant.speed]
    return np.array([*scalars, *plant.late, *plant.belt])


def set_dryer(plant: Any, state: np.ndarray) -> None:
    """Puts the dryer into a state that `dryer_state` gave."""
    plant.number = int(state[0])
    plant.feed, plant.humidity, plant.target, plant.air, plant.speed = map(float, state[1:6])
    plant.late = [float(moisture) for moisture in state[6 : 6 + dryer.SENSOR_STEPS]]
    plant.belt = state[6 + dryer.SENSOR_STEPS :].astype(np.float64)


def reactor_controller(operator: int, observation: np.ndarray, random: np.random.Generator) -> Hand:
    """The reactor's PI controller, as one of three operators has it tuned, at that operator's feed."""
    gain, steps, feed = ((1.0, 15.0, 100.0), (2.0, 15.0, 90.0), (3.0, 12.0, 105.0))[operator]
    controller = reactor.Controller(gain, steps, feed)
    controller.integral = float(observation[2])
    return Wandering(controller, random, np.array([2.0, 2.0]), np.array([6.0, 8.0]))


def reactor_state(plant: Any) -> np.ndarray:
    """Clock, what is fed, limit, coolant, feed, temperature, concentration, and the analyser's readings to come."""
    outside = [plant.number, plant.strength, plant.fed_at, plant.limit]
    return np.array([*outside, plant.coolant, plant.feed, plant.temperature, plant.left, *plant.late])


def set_reactor(plant: Any, state: np.ndarray) -> None:
    """Puts the reactor into a state that `reactor_state` gave."""
    plant.number = int(state[0])
    plant.strength, plant.fed_at, plant.limit = map(float, state[1:4])
    plant.coolant, plant.feed, plant.temperature, plant.left = map(float, state[4:8])
    plant.late = [float(strength) for strength in state[8:]]


def insulin_controller(operator: int, observation: np.ndarray, random: np.random.Generator) -> Hand:
    """The pump's controller, as one of three operators has it tuned."""
    tuned = ((0.12, 8.0, 0.1, 80.0), (0.17, 6.0, 0.1, 70.0), (0.2, 9.0, 0.3, 70.0))[operator]
    return Wandering(insulin.Controller(*tuned), random, np.array([0.05]), np.array([0.5]))


def insulin_state(plant: Any) -> np.ndarray:
    """Clock, snack, action and sensitivity, glucose as it is and as it is read, plasma, skin, gut, the day's meals."""
    scalars = [plant.number, plant.snack, plant.effect, plant.sensitivity, plant.glucose, plant.sensed, plant.read]
    return np.array([*scalars, plant.plasma, *plant.skin, *plant.gut, *plant.meals])


def set_insulin(plant: Any, state: np.ndarray) -> None:
    """Puts the patient into a state that `insulin_state` gave."""
    plant.number, plant.snack = map(int, state[:2])
    plant.effect, plant.sensitivity, plant.glucose, plant.sensed, plant.read, plant.plasma = map(float, state[2:8])
    plant.skin, plant.gut, plant.meals = state[8:10].copy(), state[10:12].copy(), state[12:].copy()


PLANTS = {
    "two-tanks": Plant(
        lambda: two_tanks.TwoTanks(MINUTES_PER_STEP),
        tanks_state,
        set_tanks,
        tanks_controller,
        150,
        ({"upper_level": "m", "lower_level": "m", "set_point": "m", "outdoors": "degC"}, {"valve": "%"}),
    ),
    "dryer": Plant(
        dryer.Dryer,
        dryer_state,
        set_dryer,
        dryer_controller,
        120,
        (dryer.COLUMNS, {"air_command": "degC", "speed_command": "m/min"}),
    ),
    "reactor": Plant(
        reactor.Reactor,
        reactor_state,
        set_reactor,
        reactor_controller,
        120,
        (reactor.COLUMNS, {"coolant_command": "K", "feed_command": "L/min"}),
    ),
    "insulin": Plant(
        insulin.Insulin,
        insulin_state,
        set_insulin,
        insulin_controller,
        120,
        (insulin.COLUMNS, {"insulin": "U"}),
    ),
}
