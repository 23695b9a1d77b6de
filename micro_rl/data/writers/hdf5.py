"""D4RL's HDF5 layout: flat arrays at the root, compressed and checksummed; what else is known as attributes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from micro_rl.data.dataset import Dataset
from micro_rl.data.log_metadata import of
from micro_rl.data.writers.rows import columns, groups
from micro_rl.storage.files import replacing

CHUNK_ROWS = 4096


def write(path: Path, rows: Mapping[str, np.ndarray], attributes: Mapping[str, Any]) -> None:
    """Writes an HDF5 file, whole or not at all; no time stamps, so that the same rows give the same file.

    Args:
        path: the file.
        rows: arrays by name, all of one length.
        attributes: attributes of the root.

    Raises:
        CannotWrite: the disk refuses.
    """
    with replacing(path) as temporary, h5py.File(temporary, "w", libver=("earliest", "v110")) as file:
        for name, values in rows.items():
            file.create_dataset(
                name,
                data=values,
                chunks=(min(len(values), CHUNK_ROWS), *values.shape[1:]),
                compression=None if values.dtype.kind == "S" else "gzip",  # equal texts shrink as what is refused
                shuffle=True,
                fletcher32=True,
                track_times=False,
            )
        file.attrs.update(attributes)


def write_log(path: Path, log: Dataset, provenance: Mapping[str, Any]) -> list[str]:
    """Writes a log, with all that it knows of itself; nothing is lost."""
    labels, word = groups(log)
    write(path, columns(log) | labels, of(log) | word | dict(provenance))
    return []
