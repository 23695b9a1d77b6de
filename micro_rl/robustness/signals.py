"""Faults of sensors and actuators: what lies between a policy and any Gymnasium simulator, and is rarely perfect.

Amounts are in units that mean the same in every system: of an observation's channel its standard deviation in the log,
of an action half its range, of a delay steps, of what sticks hundreds of steps until then.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from jaxtyping import Float

from micro_rl.errors import UserError, did_you_mean
from micro_rl.simulation.envs import Env, action_bounds

Signal = Float[np.ndarray, " channel"]
Scale = Float[np.ndarray, " obs"]
"""The log's standard deviations."""
Fault = Callable[[Signal], Signal]
"""What becomes of one step's values; it may remember those before, and lives for one episode."""


class Units(NamedTuple):
    """A signal's channels: `scale` is what an amount of 1 means, `low` and `high` bound what can be sent."""

    scale: Signal
    low: Signal
    high: Signal


def noise(amount: float, units: Units, random: np.random.Generator) -> Fault:
    """Normal noise of that standard deviation, new at every step."""
    return lambda value: value + amount * units.scale * random.standard_normal(value.shape)


def bias(amount: float, units: Units, random: np.random.Generator) -> Fault:
    """A constant offset of that size, its direction drawn for each channel and episode."""
    offset = amount * units.scale * random.choice([-1.0, 1.0], units.scale.shape)
    return lambda value: value + offset


def dropout(amount: float, units: Units, random: np.random.Generator) -> Fault:
    """With that probability a step's sample is lost, and the last one that came is seen again."""
    last: list[Signal] = []

    def lose(value: Signal) -> Signal:
        if not last or random.random() >= amount:
            last[:] = [value]
        return last[0]

    return lose


def stuck(amount: float, units: Units, random: np.random.Generator) -> Fault:
    """From that fraction of 100 steps on, so 0.5 after 50, one channel drawn for the episode keeps its value."""
    channel, begins, values, steps = random.integers(len(units.scale)), round(100 * amount), [], 0

    def stick(value: Signal) -> Signal:
        nonlocal steps
        steps += 1
        if steps <= begins:
            return value
        if not values:
            values.append(value[channel])
        value = value.copy()
        value[channel] = values[0]
        return value

    return stick


def delay(amount: float, units: Units, random: np.random.Generator) -> Fault:
    """Everything comes that many steps late; until then a sensor shows its first value, an actuator rests mid-range."""
    waiting: deque[Signal] = deque(maxlen=round(amount) + 1)
    if np.isfinite([units.low, units.high]).all():
        waiting.extend([(units.low + units.high) / 2] * round(amount))

    def late(value: Signal) -> Signal:
        waiting.append(value)
        return waiting[0]

    return late


def quantisation(amount: float, units: Units, random: np.random.Generator) -> Fault:
    """Values are rounded to multiples of that size; a channel whose unit is 0 stays."""
    size = amount * units.scale
    step = np.where(size > 0, size, 1.0)
    return lambda value: np.where(size > 0, step * np.round(value / step), value)


def saturation(amount: float, units: Units, random: np.random.Generator) -> Fault:
    """Only that fraction of the range around its middle can be reached."""
    middle, half = (units.high + units.low) / 2, (units.high - units.low) / 2
    return lambda value: np.clip(value, middle - amount * half, middle + amount * half)


def random_action(amount: float, units: Units, random: np.random.Generator) -> Fault:
    """With that probability a step's action is drawn uniformly from its bounds instead."""
    return lambda value: random.uniform(units.low, units.high) if random.random() < amount else value


class Kind(NamedTuple):
    """A fault: how it begins in an episode, the amount at which it does nothing, and the largest one, if any."""

    begin: Callable[[float, Units, np.random.Generator], Fault]
    neutral: float | None = 0.0
    most: float = np.inf
    whole: bool = False


LIVES = 20
"""Of a fault, to see whether it is felt: the channel that sticks may be one that never moves."""
LATEST = 10_000.0
"""Steps of a delay."""

