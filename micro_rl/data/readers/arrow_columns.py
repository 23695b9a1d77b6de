"""Columns of Arrow record batches, as CSV and Parquet give them, to NumPy. Needs pyarrow."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float64, Int, Shaped

from micro_rl.data.checks.findings import Finding
from micro_rl.data.readers import number_times
from micro_rl.errors import UserError

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


YES = ("true", "yes", "y", "on", "ja", "j", "wahr", "oui", "t")
NO = ("false", "no", "n", "off", "nein", "falsch", "non", "f")
"""Words for 1 and 0 in flags."""


def plain(column: pa.Array) -> pa.Array:
    """Takes out a dictionary in between."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def numbers(path: Path, name: str, column: pa.Array) -> Float64[np.ndarray, " row"]:
    """Converts numbers of any kind to float64; NaN where there is none."""
    column = plain(column)
    kind = column.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not (numeric or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
        raise UserError(f"{path}: column {name!r} holds no numbers ({kind}): leave it out or convert it")
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    return column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def texts(path: Path, name: str, column: pa.Array) -> Shaped[np.ndarray, " row"]:
    """Reads texts; an empty one where there is none."""
    column = plain(column)
    if pa.types.is_nested(column.type):
        raise UserError(f"{path}: column {name!r} holds {column.type}, no texts: leave it out")
    return np.array(column.cast(pa.string()).fill_null("").to_pylist(), np.str_)


def flags(path: Path, name: str, column: pa.Array) -> tuple[Bool[np.ndarray, " row"], Int[np.ndarray, " silent"]]:
    """Reads flags: True where the column is 1 or true; with the empty rows, which count as false."""
    column = plain(column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = _said(path, name, column)
    values = numbers(path, name, column)
    silent = np.isnan(values)
    strange = np.flatnonzero(~silent & (values != 0) & (values != 1))
    if len(strange):
        raise UserError(f"{path}: column {name!r} must be 0 or 1, true or false, but holds {values[strange[0]]:.6g}")
    return values == 1, np.flatnonzero(silent)


def _said(path: Path, name: str, column: pa.Array) -> pa.Array:
    """Words for yes and no as 1 and 0."""
    values, odd = of_words(column)
    if odd is not None:
        shown = odd.strip().lower()[:40]
        raise UserError(f"{path}: column {name!r} must be 0 or 1, true or false, yes or no, but holds {shown!r}")
    return values


def of_words(column: pa.Array) -> tuple[pa.Array, str | None]:
    """Reads words for yes and no, and ones and zeros however they are written, as 1 and 0; nothing where one is empty.

    Args:
        column: texts.

    Returns:
        The values, and the first word that means neither; None where there is none.
    """
    encoded = column.dictionary_encode()
    words = [str(word) for word in encoded.dictionary.to_pylist()]
    values = pa.array(map(_meaning, words), pa.float64())
    odd = next((word for word in words if word.strip() and _meaning(word) is None), None)
    return values.take(encoded.indices), odd


def _meaning(word: str) -> float | None:
    """1, 0, or None where a word means neither."""
    word = word.strip().lower()
    if word in YES or word in NO:
        return float(word in YES)
    number = float(word) if _NUMBER.fullmatch(word := word.replace(",", ".")) else None
    return number if number in (0.0, 1.0) else None


def _first_text(column: pa.Array) -> tuple[int, str]:
    """The first row whose text is no number, and that text."""
    cells = (text or "" for text in column.to_pylist())
    return next(((row, text[:40]) for row, text in enumerate(cells) if not _NUMBER.fullmatch(text)), (0, ""))


def _refuse_empty(path: Path, what: str, is_empty: pa.Array, rows_before: int) -> None:
    empty = is_empty.to_numpy(zero_copy_only=False)
    if empty.any():
        row = rows_before + int(empty.argmax())
        raise UserError(f"{path}: {what} is empty in row {row}: fill it")


class Changes:
    """Where the value of a column differs from that of the row before; carried from batch to batch."""

    def __init__(self, path: Path, name: str):
        self._path, self._name = path, name
        self._last: Any = None
        self._seen: set[Any] = set()
        self._rows = 0
        self.again: list[int] = []
        """Rows in which a value came back that had been left: they are not in order."""

    def __call__(self, column: pa.Array) -> Bool[np.ndarray, " row"]:
        column = plain(column)
        empty = column.is_null(nan_is_null=True)
        _refuse_empty(self._path, f"the episode column {self._name!r}", empty, self._rows)
        if pa.types.is_nested(column.type):
            raise UserError(f"{self._path}: the episode column {self._name!r} holds {column.type}: use plain values")
        changed = np.ones(len(column), bool)
        changed[1:] = pc.call_function("not_equal", [column[1:], column[:-1]]).to_numpy(zero_copy_only=False)
        changed[0] = self._rows == 0 or column[0].as_py() != self._last
        for row in np.flatnonzero(changed):
            value = column[int(row)].as_py()
            if value in self._seen:
                self.again.append(self._rows + int(row))
            self._seen.add(value)
        self._last = column[len(column) - 1].as_py()
        self._rows += len(column)
        return changed


class Steps:
    """Seconds since the row before; 0 in the first row. Carried from batch to batch."""

    def __init__(self, path: Path, name: str, unit: str | None):
        self._path, self._name, self._unit = path, name, unit
        self._last: np.ndarray | None = None
        self.doubts: list[Finding] = []
        """What the first times themselves speak against."""
        self._rows = 0

    def __call__(self, column: pa.Array) -> Float64[np.ndarray, " row"]:
        ticks = self._ticks(plain(column))
        last = ticks[:1] if self._last is None else self._last
        if last.dtype.kind != ticks.dtype.kind:
            raise UserError(
                f"{self._path}: the time column {self._name!r} holds dates in some files and numbers in others: write "
                "them alike"
            )
        steps = np.diff(ticks, prepend=last)  # in the finer unit, where the batches before had another
        self._last = ticks[-1:]
        self._rows += len(ticks)
        unit = np.datetime_data(steps.dtype)[0] if steps.dtype.kind == "m" else self._unit or "s"
        return steps.astype(np.float64) * SECONDS[unit]

    def _ticks(self, column: pa.Array) -> np.ndarray:
        """Dates, in the unit of their column, or numbers."""
        _refuse_empty(self._path, f"the time column {self._name!r}", column.is_null(), self._rows)
        if pa.types.is_date(column.type):
            column = column.cast(pa.timestamp("ms"))
        if pa.types.is_timestamp(column.type):
            if self._unit is not None:
                raise UserError(f"{self._path}: {self._name!r} holds dates, not numbers: leave time_unit out")
            return column.cast(pa.timestamp(column.type.unit)).to_numpy(zero_copy_only=False)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            row, example = _first_text(column)
            where = f" in row {self._rows + row}" if row else ""
            other = "repair it, or " if row else ""
            raise UserError(
                f"{self._path}: the time column {self._name!r} holds text ({example!r}{where}): {other}say how it is "
                "written with time_format (--time-format)"
            )
        times = numbers(self._path, self._name, column)
        if not np.isfinite(times).all():
            row = self._rows + int(np.flatnonzero(~np.isfinite(times))[0])
            raise UserError(f"{self._path}: the time column {self._name!r} is no number in row {row}: repair it")
        if not self._rows:
            self.doubts = number_times.doubted(self._name, times, self._unit)
        return times
