"""A log mended where there is no doubt how: what cannot be learned from is dropped, and every change is listed."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from micro_rl.core.wording import plural
from micro_rl.data import conversion
from micro_rl.data.checks import episodes, findings
from micro_rl.data.checks.inspection import Inspection
from micro_rl.data.dataset import Dataset
from micro_rl.data.taking import as_read
from micro_rl.errors import UserError
from micro_rl.storage.files import saving

MENDABLE = frozenset({"not-finite", "overflow", "out-of-bounds"})
"""Errors with a remedy that needs no knowledge of the system."""


class Change(NamedTuple):
    """What was done to which rows, numbered as in the log it was done to; all of them."""

    kind: str
    text: str
    rows: tuple[int, ...]


def mend(inspection: Inspection, out: Path, horizon: int | None, command: str) -> tuple[list[Change], list[str]]:
    """Writes a repaired copy of a log, unless there is nothing to mend.

    Args:
        inspection: the log and its findings.
        out: the new file; its suffix names the format.
        horizon: time limit in steps, as of `repair`.
        command: what makes the copy; stored in it.

    Returns:
        All changes, empty where no copy was written, and what of the log the copy does not keep.

    Raises:
        UserError: there is an error that nothing here can mend, no row is left, or `out` exists.
    """
    form = conversion.form_of(out, None)
    if out.exists():
        raise UserError(f"{out}: is there already; name a new file for the mended copy")
    errors = [finding for finding in inspection.findings if finding.level == "error" and finding.kind not in MENDABLE]
    if errors or inspection.dataset is None:
        raise UserError(f"{inspection.path}: nothing can be mended before this is: {errors[0].text}")
    next_recorded = all(finding.kind != "no-next-observations" for finding in inspection.findings)
    dataset, changes = repair(inspection.dataset, next_recorded, horizon, inspection.standing)
    if not changes:
        return changes, []
    if not len(dataset):
        raise UserError(
            f"{inspection.path}: no row is left when those that cannot be used are dropped: write the log again"
        )
    with saving(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    _, lost = conversion.convert(dataset, out, form, command)
    return changes, [*conversion.left_behind(inspection.dataset), *lost]


def repair(
    dataset: Dataset, next_recorded: bool, horizon: int | None, standing: Bool[np.ndarray, " row"] | None = None
) -> tuple[Dataset, list[Change]]:
    """Repairs a log where there is no doubt how.

    Actions are clipped to their bounds. Dropped are rows with NaN or infinity, rows repeated on the spot, episodes that
    occurred before, and timeouts whose next observation is another episode's start; where they were, an episode is cut
    by a timeout. What was broken before stays as it was, so that it is found again.

    Args:
        dataset: a log as it was examined.
        next_recorded: whether it has next observations of its own.
        horizon: terminals after exactly so many steps become timeouts; None leaves them.
        standing: rows at which the log's time stands still; None where it has no times.

    Returns:
        The repaired log, and every change.
    """
    changes: list[Change] = []
    terminals, timeouts = dataset.terminals.copy(), dataset.timeouts.copy()
    if horizon is not None and len(rows := episodes.terminals_at(dataset, horizon)):
        terminals[rows], timeouts[rows] = False, True
        changes.append(_change("terminal-to-timeout", f"terminal after {plural(horizon, 'step')}, now a timeout", rows))
    clipped = np.clip(dataset.actions, dataset.action_low, dataset.action_high)
    actions = np.where(np.isfinite(dataset.actions), clipped, dataset.actions)
    if len(rows := np.flatnonzero(((actions != dataset.actions) & np.isfinite(dataset.actions)).any(1))):
        changes.append(_change("clipped", "an action past its bounds, now clipped to them", rows))
    mended = replace(dataset, actions=actions, terminals=terminals, timeouts=timeouts)
    twice = _twice(mended, next_recorded, standing)
    usable = np.ones(len(dataset), bool)
    for kind, text, rows in _useless(mended, next_recorded, twice):
        if len(rows := rows[usable[rows]]):
            changes.append(_change(kind, text, rows))
            usable[rows] = False
    mended, cuts = _cut(mended, usable, next_recorded, twice)
    if len(cuts):
        changes.append(_change("cut", "the last before a gap, now ends an episode by timeout", cuts))
    return mended, changes


def _change(kind: str, text: str, rows: Int[np.ndarray, " row"]) -> Change:
    return Change(kind, text, tuple(rows.tolist()))


def _useless(
    dataset: Dataset, next_recorded: bool, twice: Bool[np.ndarray, " row"]
) -> list[tuple[str, str, Int[np.ndarray, " _"]]]:
    """Rows that nothing can be learned from, by the reason."""
    finite = np.isfinite(dataset.rewards)
    for part in (dataset.observations, dataset.actions, *((dataset.next_observations,) if next_recorded else ())):
        finite &= np.isfinite(part).all(1)
    crossing = dataset.timeouts & ~dataset.usable & next_recorded
    if dataset.outliers is not None:
        crossing &= ~dataset.outliers.rows
    return [
        ("not-finite", "NaN or infinity, dropped", np.flatnonzero(~finite)),
        ("repeated", "the row before once more, dropped", np.flatnonzero(twice)),
        ("episode-again", "of an episode that occurred before, dropped", _episodes_again(dataset)),
        ("crossing", "a timeout whose next observation is another episode's, dropped", np.flatnonzero(crossing)),
    ]


def _rows(dataset: Dataset) -> tuple[np.ndarray, ...]:
    return dataset.observations, dataset.actions, dataset.rewards, dataset.next_observations


def _twice(
    dataset: Dataset, next_recorded: bool, standing: Bool[np.ndarray, " row"] | None
) -> Bool[np.ndarray, " row"]:
    """Rows equal to the one before in the same episode, unless the system stands still and so may repeat itself.

    Without next observations of its own a log tells a row logged twice from rest by its times alone.
    """
    same = np.ones(len(dataset) - 1, bool)
    for part in _rows(dataset)[: 4 if next_recorded else 3]:
        flat = part.reshape(len(part), -1)
        same &= (flat[1:] == flat[:-1]).all(1)
    twice = np.append(False, same)
    twice[dataset.starts] = False
    if next_recorded:
        return twice & (dataset.next_observations != dataset.observations).any(1)
    return twice & (False if standing is None else standing)


def _episodes_again(dataset: Dataset) -> Int[np.ndarray, " again"]:
    """All rows of the episodes of which every row occurred before; one of a single row, or at rest, may be chance."""
    again = np.zeros(len(dataset), bool)
    again[findings.repeated(*_rows(dataset))] = True
    moved = (dataset.observations != np.repeat(dataset.observations[dataset.starts], dataset.lengths, axis=0)).any(1)
    whole = np.logical_and.reduceat(again, dataset.starts) & np.logical_or.reduceat(moved, dataset.starts)
    return np.flatnonzero(np.repeat(whole, dataset.lengths))


def _cut(
    dataset: Dataset, usable: Bool[np.ndarray, " row"], next_recorded: bool, twice: Bool[np.ndarray, " row"]
) -> tuple[Dataset, Int[np.ndarray, " cut"]]:
    """The kept rows, with a timeout before every gap, and where these were put (rows of the old log)."""
    rows = np.flatnonzero(usable)
    terminals, timeouts = dataset.terminals.copy(), dataset.timeouts.copy()
    before, after = rows[:-1], rows[1:]
    running = ~(terminals | timeouts)[before]
    gaps = np.cumsum(~usable & ~twice)
    cut = running & (gaps[before] != gaps[after])
    timeouts[before[cut]] = True
    if len(rows) and not terminals[rows[-1]]:
        timeouts[rows[-1]] = True
    cuts = np.flatnonzero(usable & timeouts & ~dataset.timeouts)
    chosen = {name: getattr(dataset, name)[rows] for name in ("observations", "actions", "rewards")}
    left = replace(
        dataset,
        **chosen,
        next_observations=dataset.next_observations[rows],
        usable=dataset.usable[rows],
        terminals=terminals[rows],
        timeouts=timeouts[rows],
        groups=None if dataset.row_groups is None else dataset.row_groups[rows],
    )
    return as_read(left, next_recorded), cuts
