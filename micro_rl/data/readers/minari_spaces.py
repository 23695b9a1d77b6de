"""What a Minari set's metadata says its observations and actions are: flat boxes, or named groups of them."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from micro_rl.errors import UserError

WIDEST = 2**16
"""Columns of one box; more are images, or made to exhaust the memory."""


class Leaf(NamedTuple):
    """One box: the keys that lead to it, its width, and its bounds, one per column."""

    keys: tuple[str, ...]
    width: int
    low: np.ndarray
    high: np.ndarray

    @property
    def names(self) -> list[str]:
        """Names of its columns; empty where it stands alone, and so has no name."""
        title = ".".join(self.keys)
        return [title if self.width == 1 else f"{title}{place}" for place in range(self.width)] if title else []


class Spaces(NamedTuple):
    """The boxes of a set."""

    observations: list[Leaf]
    actions: list[Leaf]


class Episode(NamedTuple):
    """One stored episode: a row of observations more than steps."""

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminations: np.ndarray
    truncations: np.ndarray


def leaves(path: Path, part: str, metadata: Mapping[str, Any]) -> list[Leaf]:
    """Reads the boxes of `observation_space` or `action_space`, in Gymnasium's order of flattening."""
    text = metadata.get(part)
    # Without its spaces Minari would build the simulator that the file names, which no file may make us do.
    if not isinstance(text, str):
        raise UserError(f"{path}: no {part} in its metadata, and the simulator it names is not built: write one there")
    try:
        space = json.loads(text)
    except (ValueError, RecursionError):
        raise UserError(f"{path}: {part} is no JSON: fetch or write the set again") from None
    return _walk(path, part, space, ())


def _walk(path: Path, part: str, space: Any, keys: tuple[str, ...]) -> list[Leaf]:
    kind = space.get("type") if isinstance(space, dict) else None
    if kind == "Box":
        return [_box(path, part, space, keys)]
    inner = space.get("subspaces") if isinstance(space, dict) else None
    if kind == "Dict" and isinstance(inner, dict) and inner and len(keys) < 8 and not any("/" in key for key in inner):
        return [leaf for key in sorted(inner) for leaf in _walk(path, part, inner[key], (*keys, key))]
    if kind == "Tuple" and isinstance(inner, list) and inner and len(keys) < 8:
        return [
            leaf
            for place, subspace in enumerate(inner)
            for leaf in _walk(path, part, subspace, (*keys, f"_index_{place}"))
        ]
    name = kind if isinstance(kind, str) else "unknown"
    raise UserError(
        f"{path}: {part} is {name[:40]!r}: only flat boxes of numbers, and groups of them, can be learned from"
    )


def _box(path: Path, part: str, space: Mapping[str, Any], keys: tuple[str, ...]) -> Leaf:
    shape = space.get("shape")
    if (
        not isinstance(shape, list)
        or len(shape) > 1
        or not all(type(size) is int and 0 < size <= WIDEST for size in shape)
    ):
        raise UserError(
            f"{path}: {part} has shape {str(shape)[:60]}: only flat observations and actions can be learned from"
        )
    width = shape[0] if shape else 1
    return Leaf(keys, width, *(_bound(path, part, space.get(side), width) for side in ("low", "high")))


def _bound(path: Path, part: str, values: Any, width: int) -> np.ndarray:
    """One side of a box, infinite where it is open."""
    values = values if isinstance(values, list) else [values] * width
    if len(values) != width or not all(type(value) in (int, float) and not math.isnan(value) for value in values):
        raise UserError(f"{path}: the bounds in {part} are not {width} numbers: fetch or write the set again")
    return np.array([float(max(min(value, math.inf), -math.inf)) for value in values])
