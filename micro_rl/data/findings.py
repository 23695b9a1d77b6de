"""What a person should know about a log that is whole but odd."""

import numpy as np
from jaxtyping import Float32, UInt64


def odd_columns(observations: Float32[np.ndarray, "row obs"]) -> list[str]:
    """Observation columns that never change."""
    constant = np.flatnonzero((observations == observations[0]).all(0))
    if not len(constant) or len(observations) == 1:
        return []
    return [f"observation columns {constant.tolist()} never change"]


def duplicates(*columns: Float32[np.ndarray, "row ..."]) -> list[str]:
    """Rows that occur more than once, equal in every column given."""
    repeated = len(columns[0]) - len(np.unique(_fingerprints(columns)))
    return [f"{repeated} rows are exact duplicates of others"] if repeated else []


def _fingerprints(columns: tuple[Float32[np.ndarray, "row ..."], ...]) -> UInt64[np.ndarray, " row"]:
    """One 64-bit number a row: sorting these is many times faster than sorting rows.

    Each value's bits times its column's own random odd number, summed modulo 2^64: a million different rows
    hold two that agree with a chance of about 1e-7.
    """
    random = np.random.default_rng(0)
    marks = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        for bits in column.reshape(len(marks), -1).view(np.uint32).T:
            marks += bits * (random.integers(0, 2**63, dtype=np.uint64) * np.uint64(2) + np.uint64(1))
    return marks
