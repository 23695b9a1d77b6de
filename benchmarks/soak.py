"""A controller over many steps, some of them malformed: what it raises, where its actions lie, and its memory.

    python -m benchmarks.soak [--steps 200000] [--seed 0]

A policy of two hidden layers of 32 on three columns, with a guard of 64 rows, a rate, limits, a record on the disk and
a fallback of the user's that raises in one call of ten. One step in twenty-five is malformed: a text, an infinity, a
missing name, an object that cannot be read, an action applied far out of bounds. Printed are how many steps raised, how
many actions were not finite or out of their limits, who acted, and the process' memory after a tenth of the steps and
at the end.
"""

import argparse
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl import Controller, ControlSettings, Guard, Policy
from micro_rl.control.guard import PARTS
from micro_rl.core.columns import Column, Columns

NAMES = ("level", "flow", "set_point")
COLUMNS = Columns(tuple(Column(name, "", -3.0, 3.0) for name in NAMES), (Column("valve", "%", -1.0, 1.0),))
LIMITS, RATE, MALFORMED = (-0.9, 0.9), 0.5, 25
SETTINGS = ControlSettings(limits={"valve": LIMITS}, rate={"valve": RATE}, fallback="function")


class Unreadable:
    """Raises at whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("touched")

    def __len__(self) -> int:
        raise RuntimeError("counted")


class Fallback:
    """The user's own controller, which raises in one call of ten."""

    def __init__(self, random: np.random.Generator):
        self.random = random

    def __call__(self, observed: dict[str, float]) -> float:
        """The valve's position."""
        if self.random.random() < 0.1:
            raise ZeroDivisionError("the user's own mistake")
        return -0.5 * observed["level"]


def policy_of(random: np.random.Generator) -> Policy:
    """A network that decides something."""
    sizes = (len(NAMES), 32, 32, 2)
    layers = [(random.normal(size=(a, b)) / np.sqrt(a), np.zeros(b)) for a, b in pairwise(sizes)]
    zero, one = np.zeros(len(NAMES)), np.ones(len(NAMES))
    return Policy(
        layers, observation_mean=zero, observation_std=one, action_mid=[0.0], action_half=[1.0], columns=COLUMNS
    )


def guard_of(random: np.random.Generator) -> Guard:
    """A guard of normal noise, which minds some of it."""
    obs, one = len(NAMES), np.ones(len(NAMES))
    units = {"center": 0 * one, "scale": one, "action_center": np.zeros(1), "action_scale": np.ones(1)}
    parts = {"low": -3 * one, "high": 3 * one, "residual_scale": one, "whitening": np.eye(obs), "still_cost": one}
    numbers = {"usual": np.ones(len(PARTS)), "threshold": 3.0, "rate": 0.01, "columns": COLUMNS}
    rows = {"references": random.normal(size=(64, obs)), "weights": np.zeros((2 + obs, obs))}
    return Guard(**rows, **units, **parts, **numbers)


def malformed(random: np.random.Generator) -> tuple[Any, Any]:
    """An observation and an applied action, of which one is wrong."""
    good = dict(zip(NAMES, random.normal(size=len(NAMES)).tolist(), strict=True))
    kinds: list[tuple[Any, Any]] = [
        (good | {"level": "much"}, None),
        (good | {"flow": float("inf")}, None),
        ({"level": 1.0}, None),
        (Unreadable(), None),
        (good, {"valve": 1e9}),
        (good, Unreadable()),
        ("level", "valve"),
    ]
    return kinds[random.integers(len(kinds))]


def resident() -> float:
    """MiB that the process holds in memory."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Take the steps, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("steps", 200_000), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    random, counts, sources = np.random.default_rng(asked.seed), Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        parts: dict[str, Any] = {"fallback": Fallback(random), "record": Path(folder) / "record.csv"}
        with Controller(policy_of(random), guard_of(random), SETTINGS, **parts) as controller:
            for step in range(asked.steps):
                wrong = random.integers(MALFORMED) == 0
                observed, applied = malformed(random) if wrong else (random.normal(size=len(NAMES)), None)
                try:
                    decision = controller.step(observed, applied)
                except Exception as error:
                    counts["raised"] += 1
                    print(f"step {step}: {error!r}")
                    continue
                counts["malformed"] += wrong
                counts["outside"] += not LIMITS[0] <= float(decision.action[0]) <= LIMITS[1]
                sources[decision.source] += 1
                if step + 1 == asked.steps // 10:
                    print(f"{resident():.1f} MiB after {step + 1:,} steps")
    print(f"{resident():.1f} MiB after {asked.steps:,} steps, of which {counts['malformed']:,} were malformed")
    print(f"{counts['raised']} raised, {counts['outside']} actions outside of the limits or not finite")
    print(", ".join(f"{source} {count / asked.steps:.1%}" for source, count in sources.most_common()))


if __name__ == "__main__":
    main()
