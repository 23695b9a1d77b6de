"""Steps of a controller around a policy, for `benchmarks.deploy`: alone, with its guard, and with its record."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl import Controller, ControlSettings, Dataset, Guard, Policy

ROWS = 4000


def controllers(policy: Policy, folder: Path) -> dict[str, Callable[[np.ndarray], Any]]:
    """A step of each, by its name; the guard is fitted on normal noise as wide as the benchmark's observations."""
    random = np.random.default_rng(2)
    observed = random.normal(size=(ROWS, policy.observation_size))
    acted = random.uniform(policy.action_low, policy.action_high, (ROWS, policy.action_size))
    over = np.arange(ROWS) % 100 == 99
    log = Dataset.from_arrays(
        observed, acted, np.zeros(ROWS), None, over, action_low=policy.action_low, action_high=policy.action_high
    )
    guard, settings = Guard.fit(log), ControlSettings(range_margin=100.0, alarm_after=5, healthy_after=1)
    return {
        "the controller": Controller(policy, None, settings).step,
        "and its guard": Controller(policy, guard, settings).step,
        "and its record": Controller(policy, guard, settings, record=folder / "record.csv").step,
    }
