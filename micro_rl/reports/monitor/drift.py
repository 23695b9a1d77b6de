"""Drift: every column of a record against the log, and against what records that are made of the log show of it."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int
from scipy.sparse import csr_matrix

from micro_rl.data import Dataset
from micro_rl.reports.monitor.recorded import Recorded

BINS = 10
"""Tenths of the log that a column's values are counted in."""
DRIFTED, OUTSIDE = 0.25, 0.01
"""A population stability index, and a share outside of the log's range, below which no column counts as drifted."""
REACH = 0.05
"""Of the width of the log's range: values further out count as outside of it."""
FALSE = 0.05
"""Share of records of whoever made the log in which any column may count as drifted."""
DRAWS, FEWEST = 1000, 20
"""Records that are made of the log by lot, and pieces of the log that there are at least to make them of."""
MOST_PIECES = 1000
"""Pieces that a record is made of at most: an index falls with their number as it does with that of the rows."""


class Drift(NamedTuple):
    """A column in operation against the log.

    `shift` is the mean's, in the log's standard deviations; `spread` the deviation over the log's; `outside` the share
    beyond the log's range by more than a twentieth of its width; `missing` that of cells without a number; `stability`
    the population stability index, sum (p - q) ln (p / q) over the log's tenths; `usual` and `usual_outside` what
    records that are made of the log keep of index and share.
    """

    name: str
    shift: float
    spread: float
    outside: float
    missing: float
    stability: float
    usual: float
    usual_outside: float

    @property
    def drifted(self) -> bool:
        """Whether somebody should look."""
        beyond = self.outside > max(OUTSIDE, self.usual_outside)
        return self.stability > max(DRIFTED, self.usual) or beyond


class Made(NamedTuple):
    """Records that are made of the log: the part that each of its rows is in, and how often each record has each part.

    `alone` tells that a record is a stretch of the log, which is compared with a log that holds it.
    """

    part: Int[np.ndarray, " row"]
    times: csr_matrix
    alone: bool

    def indices(self, bins: Int[np.ndarray, " row"], length: int) -> Float64[np.ndarray, " record"]:
        """The index of each against the log, as a record of so many rows that the log does not hold has it.

        An index is as large as one over the rows of both sides together: of the record alone, where it was drawn from
        the log and so compared with the truth.
        """
        shares = length / len(bins)
        counts = self.times @ _counts(self.part, bins)
        index = _index(counts, np.bincount(bins))
        return index * ((1 + shares) / (1 - shares) if self.alone else counts.sum(1) / length * (1 + shares))


def drifts(record: Recorded, log: Dataset) -> tuple[Drift, ...]:
    """Every column against the log: observations as they were measured, actions as they were applied."""
    measured = _as_logged(np.concatenate([record.observations, record.actions], -1))
    names = [str(column) for part in record.columns for column in part]
    return compared(names, measured, *known_rows(log))


def _as_logged(values: Float64[np.ndarray, "row column"]) -> Float64[np.ndarray, "row column"]:
    """Values rounded to single precision, as those of a log are: a set-point of 20.1 is then the log's 20.1."""
    most = np.finfo(np.float32).max
    return np.clip(values, -most, most).astype(np.float32).astype(np.float64)


def known_rows(log: Dataset) -> tuple[Float64[np.ndarray, "row column"], Int[np.ndarray, " row"]]:
    """The log's newest observations and actions, but for rows in which one is an outlier; and the rows' episodes."""
    newest = log.observations[:, : log.observation_size]
    known = np.concatenate([newest, log.actions], -1).astype(np.float64)
    episode = np.repeat(np.arange(len(log.starts)), log.lengths)
    if log.outliers is None:
        return known, episode
    usual = ~log.outliers.observations.any(1)
    return known[usual], episode[usual]


def compared(
    names: list[str],
    values: Float64[np.ndarray, "row column"],
    known: Float64[np.ndarray, "other column"],
    episode: Int[np.ndarray, " other"],
) -> tuple[Drift, ...]:
    """Every column's values against the known ones, whose episodes are told."""
    length, level = len(values), 1 - FALSE / 2 / len(names)
    pieces = by_lot(episode, length)
    records = [pieces] if len(known) < 3 * length else [pieces, in_order(len(known), length)]
    with np.errstate(over="ignore", invalid="ignore"):  # a broken sensor may show anything
        return tuple(
            _drift(name, values[:, place], known[:, place], records, level) for place, name in enumerate(names)
        )


