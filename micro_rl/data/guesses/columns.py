"""What each column of a sample holds: numbers, times, texts, nothing that changes."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float64

Kind = Literal["number", "flag", "time", "date", "clock", "text", "constant", "empty"]
FORMATS = (
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%d-%b-%y %H:%M:%S",
    "%d-%b-%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%d/%m/%Y %I:%M:%S %p",
    "%d/%m/%Y %I:%M %p",
)
"""Those of dates with a time of day that are tried, fractions of a second left out; ISO 8601 needs none."""
DATES = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d", "%Y/%m/%d")
CLOCKS = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
MOSTLY = 0.5
"""From this share of numbers on, other texts in a column are marks of missing values."""
EMPTY = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "#N/A", "n/a"})
LARGEST = float(np.finfo(np.float32).max)
_UNIT = re.compile(r"^(.*?)\s*[\[(]([^\[\]()]{1,20})[\])]$")
_FRACTION = re.compile(r"(?:(?<=:\d\d)|(?<=^\d{14}))[.,](\d+)")
_NUMBER = re.compile(r"^[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?$")


class Guess(NamedTuple):
    """One column: its kind, the numbers in it, the unit in its name, and what was noticed.

    Two are equal where they are the same column: names may come twice, and arrays are not compared.
    """

    name: str
    kind: Kind
    numbers: Float64[np.ndarray, " row"]
    unit: str = ""
    time_format: str | None = None
    """How its times are written, of a clock or date alone too; None is ISO 8601."""
    ambiguous: bool = False
    """Whether another order of day and month fits as well."""
    marks: tuple[str, ...] = ()
    """Texts among the numbers."""
    texts: tuple[tuple[str, int], ...] = ()
    """The commonest texts and how often they occur."""

    @property
    def holes(self) -> int:
        """Cells without a number."""
        return int(np.isnan(self.numbers).sum())

    @property
    def longest_hole(self) -> int:
        """Rows of the longest run of cells without a number."""
        lacking = np.concatenate([[False], np.isnan(self.numbers), [False]])
        edges = np.flatnonzero(np.diff(lacking.astype(int)))
        return int((edges[1::2] - edges[::2]).max(initial=0))

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def decimal_sign(columns: Sequence[Sequence[str]]) -> str | None:
    """Tells the decimal sign where it is a comma; None for the usual point."""
    comma = sum(bool(re.fullmatch(r"[+-]?\d+,\d+", cell)) for column in columns for cell in column[:200])
    point = sum(bool(re.fullmatch(r"[+-]?\d+\.\d+", cell)) for column in columns for cell in column[:200])
    return "," if comma > point else None


def guess(name: str, cells: Sequence[str], decimal: str | None) -> Guess:
    """Guesses what a column holds.

    Args:
        name: the column's.
        cells: its texts.
        decimal: the decimal sign, None for the point.

    Returns:
        What it may hold.
    """
    cells = [cell.strip() for cell in cells]
    filled = [cell for cell in cells if cell not in EMPTY]
    numbers = np.array([_number(cell, decimal) for cell in cells], np.float64)
    unit = match[2].strip() if (match := _UNIT.match(name)) else ""
    if not filled:
        return Guess(name, "empty", numbers, unit)
    share = float((~np.isnan(numbers)).sum()) / len(filled)
    if share < MOSTLY:
        return _text(name, filled, numbers, unit)
    others = Counter(cell for cell in filled if np.isnan(_number(cell, decimal)))
    marks = tuple(text for text, _ in others.most_common(10))
    known = numbers[~np.isnan(numbers)]
    constant = bool((known == known[0]).all())
    flag = bool(np.isin(known, (0, 1)).all())
    kind: Kind = "constant" if constant else "flag" if flag else "number"
    return Guess(name, kind, numbers, unit, marks=marks)


def _number(cell: str, decimal: str | None) -> float:
    """A number that a log can hold, else NaN."""
    if not _NUMBER.match(cell) or ("," in cell) != (decimal == "," and "," in cell) or (decimal == "," and "." in cell):
        return float("nan")
    value = float(cell.replace(",", "."))
    return value if abs(value) <= LARGEST else float("nan")


def _text(name: str, filled: list[str], numbers: np.ndarray, unit: str) -> Guess:
    """Times or other texts; what stands in nearly all of the first cells decides, as units may stand in one."""
    asked = filled[:300]
    if _share_read(asked, None) > 0.9:
        return Guess(name, "time", numbers, unit)
    for formats, kind in ((FORMATS, "time"), (CLOCKS, "clock"), (DATES, "date")):
        fitting = [text for text in formats if _share_read(asked, text) > 0.9]
        if fitting:
            return Guess(name, kind, numbers, unit, fitting[0], len(fitting) > 1)  # pyright: ignore[reportArgumentType]
    counted = Counter(filled).most_common(8)
    return Guess(name, "text" if len(counted) > 1 else "constant", numbers, unit, texts=tuple(counted))


def _share_read(cells: Sequence[str], time_format: str | None) -> float:
    return sum(_reads(cell, time_format) for cell in cells) / len(cells)


def _reads(cell: str, time_format: str | None) -> bool:
    try:
        _time(cell, time_format)
    except ValueError:
        return False
    return time_format is not None or (len(cell) >= 16 and cell[4:5] == "-")


def _time(cell: str, time_format: str | None) -> datetime:
    """A time written so, of another zone in UTC; `ValueError` where it is not."""
    if time_format is None:
        time = datetime.fromisoformat(cell)
        return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    fraction = _FRACTION.search(cell)
    seconds = float(f"0.{fraction[1]}") if fraction else 0.0
    return datetime.strptime(_FRACTION.sub("", cell), time_format) + timedelta(seconds=seconds)


def seconds(cells: Sequence[str], guess: Guess) -> Float64[np.ndarray, " row"]:
    """Reads the times of a column that holds some, in seconds; NaN where a cell is none."""
    if guess.kind != "time":
        return guess.numbers

    def read(cell: str) -> float:
        try:
            return (_time(cell.strip(), guess.time_format) - datetime(1970, 1, 1)).total_seconds()
        except ValueError:
            return float("nan")

    return np.array([read(cell) for cell in cells], np.float64)
