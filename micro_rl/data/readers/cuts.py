"""Where a table's episodes begin, and what becomes of rows that lack a value."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32

from micro_rl.core.wording import plural
from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding, listed
from micro_rl.data.raw_log import MEASURED
from micro_rl.data.read_options import Missing
from micro_rl.errors import UserError

USUAL_GAP = 3.0
"""Times the median step: a longer one is a gap, where nothing else was said."""

BACKWARDS, FEWEST = 0.9, 3
"""Share of steps back in time, of so many at the least, from which the newest row stands first."""

USED = "row numbers count only the rows that are used"
"""Stands behind what left rows out, and what is wrong with those that are left."""

ENOUGH = 1_000_000
"""Steps, evenly spread, that tell a log's median step."""

Columns = dict[str, np.ndarray]


def gaps(
    begins: Bool[np.ndarray, " row"], steps: Float32[np.ndarray, " row"], largest: float | None, least: float = 0.0
) -> tuple[Bool[np.ndarray, " row"], list[Finding]]:
    """Begins an episode after every gap in time or step back too; with warnings. No gap is shorter than `least`."""
    if largest is None:
        usual = usual_step(begins, steps)
        largest = np.inf if usual is None else max(least, USUAL_GAP * usual)
    late, back = np.flatnonzero(~begins & (steps > largest)), np.flatnonzero(~begins & (steps < 0))
    same = np.flatnonzero(~begins & (steps == 0))
    problems = []
    if len(late):
        text = f"gaps in time longer than {largest:.6g} s: an episode begins at {listed(late)}"
        problems.append(findings.warning("time-gap", text, late))
    if len(back):
        text = f"time runs backwards at {listed(back)}, rows shuffled or clocks reset: an episode begins there"
        problems.append(findings.warning("time-backwards", text, back))
    if len(same):
        text = f"time stands still at {listed(same)}: recorded twice, or by a clock too coarse"
        problems.append(findings.warning("time-repeated", text, same))
    begins = begins.copy()
    begins[late] = begins[back] = True
    return begins, problems


def refuse_newest_first(path: Path, name: str, begins: Bool[np.ndarray, " row"], steps: np.ndarray) -> None:
    """Refuses rows whose times run backwards nearly throughout: no step of them leads to what came of it."""
    back, inside = int((~begins & (steps < 0)).sum()), int((~begins).sum())
    if inside >= FEWEST and back > BACKWARDS * inside:
        raise UserError(
            f"{path}: the time column {name!r} runs backwards from row to row, {back:,} of {inside:,} times: the "
            "newest row stands first; sort the rows by time"
        )


def at_files(begins: Bool[np.ndarray, " row"], starts: Sequence[int]) -> list[Finding]:
    """Begins an episode, in place, with every file, its first row among `starts`; a warning where none did."""
    rows = [start for start in sorted({*starts}) if start < len(begins) and not begins[start]]
    begins[rows] = True
    if not rows:
        return []
    text = f"nothing tells whether a file goes on from the one before: an episode begins at {listed(rows)}"
    return [findings.warning("file-begins", text, rows)]


def at_horizon(begins: Bool[np.ndarray, " row"], horizon: int) -> Bool[np.ndarray, " row"]:
    """Begins an episode after every so many rows of one, too."""
    row = np.arange(len(begins))
    return (row - np.maximum.accumulate(np.where(begins, row, 0))) % horizon == 0


def usual_step(begins: Bool[np.ndarray, " row"], steps: Float32[np.ndarray, " row"]) -> float | None:
    """Gives the median time in seconds from row to row within episodes; None where there is none."""
    some = slice(None, None, max(1, len(steps) // ENOUGH))
    forward = steps[some][~begins[some] & (steps[some] > 0)]
    return float(np.median(forward)) if len(forward) else None


def complete(
    path: Path, columns: Columns, begins: Bool[np.ndarray, " row"], policy: Missing | None
) -> tuple[Columns, Bool[np.ndarray, " kept"], list[Finding]]:
    """Drops or fills rows that lack a value, by the policy; episodes are cut where a row is dropped."""
    lacking = _lacking(columns)
    if not lacking.any() or policy is None or policy == "refuse":
        return columns, begins, []
    problems = []
    if policy == "previous":
        for field in ("observations", "actions"):
            _hold(columns[field], begins)
        before, lacking = lacking, _lacking(columns)
        if len(reported := np.flatnonzero(before & ~lacking)):
            text = f"{listed(reported)} lacked values: the previous ones of the episode are held"
            problems.append(findings.warning("value-held", text, reported))
    if lacking.all():
        raise UserError(f"{path}: every row lacks a value: name only columns that were recorded")
    if len(dropped := np.flatnonzero(lacking)):
        holds = policy == "previous"
        what = "lack a reward, which is never held, or a value to hold" if holds else "lack finite values"
        text = f"{listed(dropped)} {what} and were dropped: an episode begins after each (other {USED})"
        text += terminals_among(columns, lacking)
        problems.append(findings.warning("row-dropped", text, dropped))
        begins = _carried(begins | np.concatenate([[False], lacking[:-1]]), lacking)
        columns = {field: values[~lacking] for field, values in columns.items()}
    return columns, begins, problems


def terminals_among(columns: Mapping[str, np.ndarray], gone: Bool[np.ndarray, " row"]) -> str:
    """A remark on terminals in rows that are not kept; empty where there are none."""
    count = int((columns["terminals"].astype(bool) & gone).sum()) if "terminals" in columns else 0
    return f"; {plural(count, 'TERMINAL')} AMONG THEM: what ended so is now cut" if count else ""


def _lacking(columns: Columns) -> Bool[np.ndarray, " row"]:
    """The rows that lack a measured value, or hold infinity in its place."""
    lacking = np.zeros(len(columns["rewards"]), bool)
    for field in MEASURED:
        if field in columns:
            lacking |= ~np.isfinite(columns[field]).reshape(len(lacking), -1).all(1)
    return lacking


def _carried(begins: Bool[np.ndarray, " row"], dropped: Bool[np.ndarray, " row"]) -> Bool[np.ndarray, " kept"]:
    """The beginnings among the rows that are kept: a row begins an episode if one began since the last kept row."""
    count = np.cumsum(begins)[~dropped]
    return np.diff(count, prepend=0) > 0


def _hold(values: Float32[np.ndarray, "row column"], begins: Bool[np.ndarray, " row"]) -> None:
    """NaN and infinity replaced, in place, by the last value of the same episode, where there is one."""
    row = np.arange(len(values))
    first = np.maximum.accumulate(np.where(begins, row, 0))
    for column in values.T:
        known = np.isfinite(column)
        source = np.maximum.accumulate(np.where(known, row, 0))
        column[:] = np.where(source >= first, column[source], np.nan)