def by_lot(episode: Int[np.ndarray, " row"], length: int, seed: int = 0) -> Made:
    """Records of so many rows, of pieces of the log by lot: whole episodes or, of longer ones, parts as long as it.

    A log of fewer episodes than `FEWEST` is cut into as many pieces at least.
    """
    starts = np.flatnonzero(np.diff(episode, prepend=-1))
    lengths = np.diff(starts, append=len(episode))
    longest = length if len(starts) >= FEWEST else min(length, max(1, len(episode) // FEWEST))
    parts = np.maximum(1, np.round(lengths / longest).astype(int))
    within = np.arange(len(episode)) - np.repeat(starts, lengths)
    first = np.repeat(np.cumsum(parts) - parts, lengths)
    part = first + within * np.repeat(parts, lengths) // np.repeat(lengths, lengths)
    count = int(part[-1]) + 1
    together = int(np.clip(round(length * count / len(episode)), 1, MOST_PIECES))
    drawn = np.random.default_rng(seed).integers(count, size=DRAWS * together)
    ends = np.arange(0, len(drawn) + 1, together)
    return Made(part, csr_matrix((np.ones(len(drawn)), drawn, ends), (DRAWS, count)), alone=False)


def in_order(rows: int, length: int) -> Made:
    """All stretches of a log of so many rows, a quarter of their length apart."""
    size = max(1, length // 4)
    count, together = rows // size, round(length / size)
    drawn = np.arange(count - together + 1)[:, None] + np.arange(together)
    ends = np.arange(0, drawn.size + 1, together)
    part = np.minimum(np.arange(rows) // size, count - 1)
    return Made(part, csr_matrix((np.ones(drawn.size), drawn.ravel(), ends), (len(drawn), count)), alone=True)


def _drift(name: str, values: np.ndarray, known: np.ndarray, made: list[Made], level: float) -> Drift:
    there = values[np.isfinite(values)]
    missing = 1 - len(there) / len(values)
    if not len(there):
        unknown = float("nan")
        return Drift(name, unknown, unknown, unknown, missing, unknown, unknown, unknown)
    unit = known.std() or 1.0
    reach = REACH * float(np.ptp(known)) + 1e-6 * max(unit, float(np.abs(known).max()))
    outside = (there < known.min() - reach) | (there > known.max() + reach)
    shift, spread = (there.mean() - known.mean()) / unit, there.std() / unit
    edges = _edges(known)
    usual = max(np.quantile(own.indices(np.searchsorted(edges, known, "right"), len(there)), level) for own in made)
    beyond = float(np.quantile(_outside(known, made[0], reach), level))
    index = stability_index(there, known)
    return Drift(name, float(shift), float(spread), float(outside.mean()), missing, index, float(usual), beyond)


def stability_index(values: Float64[np.ndarray, " row"], known: Float64[np.ndarray, " other"]) -> float:
    """The population stability index of values against known ones, over the known ones' tenths.

    Half a value is added to every count, so that an empty tenth does not make it infinite.
    """
    edges = _edges(known)
    counts = [np.bincount(np.searchsorted(edges, part, "right"), minlength=len(edges) + 1) for part in (values, known)]
    return float(_index(counts[0][None], counts[1])[0])


def _edges(known: Float64[np.ndarray, " row"]) -> Float64[np.ndarray, " edge"]:
    return np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))


def _index(counts: Any, known: Any) -> Float64[np.ndarray, " record"]:
    """The index of counts [record, tenth] against those of the log [tenth]."""
    p, q = counts + 0.5, known + 0.5
    p, q = p / p.sum(-1, keepdims=True), q / q.sum()
    return ((p - q) * np.log(p / q)).sum(-1)


def _counts(part: Int[np.ndarray, " row"], bins: Int[np.ndarray, " row"]) -> Int[np.ndarray, "part tenth"]:
    tenths = int(bins.max()) + 1
    return np.bincount(part * tenths + bins, minlength=(int(part[-1]) + 1) * tenths).reshape(-1, tenths)


def _outside(known: Float64[np.ndarray, " row"], pieces: Made, reach: float) -> Float64[np.ndarray, " record"]:
    """Of records that are made by lot, the share of rows beyond the range of all pieces but their own."""
    starts = np.flatnonzero(np.diff(pieces.part, prepend=-1))
    if len(starts) < 2:
        return np.zeros(1)
    high = np.partition(np.maximum.reduceat(known, starts), -2)[-2]
    low = np.partition(np.minimum.reduceat(known, starts), 1)[1]
    beyond = np.add.reduceat((known > high + reach) | (known < low - reach), starts, dtype=np.float64)
    rows = pieces.times @ np.diff(starts, append=len(known)).astype(np.float64)
    return (pieces.times @ beyond) / rows
