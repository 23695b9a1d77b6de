"""Rows inside episodes that are no transition: flags in the wrong row or missing, files strung together, rows lost."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int

from micro_rl.core.wording import plural
from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding
from micro_rl.data.dataset import Dataset

SAMPLE = 100_000
"""Rows, evenly spread, that tell how long steps are."""
FEWEST = 100
"""Fewer rows inside episodes tell nothing about steps."""
TAIL = 3.0
"""The 99th percentile of a column's steps is at most so many times the 95th, where no jumps are among them."""
LONG = 3.0
"""A row jumps whose columns' steps have this root mean square, in units of each column's usual greatest step ..."""
LONGEST = 8.0
"""... one of them being so long, and the others together as long as they hardly ever are: alone it is a switch ..."""
TYPICAL = 2.0
"""... or whose columns' median step is so long, where there are several."""
SEVERAL = 4
WRAPPED = 0.9
"""A step across so much of a column's range, more than once, is an angle that wraps or a counter that restarts."""
FARTHEST = 10
"""Rows around the marked ends that are tried for the true ones."""
ENDS = 5
"""Fewer marked ends tell nothing about where they should be."""
UNUSUAL = 0.95
"""A step is unusual that is longer than this share of the others ..."""
MOST = 0.6
"""... and flags are shifted where this share of the ends has one at the same distance, and none of their own."""
AGREE = 0.8
"""Share of the jumps that stand at one distance from the marked ends, to say so."""


class Columns(NamedTuple):
    """The columns that move: the 99th percentile of their steps inside episodes, and their range."""

    moving: Int[np.ndarray, " column"]
    usual: Float32[np.ndarray, " column"]
    span: Float32[np.ndarray, " column"]


class Steps(NamedTuple):
    """How long the steps of rows are: of every column, in units of its usual greatest, and together."""

    lengths: Float32[np.ndarray, "row column"]
    size: Float32[np.ndarray, " row"]


def odd(dataset: Dataset) -> list[Finding]:
    """Finds flags that stand some rows from where episodes end, else single rows that lead too far."""
    ends = dataset.terminals | dataset.timeouts
    columns = _columns(dataset, ends)
    if columns is None:
        return []
    return _shifted(dataset, ends, columns) or _jumps(dataset, ends, columns)


def _columns(dataset: Dataset, ends: Bool[np.ndarray, " row"]) -> Columns | None:
    """Those that move, but for set-points, which hardly ever do; None for too few rows."""
    rows = np.flatnonzero(~ends & dataset.usable)
    if len(rows) < FEWEST:
        return None
    rows = rows[:: max(1, len(rows) // SAMPLE)]
    steps = np.abs(dataset.next_observations[rows] - dataset.observations[rows])
    often, usual = np.quantile(steps, [0.95, 0.99], axis=0)
    usual = np.where(often > 0, np.minimum(usual, TAIL * often), usual)  # some in a hundred may be the jumps
    moving = np.flatnonzero(usual > 0)
    if not len(moving):
        return None
    return Columns(moving, usual[moving].astype(np.float32), np.ptp(dataset.observations[:, moving], axis=0))


def _steps(before: np.ndarray, after: np.ndarray, columns: Columns) -> Steps:
    """The steps from rows to others; values that wrap take none."""
    step = np.abs(after[:, columns.moving] - before[:, columns.moving])
    wraps = step >= WRAPPED * columns.span
    wraps &= wraps.sum(0) > 1
    lengths = step / columns.usual
    lengths[wraps] = 0
    return Steps(lengths, np.sqrt(np.square(lengths).mean(1)))


def _shifted(dataset: Dataset, ends: Bool[np.ndarray, " row"], columns: Columns) -> list[Finding]:
    """Ends where nothing jumps, at a constant distance from rows that do."""
    marked = dataset.stops[:-1] - 1
    reach = min(FARTHEST, (int(np.median(dataset.lengths)) - 1) // 2)
    marked = marked[(marked >= reach + 1) & (marked < len(dataset) - reach - 2)]
    if len(marked) < ENDS or reach < 1:
        return []
    inside = np.flatnonzero(~ends[:-1])
    inside = inside[:: max(1, len(inside) // SAMPLE)]
    aways = np.arange(-reach - 1, reach + 2)
    around = (marked[:, None] + aways).ravel()
    before, after = dataset.observations[:-1], dataset.observations[1:]
    unusual = np.quantile(_steps(before[inside], after[inside], columns).size, UNUSUAL)
    long = (_steps(before[around], after[around], columns).size > unusual).reshape(len(marked), -1)
    share = dict(zip(aways.tolist(), long.mean(0).tolist(), strict=True))
    away = max((place for place in range(-reach, reach + 1) if place), key=lambda place: share[place])
    beside = [share[away + side] for side in (-1, 1) if away + side]
    if share[away] < MOST or share[0] > share[away] / 2 or max(beside, default=0) > share[away] / 2:
        return []
    rows = (marked + away)[long[:, away + reach + 1]]
    count, late = len(rows), away < 0
    text = (
        f"{count:,} of {len(marked):,} marked ends stand {plural(abs(away), 'row')} "
        f"{'after' if late else 'before'} a jump ({findings.listed(rows)}) and are none themselves: the flags are "
        f"{abs(away)} {'late' if late else 'early'}, so that rows inside episodes lead into the next: move them "
        f"{'up' if late else 'down'}"
    )
    return [findings.warning("flags-shifted", text, rows)]


def _jumps(dataset: Dataset, ends: Bool[np.ndarray, " row"], columns: Columns) -> list[Finding]:
    """Rows inside episodes whose step is far outside the spread of steps."""
    lengths, size = _steps(dataset.observations, dataset.next_observations, columns)
    longest = lengths.max(1)
    others = np.sqrt(np.maximum(0, np.square(lengths).sum(1) - np.square(longest)) / max(1, lengths.shape[1] - 1))
    far = (size > LONG) & (longest > LONGEST) & ((others > 1) | (lengths.shape[1] == 1))
    if lengths.shape[1] >= SEVERAL:
        far |= np.median(lengths, axis=1) > TYPICAL
    rows = np.flatnonzero(far & ~ends & dataset.usable)
    if not len(rows):
        return []
    text = (
        f"{findings.listed(rows)} inside episodes {'lead' if len(rows) > 1 else 'leads'} much further than steps do, "
        f"as row {rows[0]} does{_distance(rows, ends)}: no transition but an end that is not marked, rows lost, or "
        "files strung together? Mark an end there"
    )
    return [findings.warning("jumps", text, rows)]


def _distance(rows: Int[np.ndarray, " jump"], ends: Bool[np.ndarray, " row"]) -> str:
    """Says how far from the marked ends the jumps stand, where most stand alike."""
    marked = np.flatnonzero(ends[:-1])
    if len(rows) < ENDS or len(marked) < ENDS:
        return ""
    for word, places in (("before", np.searchsorted(marked, rows)), ("after", np.searchsorted(marked, rows) - 1)):
        there = (places >= 0) & (places < len(marked))
        apart = np.abs(marked[places[there]] - rows[there])
        distances, counts = np.unique(apart, return_counts=True)
        if len(counts) and counts.max() >= AGREE * len(rows):
            return f", most of them {plural(int(distances[counts.argmax()]), 'row')} {word} a marked end"
    return ""
