"""What a record shows, in figures: who acted, the alarms, drift against the log, windows of the policy alone."""

from collections import Counter
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from micro_rl.core.columns import Columns, in_one_line, listed
from micro_rl.data import Dataset
from micro_rl.data.stretches import alike, stretches
from micro_rl.errors import UserError
from micro_rl.reports.monitor.drift import Drift, drifts
from micro_rl.reports.monitor.recorded import Recorded


class Alarm(NamedTuple):
    """A stretch of steps in which the policy was not to act: first row, steps, why it began, and the worst score."""

    begins: int
    steps: int
    reason: str
    worst: float

    @property
    def line(self) -> int:
        """The line of the record's file in which it begins; the first one is the heading."""
        return self.begins + 2


class Windows(NamedTuple):
    """Returns of windows in which the policy acted throughout, and the log's own of that length, raw units.

    `alike` is the correlation of the log's windows with the next ones (`stretches.alike`), and `disjoint` how many
    there are that do not overlap.
    """

    length: int
    returns: Float64[np.ndarray, " window"]
    baseline: float
    deviation: float
    alike: float
    disjoint: int


class Findings(NamedTuple):
    """All of it. `drifts` and `windows` are None where the record was compared with no log."""

    steps: int
    episodes: int
    who: tuple[tuple[str, int], ...]
    above: int | None
    """Steps whose score lies above the guard's limit, None where the record tells none."""
    scored: int
    alarms: tuple[Alarm, ...]
    drifts: tuple[Drift, ...] | None
    windows: Windows | None


def find(record: Recorded, log: Dataset | None, length: int | None = None, policy: str | None = None) -> Findings:
    """Look at a record.

    Args:
        record: the record.
        log: what the policy was learned from.
        length: steps of a window; None compares no returns.
        policy: the digest of the policy whose windows alone are taken; None takes all.

    Raises:
        UserError: the log is one of other columns.
        ValueError: the log holds fewer than two windows of the length that do not overlap.
    """
    if log is not None:
        _check_same(record, log)
    scored = np.isfinite(record.score)
    above = None if record.last_limit is None else int((record.score > record.limit).sum())
    return Findings(
        len(record),
        len(np.unique(record.episode)),
        tuple(Counter(record.who).most_common()),
        above,
        int(scored.sum()),
        alarms(record),
        None if log is None else drifts(record, log),
        None if log is None or length is None else windows(record, log, length, policy),
    )


def _check_same(record: Recorded, log: Dataset) -> None:
    lines = [
        Columns(*(tuple(column._replace(name=in_one_line(column.name)) for column in part) for part in columns))
        for columns in (log.measured_columns, record.columns)
    ]
    known, own = ([[column.name for column in part] for part in columns] for columns in lines)
    which = f"{_told(known)}, the record's {_told(own)}"
    if known == own and (why := lines[0].unlike(lines[1])):
        which = f"in other units than the record's ({why})"
    elif known == own:
        return
    raise UserError(f"{log.path}: its columns are {which}: compare with the log of the policy that acted")


def _told(names: list[list[str]]) -> str:
    return listed([name for part in names for name in part])


def alarms(record: Recorded) -> tuple[Alarm, ...]:
    """The stretches of alarm, in order; an episode's end, or a row that is missing, ends one."""
    return tuple(
        Alarm(start, stop - start, record.reasons[start], _greatest(record.score[start:stop]))
        for start, stop in _unbroken(record, record.alarm)
    )


def _greatest(scores: Float64[np.ndarray, " row"]) -> float:
    return float(np.nanmax(scores)) if np.isfinite(scores).any() else float("nan")


def _unbroken(record: Recorded, rows: Bool[np.ndarray, " row"]) -> list[tuple[int, int]]:
    """The stretches of these rows that follow each other, each by its first row and the one after its last."""
    goes_on = rows[1:] & rows[:-1] & record.follows[1:]
    begins, ends = (np.flatnonzero(rows & ~np.insert(goes_on, place, False)) for place in (0, len(goes_on)))
    return list(zip(begins.tolist(), (ends + 1).tolist(), strict=True))


def windows(record: Recorded, log: Dataset, length: int, policy: str | None = None) -> Windows:
    """The windows of this length in which the policy acted throughout, side by side, and the log's.

    A window that reaches a terminal is whole, as in the log. Where the log has terminals, each stretch of the policy's
    begins with less than a window left out, by lot: what a window brings then hangs on how far from the episode's
    beginning it is, and the log's windows begin in every row.

    A reward that is computed from what no sensor can show is none, so that all must have been measured. Of a policy
    that is named by its digest those alone.
    """
    measured = np.isfinite(record.score) | record.healthy
    acted = np.array([who == "policy" for who in record.who]) & np.isfinite(record.rewards) & measured
    acted &= True if policy is None else record.by(policy)
    spans = _side_by_side(record, acted, length, by_lot=bool(log.terminals.any()))
    returns = [float(record.rewards[start:stop].sum()) for start, stop in spans]
    own = stretches(log, length)
    if own.disjoint < 2:
        raise ValueError(f"length: the log holds no two windows of {length} steps (`stretches.greatest_length`)")
    mean = float(own.returns.mean())
    return Windows(length, np.array(returns, np.float64), mean, own.deviation, alike(log, own), own.disjoint)


def _side_by_side(
    record: Recorded, acted: Bool[np.ndarray, " row"], length: int, by_lot: bool
) -> list[tuple[int, int]]:
    """The first row of each window, and the one after its last."""
    random, spans = np.random.default_rng(0), []
    for first, stop in _unbroken(record, acted):
        skipped = int(random.integers(length)) if by_lot else 0
        for start in range(first + skipped, stop, length):
            if start + length <= stop or record.terminal[stop - 1]:
                spans.append((start, min(start + length, stop)))
    return spans
