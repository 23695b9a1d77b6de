"""The plant of the closed loop, a process of its own: two tanks in steps of five minutes, their sensors, an operator.

`python -m runs.loop_plant` prints a line of JSON with what is observed, reads one with the controller's action, applies
it (or what the operator wants instead), and so on. The reading tells what was really applied. What happens when is in
`STORY`; the true level is told beside the readings, for the figure alone.
"""

import json
import sys
from typing import Any, NamedTuple

import numpy as np

from runs.two_tanks import Controller, TwoTanks, steady_valve

NAMES = ("upper_level", "lower_level", "set_point", "outdoors")
MINUTES, STEPS, SEED = 5, 720, 3


class Chapter(NamedTuple):
    """What is the matter from one step to another."""

    begins: int
    ends: int
    what: str


STORY = (
    Chapter(0, 96, "shadow"),
    Chapter(150, 174, "operator"),
    Chapter(240, 288, "lower level sticks"),
    Chapter(340, 342, "lower level missing"),
    Chapter(360, 372, "lower level missing"),
    Chapter(430, 454, "inches for metres"),
    Chapter(520, STEPS, "pump wears"),
)


def happening(step: int, what: str) -> bool:
    """Whether something is the matter at a step."""
    return any(chapter.what == what and chapter.begins <= step < chapter.ends for chapter in STORY)


class Plant:
    """The tanks, what their sensors show, and who holds the valve."""

    def __init__(self, seed: int = SEED):
        self.tanks = TwoTanks(MINUTES)
        self.true, _ = self.tanks.reset(seed=seed)
        self.pi, self.step = Controller(40.0, 80.0 / MINUTES), 0
        self.stuck: float | None = None
        self.pi.begin(steady_valve(float(self.true[2])))
        self.applied, self.reward = steady_valve(float(self.true[2])), 0.0

    def reading(self) -> dict[str, Any]:
        """What is told of this step."""
        shown: list[float | None] = [float(value) for value in self.true]
        if happening(self.step, "lower level sticks"):
            self.stuck = shown[1] if self.stuck is None else self.stuck
            shown[1] = self.stuck
        if happening(self.step, "lower level missing"):
            shown[1] = None
        if happening(self.step, "inches for metres"):
            shown[0] = 39.37 * float(self.true[0])
        return {
            "observation": dict(zip(NAMES, shown, strict=True)),
            "applied": {"valve": self.applied},
            "reward": self.reward,
            "shadow": happening(self.step, "shadow"),
            "true_level": float(self.true[1]),
        }

    def take(self, valve: float) -> None:
        """Apply the controller's action, or what acts in its place, for a step."""
        by_pi = self.pi(self.true)
        if happening(self.step, "shadow"):
            valve = by_pi
        if happening(self.step, "operator"):
            valve = 75.0
        if happening(self.step, "pump wears"):
            self.tanks.pressure = min(self.tanks.pressure, 1.0 - 0.003 * (self.step - 520))
        self.tanks.minute = self.tanks.minute % 1440
        self.true, self.reward, _, _, _ = self.tanks.step(np.array([valve]))
        self.applied, self.step = float(np.clip(valve, 0, 100)), self.step + 1


def main() -> None:
    """One line out, one line in, until the story is over."""
    plant = Plant()
    while plant.step < STEPS:
        print(json.dumps(plant.reading()), flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        plant.take(float(json.loads(line)["valve"]))


if __name__ == "__main__":
    main()
