"""A delay of the actuators that is shorter than a step: counted in the simulator's own, finer steps."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from micro_rl.errors import UserError
from micro_rl.robustness.parameters import model_of
from micro_rl.robustness.signals import LATEST
from micro_rl.simulation.envs import Env


@dataclass(frozen=True)
class ActuatorDelay:
    """Controls reach the actuators `substeps` of the simulator's own steps late; its time step stays what it is."""

    substeps: int | float

    def __post_init__(self) -> None:
        """Raises `UserError` for a number of steps that there is not."""
        if not (0 <= self.substeps <= LATEST and float(self.substeps).is_integer()):
            raise UserError(
                f"actuator delay {self.substeps:g}: give a whole number of the simulator's own steps, 0 to {LATEST:g}"
            )

    @property
    def neutral(self) -> bool:
        """Whether it does nothing."""
        return self.substeps == 0

    def __str__(self) -> str:
        return f"actuator delay {self.substeps:g} substeps"


@contextmanager
def delayed(env: Env, change: ActuatorDelay) -> Iterator[None]:
    """The simulator with this delay until the block ends, at rest before the first control.

    Raises `UserError` where it is none of Gymnasium's on MuJoCo.
    """
    simulator: Any = env.unwrapped
    model_of(env, "actuators can be delayed by substeps", ": use action delay")
    step, reset = getattr(simulator, "_step_mujoco_simulation", None), getattr(simulator, "reset_model", None)
    if step is None or reset is None:
        raise UserError(
            "an actuator delay in substeps needs a simulator made on Gymnasium's MujocoEnv; use action delay"
        )
    line: deque[Any] = deque()

    def simulate(control: Any, frames: int) -> None:
        line.extend([np.array(control)] * frames)
        for _ in range(frames):
            step(line.popleft(), 1)

    def begin() -> Any:
        line.clear()
        line.extend([np.zeros(simulator.model.nu)] * int(change.substeps))
        return reset()

    simulator.do_simulation, simulator.reset_model = simulate, begin
    try:
        yield
    finally:
        del simulator.do_simulation, simulator.reset_model
