"""The smallest log and settings that train at all; one set of sizes, so that a process compiles them once."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tests.data.logs import write_hdf5

SETTINGS: dict[str, Any] = {
    "ensemble_size": 3,
    "num_elites": 2,
    "model_hidden_sizes": (8,),
    "weight_decay": (0.0, 0.0),
    "model_batch_size": 32,
    "max_fit_epochs": 2,
    "hidden_sizes": (8,),
    "epochs": 2,
    "updates_per_epoch": 4,
    "batch_size": 8,
    "rollout_batch_size": 8,
    "rollout_length": 2,
    "eval_episodes": 1,
    "checkpoint_every": 1,
}
OF_ANY = ("hidden_sizes", "updates_per_epoch", "batch_size")
"""What a method without a model has, too."""
OF_MODEL = ("ensemble_size", "model_hidden_sizes", "weight_decay", "model_batch_size", "max_fit_epochs")
HORIZON = 20
IN_PENDULUM: dict[str, Any] = {"env": "Pendulum-v1", "horizon": HORIZON}


def write_log(
    path: Path, observations: int = 3, terminal: bool = False, episodes: int = 6, length: int = HORIZON
) -> Path:
    """Episodes of noise as wide as Pendulum-v1's; each ends by a timeout, or by a terminal."""
    random = np.random.default_rng(0)
    rows = episodes * length
    last = np.arange(rows) % length == length - 1
    arrays = {
        "observations": random.normal(size=(rows, observations)).astype(np.float32),
        "actions": random.uniform(-2, 2, (rows, 1)).astype(np.float32),
        "rewards": random.normal(size=rows).astype(np.float32),
        "terminals": last & terminal,
        "timeouts": last & (not terminal),
    }
    after = random.normal(size=(rows, observations)).astype(np.float32)
    after[:-1][~last[:-1]] = arrays["observations"][1:][~last[:-1]]
    return write_hdf5(path, arrays | {"next_observations": after}, action_low=-2.0, action_high=2.0)


def options(only: Iterable[str] | None = None, **changes: Any) -> list[str]:
    """The settings, or only some, as the command line takes them, with changes."""
    chosen = SETTINGS if only is None else {name: SETTINGS[name] for name in only}
    words: list[str] = []
    for name, value in (chosen | changes).items():
        words += ["--" + name.replace("_", "-"), *map(str, value if isinstance(value, tuple) else (value,))]
    return words
