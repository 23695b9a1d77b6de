"""Stored values to float32, block after block; every value that does not survive is noted."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped

# Rounding to float32 may cost this share of a column's spread before a person is told.
VISIBLE_ROUNDING = 1e-3


class Narrowing:
    """One stored quantity, block after block, on its way to a float32 array.

    Blocks of any number type and byte order are narrowed as they come, so the stored width is never held whole.
    NaN and infinity pass; `overflow` is the rows whose finite values float32 cannot hold.
    """

    def __init__(self, rows: int, *width: int):
        """Room for that many rows, more if more come; `width` is the columns, or nothing for one value a row."""
        self._values = np.empty((rows, *width), np.float32)
        self._rows = 0
        self._blur = _Blur()
        self.overflow: list[int] = []

    def add(self, block: Shaped[np.ndarray, "row ..."]) -> None:
        """Narrows the next rows."""
        start, stop = self._rows, self._rows + len(block)
        if stop > len(self._values):
            # In place, where the system moves pages and copies nothing, and by little, since it fills with zeros.
            room = max(stop, len(self._values) * 9 // 8)
            self._values.resize((room, *self._values.shape[1:]), refcheck=False)
        narrow = self._values[start:stop]
        with np.errstate(over="ignore", invalid="ignore"):
            narrow[...] = block.reshape(narrow.shape)
        if not (block.dtype.kind == "f" and block.dtype.itemsize <= 4):
            infinite = np.isinf(narrow).reshape(len(narrow), -1).any(1)
            self.overflow += [start + int(row) for row in np.flatnonzero(infinite) if np.isfinite(block[row]).all()]
            self._blur.add(block.reshape(narrow.shape), narrow)
        self._rows = stop

    def add_all(self, blocks: Iterable[Shaped[np.ndarray, "row ..."]]) -> None:
        """Narrows the rows of all blocks, one after another."""
        for block in blocks:
            self.add(block)

    def values(self) -> Float32[np.ndarray, "row ..."]:
        """Gives the whole array; nothing can be added afterwards."""
        self._values.resize((self._rows, *self._values.shape[1:]), refcheck=False)
        return self._values

    def blurred(self) -> list[int]:
        """Lists the columns that float32 blurs visibly: a large offset with a small spread."""
        return self._blur.columns()


class _Blur:
    """What rounding to float32 costs each column, beside the column's spread."""

    def __init__(self) -> None:
        self._first: Any = None
        self._rows = 0
        self._sum: Any = 0.0
        self._squares: Any = 0.0
        self._worst: Any = 0.0

    def add(self, wide: np.ndarray, narrow: np.ndarray) -> None:
        with np.errstate(all="ignore"):
            wide = wide.astype(np.float64, copy=False)
            if self._first is None and len(wide):
                self._first = wide[0].copy()
            apart = wide - self._first
            self._sum += apart.sum(0)
            self._squares += np.square(apart).sum(0)
            self._worst = np.maximum(self._worst, np.abs(wide - narrow).max(0, initial=0))
        self._rows += len(wide)

    def columns(self) -> list[int]:
        """Those that lose a visible share; a constant column has no spread to lose."""
        if not self._rows:
            return []
        with np.errstate(all="ignore"):
            spread = np.sqrt(np.maximum(0, self._squares / self._rows - np.square(self._sum / self._rows)))
            return np.flatnonzero(np.atleast_1d((spread > 0) & (self._worst > VISIBLE_ROUNDING * spread))).tolist()