OF_OBSERVATIONS = {
    "noise": Kind(noise),
    "bias": Kind(bias),
    "dropout": Kind(dropout, most=1.0),
    "stuck": Kind(stuck, neutral=None),
    "delay": Kind(delay, most=LATEST, whole=True),
    "quantisation": Kind(quantisation),
}
OF_ACTIONS = {
    "noise": Kind(noise),
    "bias": Kind(bias),
    "delay": Kind(delay, most=LATEST, whole=True),
    "quantisation": Kind(quantisation),
    "saturation": Kind(saturation, neutral=1.0, most=1.0),
    "random": Kind(random_action, most=1.0),
}
OF_SPREAD = ("noise", "bias", "quantisation")
"""Those of observations whose amounts are in the log's standard deviations."""
KINDS = {"observation": OF_OBSERVATIONS, "action": OF_ACTIONS}


@dataclass(frozen=True)
class Interface:
    """A fault of every observation or action that passes between policy and simulator."""

    signal: str
    kind: str
    amount: float

    def __post_init__(self) -> None:
        """Raises `UserError` for a fault that there is not, or an amount that it cannot have."""
        if self.signal not in KINDS:
            raise UserError(f"a fault of {self.signal!r}: choose observation or action")
        if self.kind not in KINDS[self.signal]:
            near = did_you_mean(self.kind, KINDS[self.signal])
            raise UserError(
                f"there is no {self.signal} fault {self.kind!r}{near}; choose one of {', '.join(KINDS[self.signal])}"
            )
        if not 0 <= self.amount <= self.about.most or not np.isfinite(self.amount):
            raise UserError(f"{self}: the amount must be a number between 0 and {self.about.most:g}")
        if self.about.whole and self.amount != round(self.amount):
            raise UserError(f"{self}: a delay is a whole number of steps")

    @property
    def about(self) -> Kind:
        """What kind of fault it is."""
        return KINDS[self.signal][self.kind]

    @property
    def neutral(self) -> bool:
        """Whether it does nothing by its own meaning."""
        return self.amount == self.about.neutral

    @property
    def begins(self) -> int:
        """Steps of an episode that pass before it does anything."""
        return round(100 * self.amount) if self.kind == "stuck" else 0

    def __str__(self) -> str:
        return f"{self.signal} {self.kind} {self.amount:g}"


@dataclass
class _Streams:
    """The faults of one episode, in their order."""

    observation: list[Fault] = field(default_factory=list)
    action: list[Fault] = field(default_factory=list)


class Faulty(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A simulator behind faulty sensors and actuators; `reset` begins their episode anew from its seed."""

    def __init__(self, env: Env, faults: Sequence[Interface], observation_scale: Scale, stream: int):
        """`observation_scale`: the log's standard deviations; `stream`: a number of these faults' own."""
        super().__init__(env)
        self._units = {fault.signal: _units(fault, env, observation_scale) for fault in faults}
        self._faults, self._stream, self._now = tuple(faults), stream, _Streams()

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Starts an episode, of simulator and faults alike."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._now = _Streams()
        for number, fault in enumerate(self._faults):
            random = np.random.default_rng([self._stream, number, seed or 0])
            getattr(self._now, fault.signal).append(fault.about.begin(fault.amount, self._units[fault.signal], random))
        return self._seen(observation), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step: the action as the actuators carry it out, the observation as the sensors give it."""
        for fault in self._now.action:
            action = fault(np.asarray(action, np.float64))
        if self._now.action:
            action = np.clip(action, *action_bounds(self.env)).astype(self.env.action_space.dtype)
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self._seen(observation), float(reward), terminated, truncated, info

    def _seen(self, observation: Any) -> Any:
        for fault in self._now.observation:
            observation = fault(np.asarray(observation, np.float64))
        return observation


def alters(fault: Interface, signal: Float[np.ndarray, "step channel"], env: Env, observation_scale: Scale) -> bool:
    """Whether these values come out otherwise in one of `LIVES`, all taken as one episode's."""
    units = _units(fault, env, observation_scale)
    for seed in range(LIVES):
        begun = fault.about.begin(fault.amount, units, np.random.default_rng(seed))
        if any(not np.array_equal(begun(value), value) for value in signal):
            return True
    return False


def _units(fault: Interface, env: Env, observation_scale: Scale) -> Units:
    if fault.signal == "observation":
        infinite = np.full(len(observation_scale), np.inf)
        return Units(np.asarray(observation_scale, np.float64), -infinite, infinite)
    low, high = action_bounds(env)
    if not np.isfinite([low, high]).all():
        raise UserError(f"{fault}: needs the actions' bounds, and this simulator sets none")
    return Units((high - low) / 2, low, high)
