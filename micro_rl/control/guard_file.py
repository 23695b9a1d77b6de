"""The file of a guard: safetensors, its arrays by name and metadata that describes them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.control.guard import PARTS, Guard
from micro_rl.core.columns import Columns
from micro_rl.errors import UserError
from micro_rl.storage.arrays import read_safetensors, safetensors_chunks
from micro_rl.storage.files import regular_size, replace_file

FORMAT, VERSION = "micro-rl guard", 1
HEADER_LIMIT = 8 << 20
ARRAYS = (
    "center", "scale", "action_center", "action_scale", "references", "low", "high", "weights", "residual_scale",
    "whitening", "still_cost", "usual",
)  # fmt: skip
POSITIVE = ("scale", "action_scale", "residual_scale", "usual")


def write(path: Path, guard: Guard) -> None:
    """Write a guard's file, whole or not at all; equal guards give equal bytes.

    Raises:
        CannotWrite: where the disk refuses; what was there before is still there.
    """
    replace_file(path, encoded(guard))


def encoded(guard: Guard) -> bytes:
    """Give the bytes of a guard's file."""
    arrays = {name: np.asarray(getattr(guard, name), np.float64) for name in ARRAYS}
    return b"".join(safetensors_chunks(arrays, _metadata(guard)))


def read(path: Path) -> Guard:
    """Read what `write` wrote.

    Raises:
        UserError: naming the file, where it is missing, damaged, of a later version or no guard.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file; give the path of a guard's file")
    regular_size(path)
    arrays, metadata = read_safetensors(path, HEADER_LIMIT)
    if metadata.get("format") != FORMAT:
        raise UserError(f"{path}: holds no '{FORMAT}' in its metadata; give a file written by Guard.save")
    if metadata.get("version") != str(VERSION):
        raise UserError(
            f"{path}: guard format version {metadata.get('version')}, this program reads {VERSION}: update micro-rl"
        )
    try:
        return checked(arrays, metadata)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: {error}; the file is damaged: fit the guard again") from error


def _metadata(guard: Guard) -> dict[str, str]:
    facts: dict[str, Any] = {"threshold": guard.threshold, "rate": guard.rate, "counts": dict(guard.counts)}
    words = {name: json.dumps(value, sort_keys=True) for name, value in facts.items()}
    columns = json.dumps(guard.columns.as_json(), ensure_ascii=False)
    return {"format": FORMAT, "version": str(VERSION), "columns": columns, "log": guard.log, **words}


def checked(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> Guard:
    """The guard; `ValueError` where sizes do not chain or values are none."""
    if set(arrays) != set(ARRAYS):
        raise ValueError(f"arrays {', '.join(sorted(set(ARRAYS) ^ set(arrays)))[:200]} are missing or unknown")
    obs, act = arrays["center"].size, arrays["action_center"].size
    rows = arrays["references"].shape[0] if arrays["references"].ndim == 2 else 0
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(ARRAYS, (obs,))
    shapes |= {"action_center": (act,), "action_scale": (act,), "references": (rows, obs), "usual": (len(PARTS),)}
    shapes |= {"weights": (1 + obs + act, obs), "whitening": (obs, obs)}
    for name, array in arrays.items():
        if array.dtype != np.float64 or array.shape != shapes[name] or not array.size:
            raise ValueError(f"{name} is {array.dtype} {array.shape}, not float64 {shapes[name]}")
        if not np.isfinite(array).all() or (name in POSITIVE and not (array > 0).all()):
            raise ValueError(f"{name} has values that it cannot have")
    columns = Columns.of_json(json.loads(metadata["columns"]))
    if tuple(map(len, columns)) != (obs, act):
        raise ValueError("its columns are not those of its arrays")
    threshold, rate = (_number(name, json.loads(metadata[name])) for name in ("threshold", "rate"))
    counts = json.loads(metadata["counts"])
    if not isinstance(counts, dict) or not all(type(count) is int for count in counts.values()):
        raise ValueError("its counts are no numbers")
    return Guard(**arrays, threshold=threshold, rate=rate, counts=counts, columns=columns, log=metadata["log"])


def _number(name: str, value: Any) -> float:
    if not isinstance(value, float) or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name} {value!r:.40} is no positive number")
    return value
