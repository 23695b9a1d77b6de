"""Stored arrays to float32 and to flags, refusing every value that would not survive."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Shaped

from micro_rl.errors import UserError

# Rounding to float32 may cost this share of a column's spread before a person is told.
VISIBLE_ROUNDING = 1e-3


def as_float32(path: Path, key: str, stored: Shaped[np.ndarray, "row ..."]) -> Float32[np.ndarray, "row ..."]:
    """Any numeric type and byte order as float32; NaN, infinity and overflow are refused with their rows."""
    with np.errstate(over="ignore", invalid="ignore"):
        converted = np.ascontiguousarray(stored, np.float32)
    bad = ~np.isfinite(converted)
    if not bad.any():
        return converted
    rows = np.flatnonzero(bad.reshape(len(bad), -1).any(1))
    if np.isfinite(stored[rows]).all():
        raise UserError(f"{path}: {key} exceeds float32 in {_listed(rows)}: rescale the column")
    raise UserError(f"{path}: {key} holds NaN or infinity in {_listed(rows)}: remove or repair them")


def as_flags(path: Path, key: str, stored: Shaped[np.ndarray, "row ..."]) -> Bool[np.ndarray, " row"]:
    """Flags of any numeric type, squeezed to one per row; values other than 0 and 1 are refused."""
    values = stored.reshape(len(stored))
    flags = values == 1
    strange = np.flatnonzero(~flags & (values != 0))
    if len(strange):
        raise UserError(
            f"{path}: {key} must be 0 or 1 but is {values[strange[0]]} in row {strange[0]}: mark episode ends with 1"
        )
    return flags


def rounding_note(key: str, stored: np.ndarray, converted: np.ndarray) -> str | None:
    """A sentence when float32 blurs a column visibly: a large offset with a small spread."""
    if stored.dtype.itemsize <= 4 and stored.dtype.kind == "f":
        return None
    wide = stored.astype(np.float64)
    blur = np.abs(wide - converted).max(0)
    columns = np.flatnonzero(np.atleast_1d(blur > VISIBLE_ROUNDING * wide.std(0)))
    # A constant column has no spread to blur.
    columns = [int(c) for c in columns if np.ptp(wide.reshape(len(wide), -1)[:, c])]
    if not columns:
        return None
    return f"{key} columns {columns} lose detail in float32: subtract their offset before logging"


def _listed(rows: np.ndarray) -> str:
    shown = ", ".join(map(str, rows[:5]))
    return f"{len(rows)} row{'s' if len(rows) > 1 else ''} ({shown}{', ...' if len(rows) > 5 else ''})"
