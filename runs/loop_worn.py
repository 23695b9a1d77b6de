"""The two tanks of `runs.loop` for days on end, all by the controller, with a pump as it was or a worn one.

`python -m runs.loop_worn FOLDER PRESSURE [DAYS [CONTROLLER]]` runs the controller that `runs.loop make FOLDER` made,
for ten days where no other number is given, on a plant whose pump gives at most PRESSURE of what it gave, from the
first step on, and writes `FOLDER/controller-PRESSURE.csv`, for `micro-rl monitor`. CONTROLLER is another controller's
folder in FOLDER, by which the record is then called. Nothing else goes wrong, and nobody takes the valve in hand.
"""

from pathlib import Path

import numpy as np

from micro_rl import Controller
from runs.loop import SETTINGS, Own
from runs.loop_plant import MINUTES
from runs.two_tanks import TwoTanks
from runs.usage import words

SEED, DAY = 11, 1440
"""Of the plant; minutes of a day."""


def run(folder: Path, pressure: float, days: int, name: str) -> Path:
    """Lets the controller run the plant; gives the record.

    Args:
        folder: of `runs.loop make`.
        pressure: what the pump gives at most; 1 is what it gave on average when the log was made.
        days: for how long.
        name: of the controller's folder in it.
    """
    record = folder / f"{name}-{pressure:g}.csv"
    record.unlink(missing_ok=True)
    tanks, reward = TwoTanks(MINUTES), None
    shown, _ = tanks.reset(seed=SEED)
    with Controller.load(folder / name, settings=SETTINGS, fallback=Own(), record=record) as controller:
        for _ in range(days * DAY // MINUTES):
            action = controller.step(shown, reward=reward).action
            if pressure < 1:
                tanks.pressure = min(tanks.pressure, pressure)
            tanks.minute %= DAY
            shown, reward, _, _, _ = tanks.step(np.asarray(action))
    return record


if __name__ == "__main__":
    place, worn, *rest = words(__doc__, 2)
    print(run(Path(place), float(worn), int(rest[0]) if rest else 10, rest[1] if len(rest) > 1 else "controller"))
