"""Spaces as rows of numbers: a flat box as it is, groups of boxes (Dict, Tuple) joined in Gymnasium's order."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from micro_rl.core.columns import distinct
from micro_rl.core.wording import first_few

Space = spaces.Space[Any]
SHOWN = 10
"""So many parts of a space are named."""


class FlatSpace(NamedTuple):
    """A space and the flat box that stands for it; `names` are its columns, empty where it is a box itself."""

    space: Space
    box: spaces.Box
    names: tuple[str, ...]

    @property
    def grouped(self) -> bool:
        """Whether values are joined and split."""
        return self.box is not self.space

    def join(self, value: Any) -> np.ndarray:
        """A value of the space as one row."""
        return np.array(spaces.flatten(self.space, value) if self.grouped else value)

    def split(self, row: Any) -> Any:
        """The value of the space that a row stands for."""
        return spaces.unflatten(self.space, np.asarray(row, self.box.dtype)) if self.grouped else row

    def sentence(self, kind: str) -> str:
        """How its values are joined, for people; "" where they are not."""
        if not self.grouped:
            return ""
        parts = [f"{name} ({width})" if name else str(width) for name, width in _parts(self.space)]
        group = type(self.space).__name__
        return f"its {kind} are a {group}, joined in Gymnasium's order: {first_few(parts, SHOWN)}"


def flat_space(space: Space) -> FlatSpace | None:
    """Find the flat box that stands for a space; None where there is none: images, whole numbers, texts."""
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return FlatSpace(space, space, ())
    if not _holds_boxes(space):
        return None
    box = spaces.flatten_space(space)
    assert isinstance(box, spaces.Box), "made of boxes"
    names = [
        name if width == 1 else f"{name}{place}" for name, width in _parts(space) for place in range(width) if name
    ]
    return FlatSpace(space, box, tuple(distinct(names)))


def _holds_boxes(space: Space) -> bool:
    if isinstance(space, spaces.Box):
        return len(space.shape) <= 1
    inner = _inner(space)
    return bool(inner) and all(_holds_boxes(subspace) for _, subspace in inner)


def _inner(space: Space) -> list[tuple[str, Space]]:
    """The spaces of a group with the names that Minari gives them, in Gymnasium's order."""
    if isinstance(space, spaces.Dict):
        return [(str(key), subspace) for key, subspace in space.spaces.items()]
    if isinstance(space, spaces.Tuple):
        return [(f"_index_{place}", subspace) for place, subspace in enumerate(space.spaces)]
    return []


def _parts(space: Space, name: str = "") -> Iterator[tuple[str, int]]:
    """Name and width of every box."""
    if isinstance(space, spaces.Box):
        yield name, int(np.prod(space.shape))
    for key, subspace in _inner(space):
        yield from _parts(subspace, f"{name}.{key}" if name else key)
