"""Who controlled: an array of texts or whole numbers beside a log's own, one a row or one an episode."""

from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from micro_rl.errors import UserError


def as_labels(path: Path, name: str, values: np.ndarray, rows: int) -> Shaped[np.ndarray, " label"]:
    """Takes an array for labels, as texts.

    Args:
        path: the file, for messages.
        name: of the array.
        values: what it holds.
        rows: of the log; no episode has more labels than it has rows.

    Raises:
        UserError: the array has another shape, or holds neither texts nor numbers.
    """
    flat = values.reshape(len(values)) if values.ndim and values.size == len(values) else values
    if flat.ndim != 1 or not 0 < len(flat) <= rows:
        raise UserError(f"{path}: group: {name} has shape {values.shape}: store one label for each row or each episode")
    if flat.dtype.kind == "O":
        flat = np.array([part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part) for part in flat])
    if flat.dtype.kind == "S":
        flat = np.char.decode(flat, "utf-8", "replace")
    if flat.dtype.kind not in "fiubU":
        raise UserError(f"{path}: group: {name} holds {values.dtype}: store texts or whole numbers")
    return flat.astype(np.str_)
