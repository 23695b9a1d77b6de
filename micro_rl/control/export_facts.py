"""What an exported file says of itself: columns with units, ranges and bounds, the guard's limit, the format."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from micro_rl.control.guard import Guard
from micro_rl.control.guard_file import checked
from micro_rl.core.columns import Column, Columns

FORMAT = 1
"""Of exported files; another number means that their functions are called otherwise."""
DESCRIPTION = "log's description"
"""What the TOML that describes the log is called among the facts."""
OWN = "policy's SHA-256"
"""What the digest of the policy's file is called among the facts."""
ALTERED = "{path}: {error}; it was altered, or a later version wrote it: export the policy again"


class Facts(NamedTuple):
    """The facts of an export."""

    columns: Columns
    bounds: np.ndarray
    """Lowest and highest of each action, raw units [act, 2]."""
    environment: str | None
    threshold: str
    """The guard's limit and rate as JSON, and its log; empty without a guard."""
    rate: str
    log: str
    mapping: str
    """How the log was described, as TOML; empty where it was not."""
    policy: str
    """The digest of the policy that was exported; empty in files that were written before it was told."""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Facts:
        """Read the plain values that `Source.as_dict` gave; `ValueError` or `KeyError` where they are others."""
        written = re.search(r"export format (\d+)$", str(told["written by"]))
        if written is None or int(written[1]) != FORMAT:
            raise ValueError(f"it is of another format than {FORMAT}")
        columns = Columns(*(tuple(map(_column, told[part])) for part in ("observations", "actions")))
        bounds = np.array([entry["bounds"] for entry in told["actions"]], np.float64)
        if bounds.shape != (len(columns.actions), 2):
            raise ValueError("its actions have no bounds")
        parts = ("guard's threshold", "guard's rate of false alarms", "guard's log's SHA-256", DESCRIPTION, OWN)
        threshold, rate, log, mapping, policy = (str(told.get(name, "")) for name in parts)
        return cls(columns, bounds, told.get("simulator"), threshold, rate, log, mapping, policy)


def guard_of(arrays: Mapping[str, np.ndarray], facts: Facts, columns: Columns) -> Guard:
    """Make a guard of its arrays; `ValueError` where sizes do not chain or values are none.

    Columns whose range the file does not tell have the guard's own, which was in the log too.
    """
    ends = zip(columns.observations, arrays["low"].tolist(), arrays["high"].tolist(), strict=True)
    ranged = (one if one.low is not None else one._replace(low=low, high=high) for one, low, high in ends)
    columns = columns._replace(observations=tuple(ranged))
    words = {"threshold": facts.threshold, "rate": facts.rate, "counts": "{}", "log": facts.log}
    return checked(arrays, words | {"columns": json.dumps(columns.as_json())})


def _column(entry: Mapping[str, Any]) -> Column:
    low, high = entry["range in the log"] or (None, None)
    return Column(entry["name"], entry["unit"], low, high)
