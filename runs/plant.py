"""A plant's export, as messy as plants write them, and how policies made of it do in the plant.

`python -m runs.plant export FOLDER` writes `tanks.csv`: `runs.two_tanks` under its PI controller, with hands on the
valve now and then, calibrations, shutdowns, holes, marks of bad values. `python -m runs.plant compare 5 RUN...` takes
the policies, with steps of five minutes, and the controller through the same shifts.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from micro_rl import Policy
from runs.two_tanks import MINUTES, Controller, TwoTanks, steady_valve
from runs.usage import words

DAYS = 45
SHIFTS = 40
"""That policies and controller are compared on, of 480 minutes each; none of them is in the export."""
NAMES = (
    "Zeitstempel",
    "LT-101 level [m]",
    "LT-102 level [m]",
    "LC-102 SP [m]",
    "TT-001 outdoor temp [°C]",
    "FV-101 valve [%]",
    "Mode",
    "Alarm",
    "P-101 speed [rpm]",
)


def export(folder: Path, days: int = DAYS, seed: int = 0) -> Path:
    """Writes the plant's log.

    Args:
        folder: where `tanks.csv` goes.
        days: how long it was recorded.
        seed: of everything random.

    Returns:
        The file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tanks.csv"
    lines = ["# Historian export, tag group TANKS", "# site 7, raw values", ";".join(NAMES)]
    path.write_text("\r\n".join([*lines, *_rows(days, seed)]) + "\r\n", "cp1252")
    return path


def _rows(days: int, seed: int) -> Iterator[str]:
    """The lines of a continuous operation, a minute each but where the historian was down."""
    random = np.random.default_rng(seed)
    plant, controller = TwoTanks(), Controller()
    observation, _ = plant.reset(seed=seed)
    position = steady_valve(float(observation[2]))
    controller.begin(position)
    begun, mode, left, down = datetime(2025, 3, 3, 6, 0), "AUTO", 0, 0
    for minute in range(days * 1440):
        left, down = left - 1, down - 1
        if left == 0:
            controller.begin(position)
            mode = "AUTO"
        elif left < 0 and random.random() < 1 / 400:
            mode, left = ("MAN", int(random.integers(30, 150))) if random.random() < 0.8 else ("CAL", 20)
        if down < 0 and random.random() < 1 / 6000:
            down = int(random.integers(20, 300))
        position = _valve(random, controller, observation, position, mode)
        stamp = begun + timedelta(minutes=minute)
        if down < 0:
            yield _line(random, stamp, observation, position, mode)
        observation = plant.step(np.array([position]))[0]


def _valve(
    random: np.random.Generator, controller: Controller, observation: np.ndarray, position: float, mode: str
) -> float:
    """The controller's position; a hand moves it now and then, towards where the level ought to go."""
    if mode == "AUTO":
        return controller(observation)
    if mode == "MAN" and random.random() < 1 / 12:
        error = float(observation[2] - observation[1])
        return float(np.clip(steady_valve(float(observation[2])) + 40 * error + 15 * random.normal(), 0, 100))
    return position


def _line(random: np.random.Generator, stamp: datetime, observation: np.ndarray, position: float, mode: str) -> str:
    upper, lower, wanted, outdoors = (float(value) for value in observation)
    if mode == "CAL":
        lower = 2.5
    cells = [f"{upper:.4f}", f"{lower:.4f}", f"{wanted:.2f}", f"{outdoors:.1f}", f"{position:.2f}"]
    for place in range(4):
        if random.random() < 0.0008:
            cells[place] = random.choice(["", "Bad Input", "I/O Timeout"])
    alarm = "LAHH-102" if lower > 2.4 else ""
    numbers = [cell.replace(".", ",") if cell[:1].isdigit() or cell[:1] == "-" else cell for cell in cells]
    return ";".join([f"{stamp:%d.%m.%Y %H:%M:%S}", *numbers, mode, alarm, "1450"])


Acts = Callable[[np.ndarray], float]


def outcome(begin: Callable[[TwoTanks, np.ndarray], Acts], minutes: int, seed: int) -> tuple[float, float]:
    """Runs a shift.

    Args:
        begin: makes what acts, from the plant and what is observed first.
        minutes: of a step.
        seed: of the shift; the plant's own noise is the same for the same seed and length of a step.

    Returns:
        The lower level's mean distance from its set-point in metres, and how far the valve moved, per cent a minute.
    """
    plant = TwoTanks(minutes)
    observation, _ = plant.reset(seed=10_000 + seed)
    act, total, moved, last, done = begin(plant, observation), 0.0, 0.0, plant.stuck, False
    while not done:
        position = act(observation)
        moved, last = moved + abs(position - last), position
        observation, reward, _, done, _ = plant.step(np.array([position]))
        total += reward * minutes
    return -total / MINUTES, moved / MINUTES


def controlled(gain: float = 40.0, reset_minutes: float = 80.0) -> Callable[[TwoTanks, np.ndarray], Acts]:
    """The PI controller, which the plant's operators hand over to bumplessly."""

    def begin(plant: TwoTanks, observation: np.ndarray) -> Acts:
        controller = Controller(gain, reset_minutes)
        controller.begin(steady_valve(float(observation[2])))
        return controller

    return begin


def learned(run: Path) -> Callable[[TwoTanks, np.ndarray], Acts]:
    """A run's policy."""
    policy = Policy.load(run / "policy.safetensors")

    def begin(plant: TwoTanks, observation: np.ndarray) -> Acts:
        policy.reset()
        return lambda observation: float(policy(observation)[0])

    return begin


def compare(runs: Sequence[Path], minutes: int) -> None:
    """Prints a line for the controllers, and for every run's policy at steps of so many minutes."""
    rows = {
        "PI as found (gain 40, 80 min)": (controlled(), 1),
        "PI tuned in the simulator (gain 60, 80 min)": (controlled(60.0, 80.0), 1),
        **{str(run): (learned(run), minutes) for run in runs},
    }
    for name, (begin, step) in rows.items():
        figures = np.array([outcome(begin, step, seed) for seed in range(SHIFTS)])
        mean, error = figures.mean(0), figures.std(0, ddof=1) / SHIFTS**0.5
        print(f"| {name} | {mean[0]:.4f} ± {error[0]:.4f} | {mean[1]:.2f} |", flush=True)


if __name__ == "__main__":
    verb, first, *runs = words(__doc__, 2)
    if verb == "export":
        print(export(Path(first)))
    else:
        compare([Path(run) for run in runs], int(first))
