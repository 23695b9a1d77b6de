"""NeoRL-2's NPZ layout, compressed; what else is known in one member more."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.data.dataset import Dataset
from micro_rl.data.log_metadata import ABOUT, of
from micro_rl.data.readers import neorl2
from micro_rl.data.writers.rows import columns, groups, require_next
from micro_rl.storage.files import replacing
from micro_rl.storage.json_files import json_bytes


def write(path: Path, log: Dataset, provenance: Mapping[str, Any]) -> list[str]:
    """Writes the file, whole or not at all; nothing is lost. The archive's own checksums cover every byte."""
    require_next(log, "NPZ")
    labels, word = groups(log)
    about = np.frombuffer(json_bytes(of(log) | word | dict(provenance)), np.uint8)
    members = {neorl2.KEYS[name]: values for name, values in columns(log).items()} | labels | {ABOUT: about}
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **members)
    return []
