"""A closed loop: a plant in one process, a controller in another, and much that goes wrong between them.

`python -m runs.loop make FOLDER [EPOCHS]` writes the log of two tanks, trains a policy on it and makes its controller;
`python -m runs.loop run FOLDER` lets the policy's controller run the plant of `runs.loop_plant` for 720 steps of five
minutes and writes `record.csv`; `python -m runs.loop show FOLDER` draws `loop.svg` and prints what happened.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl import Controller, ControlSettings, Guard, Policy
from micro_rl.cli import main as cli
from micro_rl.data.loading import load
from micro_rl.data.writers.tables import write_csv
from runs.loop_plant import NAMES
from runs.trust_recorded import make_log
from runs.two_tanks import Controller as PI
from runs.two_tanks import steady_valve
from runs.usage import words

TOML = """# The reward is the plant's own aim, so that it can be computed of any record.
observations = ["upper_level", "lower_level", "set_point", "outdoors"]
actions = ["valve"]
exogenous = ["set_point", "outdoors"]
reward = "-abs(lower_level - set_point)"
episode = "episode"

[bounds]
valve = [0, 100]

[units]
upper_level = "m"
lower_level = "m"
set_point = "m"
outdoors = "degC"
valve = "%"
"""
RATE = 0.002
"""Of false alarms: the operators of this plant do not want to hear of more than one step in five hundred."""
SETTINGS = ControlSettings(rate={"valve": 25.0}, limits={"valve": (5.0, 95.0)}, fallback="function", hold_missing=3)


class Own:
    """The plant's PI, from the last position on; without a level it gives the set-point's steady one."""

    def __init__(self) -> None:
        self.pi = PI(40.0, 16.0)

    def begin(self, last: dict[str, float]) -> None:
        """Go on from a position."""
        self.pi.begin(last["valve"])

    def __call__(self, observed: dict[str, float]) -> float:
        """The position of the valve."""
        if np.isnan(observed["lower_level"]):
            return steady_valve(observed["set_point"])
        return self.pi(np.array([observed[name] for name in NAMES]))


def make(folder: Path, epochs: int) -> None:
    """Writes the log, trains the policy, and makes its controller's folder."""
    make_log("two-tanks", folder / "tanks.hdf5")
    write_csv(folder / "tanks.csv", load(folder / "tanks.hdf5"), {})
    (folder / "tanks.csv.toml").write_text(TOML)
    trained = folder / "trained"
    cli.run(["train", str(folder / "tanks.csv"), "--epochs", str(epochs), "--history", "3", "--out", str(trained)])
    Controller.from_run(trained, rate=RATE).save(folder / "controller")


def control(folder: Path) -> None:
    """Runs the plant by the controller, until the plant's story is over."""
    record = folder / "record.csv"
    record.unlink(missing_ok=True)
    plant = subprocess.Popen(
        [sys.executable, "-m", "runs.loop_plant"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    policy = Policy.load(folder / "controller" / "policy.safetensors")
    guard = Guard.load(folder / "controller" / "guard.safetensors")
    assert plant.stdin is not None and plant.stdout is not None
    shadow = Controller(policy, guard, ControlSettings(shadow=True), record=record)
    acting: Controller | None = None
    past: list[tuple[Any, Any]] = []
    true = []
    for line in plant.stdout:
        told = json.loads(line)
        true.append(told["true_level"])
        if not told["shadow"] and acting is None:
            shadow.close()
            acting = Controller(policy, guard, SETTINGS, fallback=Own(), record=record)
            acting.prime([seen for seen, _ in past], [done for _, done in [*past[1:], (None, told["applied"])]])
        decision = (acting or shadow).step(told["observation"], told["applied"], told["reward"])
        past = [*past[-9:], (told["observation"], told["applied"])]
        plant.stdin.write(json.dumps({"valve": float(decision.action[0])}) + "\n")
        plant.stdin.flush()
    if acting is not None:
        acting.close()
    (folder / "true.json").write_text(json.dumps(true))
    plant.wait()


if __name__ == "__main__":
    verb, place, *rest = words(__doc__, 2)
    home = Path(place)
    if verb == "make":
        make(home, int(rest[0]) if rest else 10)
    elif verb == "run":
        control(home)
    else:
        from runs.loop_page import show

        show(home)
