"""D4RL's HDF5 layout: flat arrays at the root, compressed and checksummed; what else is known as attributes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from micro_rl.files import replacing

CHUNK_ROWS = 4096


def write(path: Path, columns: Mapping[str, np.ndarray], attributes: Mapping[str, Any]) -> None:
    """Whole or not at all; no time stamps, so that the same rows give the same file. Raises `CannotWrite`."""
    with replacing(path) as temporary, h5py.File(temporary, "w", libver=("earliest", "v110")) as file:
        for name, rows in columns.items():
            file.create_dataset(
                name,
                data=rows,
                chunks=(min(len(rows), CHUNK_ROWS), *rows.shape[1:]),
                compression="gzip",
                shuffle=True,
                fletcher32=True,
                track_times=False,
            )
        file.attrs.update(attributes)
