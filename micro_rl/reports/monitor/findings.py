"""What a record shows, in figures: who acted, the alarms, drift against the log, windows of the policy alone."""

from collections import Counter
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from micro_rl.core.columns import in_one_line, listed
from micro_rl.data import Dataset
from micro_rl.data.stretches import alike, stretches
from micro_rl.errors import UserError
from micro_rl.reports.monitor.recorded import Recorded

BINS = 10
"""Tenths of the log that a column's values are counted in."""
DRIFTED = 0.25
"""A population stability index below which no column counts as drifted, however steady its log was."""
STRETCHES, USUAL = 50, 0.95
"""Stretches of the log, as long as the record, whose own index tells what is usual: most of them keep it."""


class Alarm(NamedTuple):
    """A stretch of steps in which the policy was not to act: first row, steps, why it began, and the worst score."""

    begins: int
    steps: int
    reason: str
    worst: float


class Drift(NamedTuple):
    """A column in operation against the log.

    `shift` is the mean's, in the log's standard deviations; `spread` the deviation over the log's; `outside` the share
    beyond the log's range; `missing` that of cells without a number; `stability` the population stability index,
    sum (p - q) ln (p / q) over the log's tenths; `usual` what 19 of 20 stretches of the log keep of it.
    """

    name: str
    shift: float
    spread: float
    outside: float
    missing: float
    stability: float
    usual: float

    @property
    def drifted(self) -> bool:
        """Whether somebody should look."""
        return self.stability > max(DRIFTED, self.usual) or self.outside > 0.01


class Windows(NamedTuple):
    """Returns of windows in which the policy acted throughout, and the log's own of that length, raw units.

    `alike` is the correlation of the log's windows with the next ones (`stretches.alike`).
    """

    length: int
    returns: Float64[np.ndarray, " window"]
    baseline: float
    deviation: float
    alike: float


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
    known, own = (
        [[in_one_line(column.name) for column in part] for part in columns]
        for columns in (log.measured_columns, record.columns)
    )
    if known != own:
        raise UserError(
            f"{log.path}: its columns are {_told(known)}, the record's {_told(own)}: "
            "compare with the log of the policy that acted"
        )


def _told(names: list[list[str]]) -> str:
    return listed([name for part in names for name in part])


def alarms(record: Recorded) -> tuple[Alarm, ...]:
    """The stretches of alarm, in order; an episode's end ends one."""
    follows = np.zeros(len(record), bool)
    follows[1:] = record.alarm[:-1] & (np.diff(record.episode) == 0)
    starts = np.flatnonzero(record.alarm & ~follows)
    listed = []
    for start in starts.tolist():
        on = record.alarm[start:] & (record.episode[start:] == record.episode[start])
        steps = len(on) if on.all() else int(np.argmin(on))
        scores = record.score[start : start + steps]
        worst = float(np.nanmax(scores)) if np.isfinite(scores).any() else float("nan")
        listed.append(Alarm(start, steps, record.reasons[start], worst))
    return tuple(listed)


def drifts(record: Recorded, log: Dataset) -> tuple[Drift, ...]:
    """Every column against the log: observations as they were measured, actions as they were applied."""
    measured = np.concatenate([record.observations, record.actions], -1)
    known = np.concatenate([log.measured_observations, log.actions[: len(log.measured_observations)]], -1)
    names = [str(column) for part in record.columns for column in part]
    with np.errstate(over="ignore", invalid="ignore"):  # a broken sensor may show anything
        return tuple(_drift(name, measured[:, place], known[:, place]) for place, name in enumerate(names))


def _drift(name: str, values: np.ndarray, known: np.ndarray) -> Drift:
    there, known = values[np.isfinite(values)], known.astype(np.float64)
    missing = 1 - len(there) / len(values)
    if not len(there):
        unknown = float("nan")
        return Drift(name, unknown, unknown, unknown, missing, unknown, unknown)
    unit = known.std() or 1.0
    reach = 1e-6 * max(unit, float(np.abs(known).max()))
    outside = (there < known.min() - reach) | (there > known.max() + reach)
    shift, spread = (there.mean() - known.mean()) / unit, there.std() / unit
    index, usual = stability_index(there, known), usual_index(known, len(there))
    return Drift(name, float(shift), float(spread), float(outside.mean()), missing, index, usual)


def usual_index(known: Float64[np.ndarray, " row"], length: int) -> float:
    """What most stretches of the log, so long, have as their index against all of it.

    A column that moves seldom is unlike the whole in every short stretch. A log that is no longer than three stretches
    cannot tell: 0.
    """
    if len(known) < 3 * length:
        return 0.0
    starts = np.linspace(0, len(known) - length, STRETCHES).astype(int)
    return float(np.quantile([stability_index(known[start : start + length], known) for start in starts], USUAL))


def stability_index(values: Float64[np.ndarray, " row"], known: Float64[np.ndarray, " other"]) -> float:
    """The population stability index of values against known ones, over the known ones' tenths.

    Half a value is added to every count, so that an empty tenth does not make it infinite.
    """
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
    shares = []
    for part in (values, known):
        counts = np.bincount(np.searchsorted(edges, part, "right"), minlength=len(edges) + 1) + 0.5
        shares.append(counts / counts.sum())
    return float(((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum())


def windows(record: Recorded, log: Dataset, length: int, policy: str | None = None) -> Windows:
    """The windows of this length in which the policy acted throughout, side by side, and the log's.

    A reward that is computed from what no sensor can show is none, so that all must have been measured. Of a policy
    that is named by its digest those alone.
    """
    measured = np.isfinite(record.score) | record.healthy
    acted = np.array([who == "policy" for who in record.who]) & np.isfinite(record.rewards) & measured
    acted &= True if policy is None else record.by(policy)
    returns = [float(record.rewards[start : start + length].sum()) for start in _side_by_side(record, acted, length)]
    own = stretches(log, length)
    mean, deviation = float(own.returns.mean()), float(own.returns.std(ddof=1))
    return Windows(length, np.array(returns, np.float64), mean, deviation, alike(log, own))


def _side_by_side(record: Recorded, acted: Bool[np.ndarray, " row"], length: int) -> list[int]:
    starts, run = [], 0
    for row in range(len(record)):
        goes_on = row > 0 and record.episode[row] == record.episode[row - 1] and run > 0
        run = (run + 1 if goes_on else 1) if acted[row] else 0
        if run == length:
            starts.append(row - length + 1)
            run = 0
    return starts
