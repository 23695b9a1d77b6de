"""Tiny logs for the tests, as arrays and as files."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

NEORL2_KEYS = {
    "observations": "obs",
    "actions": "action",
    "rewards": "reward",
    "next_observations": "next_obs",
    "terminals": "done",
    "timeouts": "truncated",
}


def columns(lengths=(3, 2, 4), terminal=(True, False, True), seed=0) -> dict[str, np.ndarray]:
    """Episodes of those lengths, ended by a terminal or a timeout; two observations, one action."""
    random = np.random.default_rng(seed)
    rows = sum(lengths)
    walks = [random.normal(size=(length + 1, 2)).astype(np.float32) for length in lengths]
    last = np.cumsum(lengths) - 1
    terminals, timeouts = np.zeros(rows, bool), np.zeros(rows, bool)
    terminals[last] = terminal
    timeouts[last] = ~np.asarray(terminal)
    return {
        "observations": np.concatenate([walk[:-1] for walk in walks]),
        "actions": random.uniform(-1, 1, (rows, 1)).astype(np.float32),
        "rewards": random.normal(size=rows).astype(np.float32),
        "next_observations": np.concatenate([walk[1:] for walk in walks]),
        "terminals": terminals,
        "timeouts": timeouts,
    }


def write_hdf5(path: Path, arrays: dict[str, np.ndarray], **attributes) -> Path:
    """A D4RL file with checksums."""
    with h5py.File(path, "w") as file:
        for key, values in arrays.items():
            plain = values.size and values.shape and values.dtype.kind in "fiub"
            file.create_dataset(key, data=values, **({"fletcher32": True, "chunks": True} if plain else {}))
        file.attrs.update(attributes)
    return path


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """A NeoRL-2 file."""
    renamed: dict[str, Any] = {NEORL2_KEYS[key]: values for key, values in arrays.items()}
    np.savez_compressed(path, **renamed)
    return path
