"""Stored arrays to float32; every value that does not survive is found."""

import numpy as np
from jaxtyping import Float32, Shaped

from micro_rl.data import findings
from micro_rl.data.findings import Finding

# Rounding to float32 may cost this share of a column's spread before a person is told.
VISIBLE_ROUNDING = 1e-3


def as_float32(key: str, stored: Shaped[np.ndarray, "row ..."]) -> tuple[Float32[np.ndarray, "row ..."], list[Finding]]:
    """Any numeric type and byte order as float32; NaN, infinity and overflow are found with their rows."""
    with np.errstate(over="ignore", invalid="ignore"):
        converted = np.ascontiguousarray(stored, np.float32)
    infinite = np.flatnonzero(np.isinf(converted).reshape(len(converted), -1).any(1))
    overflow = [int(row) for row in infinite if np.isfinite(stored[row]).all()]
    found = findings.not_finite(key, converted, overflow)
    note = rounding_note(key, stored, converted)
    return converted, found + ([findings.warning("rounding", note)] if note else [])


def rounding_note(key: str, stored: np.ndarray, converted: np.ndarray) -> str | None:
    """A sentence when float32 blurs a column visibly: a large offset with a small spread."""
    if stored.dtype.itemsize <= 4 and stored.dtype.kind == "f":
        return None
    wide = stored.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        blur = np.abs(wide - converted).max(0)
        columns = np.flatnonzero(np.atleast_1d(blur > VISIBLE_ROUNDING * wide.std(0)))
    # A constant column has no spread to blur.
    columns = [int(c) for c in columns if np.ptp(wide.reshape(len(wide), -1)[:, c])]
    if not columns:
        return None
    return f"{key} columns {columns} lose detail in float32: subtract their offset before logging"
