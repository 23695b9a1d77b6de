"""`Finding`: one thing about a log that a person must know, an error or a warning; and what is odd in whole columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Shaped, UInt64

from micro_rl.core.columns import Column, titles
from micro_rl.core.wording import plural
from micro_rl.errors import UserError

SHOWN = 5
"""Rows, or stretches of rows, that a sentence lists; a finding keeps `KEPT`."""
KEPT = 20


@dataclass(frozen=True)
class Finding:
    """An error or a warning, in one sentence with its remedy; with an error nothing is learned from the log.

    `kind` is for machines and stays as it is. `count` is how many rows, columns or episodes it is about; `rows` are
    the first of those rows and `columns` the columns, where there are any.
    """

    level: Literal["error", "warning"]
    kind: str
    text: str
    count: int
    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()


class NoBounds(UserError):
    """A log whose actions have no bounds that they fit into."""


def error(kind: str, text: str, rows: Sequence[int] | np.ndarray = (), columns: Sequence[int] = ()) -> Finding:
    """Makes the finding that keeps a log from being used, about those rows."""
    return Finding("error", kind, text, max(1, len(rows)), first_rows(rows), tuple(columns))


def warning(kind: str, text: str, rows: Sequence[int] | np.ndarray = (), columns: Sequence[int] = ()) -> Finding:
    """Makes the finding that a person should see, about those rows, else about those columns."""
    return Finding("warning", kind, text, max(1, len(rows) or len(columns)), first_rows(rows), tuple(columns))


def refuse(path: Path, problems: Iterable[Finding]) -> None:
    """Raises the first error, if there is one, and says how many there are."""
    wrong = [problem for problem in problems if problem.level == "error"]
    if not wrong:
        return
    others = len(wrong) - 1
    more = f" ({plural(others, 'more error')}: micro-rl data check lists them)" if others else ""
    refused = NoBounds if wrong[0].kind in ("no-bounds", "wrong-bounds") else UserError
    raise refused(f"{path}: {wrong[0].text}{more}")


def first_rows(rows: Sequence[int] | np.ndarray) -> tuple[int, ...]:
    """Picks the rows that a finding keeps."""
    return tuple(int(row) for row in rows[:KEPT])


def listed(rows: Sequence[int] | np.ndarray) -> str:
    """Writes how many rows, and which: the first of them where they are scattered."""
    return f"{plural(len(rows), 'row')} ({ranges(rows, SHOWN)})"


def ranges(rows: Sequence[int] | np.ndarray, most: int | None = None) -> str:
    """Writes row numbers in order, briefly: '3, 7-9, 12', or only so many such parts."""
    numbers = np.asarray(rows, np.int64)
    first = np.flatnonzero(np.diff(numbers, prepend=-2) != 1)
    last = np.append(first[1:], len(numbers)) - 1
    pairs = zip(numbers[first][:most].tolist(), numbers[last][:most].tolist(), strict=True)
    shown = ", ".join(str(start) if start == stop else f"{start}-{stop}" for start, stop in pairs)
    return shown + ", ..." * (most is not None and len(first) > most)


def not_finite(
    key: str, values: Float32[np.ndarray, "row ..."], overflow: Sequence[int], names: Sequence[str], remedy: str
) -> list[Finding]:
    """Finds NaN and infinity in columns of those names, and what was finite before it became float32."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):  # most are: no array of flags is made then
            return []
    bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))
    if not len(bad):
        return []
    problems = []
    if len(overflow):
        text = f"{key} exceeds float32 in {listed(overflow)}: rescale the column"
        problems.append(error("overflow", text, overflow))
    if len(lost := np.setdiff1d(bad, overflow)):
        columns = np.flatnonzero(~np.isfinite(values[lost].reshape(len(lost), -1)).all(0)).tolist()
        of = f" ({', '.join(names[place] for place in columns[:SHOWN])})" if names else ""
        text = f"{key}{of} holds NaN or infinity in {listed(lost)}: {remedy}"
        problems.append(error("not-finite", text, lost, columns if values.ndim > 1 else ()))
    return problems


def flags(key: str, stored: Shaped[np.ndarray, "row ..."]) -> tuple[Bool[np.ndarray, " row"], list[Finding]]:
    """Reads flags of any numeric type, one per row; values other than 0 and 1 are an error."""
    values = stored.reshape(len(stored))
    marked = values == 1
    strange = np.flatnonzero(~marked & (values != 0))
    if not len(strange):
        return marked, []
    text = (
        f"{key} must be 0 or 1 but is {values[strange[0]]} in row {strange[0]} and otherwise in {len(strange) - 1}: "
        "mark episode ends with 1"
    )
    return marked, [error("flag", text, strange)]


def rounding(key: str, what: str, blurred: Sequence[int], columns: Sequence[Column]) -> list[Finding]:
    """Warns of the columns of a field that lose digits in float32; `columns` is empty for one value a row."""
    if not len(blurred):
        return []
    named = titles(what, blurred, columns) if columns else key
    lose = "lose" if len(blurred) > 1 else "loses"
    text = f"{named} {lose} detail in float32: subtract the offset before logging"
    return [warning("rounding", text, columns=blurred)]


def constant(what: str, values: Float32[np.ndarray, "row column"], columns: Sequence[Column]) -> list[Finding]:
    """Finds columns that never change."""
    still = np.flatnonzero((values == values[0]).all(0)).tolist()
    if not still or len(values) == 1:
        return []
    never = "never change" if len(still) > 1 else "never changes"
    return [warning("constant", f"{titles(what, still, columns)} {never}", columns=still)]


def duplicates(*columns: Float32[np.ndarray, "row ..."]) -> list[Finding]:
    """Finds rows that occur more than once, equal in every column given."""
    again = repeated(*columns)
    if not len(again):
        return []
    are = "is an exact duplicate of an earlier one" if len(again) == 1 else "are exact duplicates of earlier ones"
    text = f"{listed(again)} {are}"
    return [warning("duplicates", text, again)]


def repeated(*columns: Float32[np.ndarray, "row ..."]) -> Shaped[np.ndarray, " again"]:
    """Lists the rows that equal an earlier one, in order."""
    marks = _fingerprints(columns)
    ranked = np.sort(marks)
    twins = np.unique(ranked[1:][ranked[1:] == ranked[:-1]])
    del ranked  # before more is made: a log may fill half the memory
    rows = np.flatnonzero(np.isin(marks, twins)) if len(twins) else np.zeros(0, np.intp)
    _, first = np.unique(marks[rows], return_index=True)
    return np.delete(rows, first)


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
