"""Several logs as one: what a plant was learned from, and what a controller has recorded since."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import numpy as np

from micro_rl.data.dataset import Dataset
from micro_rl.data.description import describe
from micro_rl.data.read_options import SAY_WHAT_ROWS_ARE
from micro_rl.data.taking import as_read
from micro_rl.data.writers.rows import lacks_next
from micro_rl.errors import UserError


def join(first: Dataset, others: Sequence[Dataset]) -> Dataset:
    """Put logs behind one another.

    Where one of them knows nothing of what followed an episode's last row and another does, those rows of it, from
    which nothing could be learned, are left out: its episodes are then cut one row earlier.

    Args:
        first: tells name, task and units.
        others: of the same columns and bounds.

    Returns:
        The log of all rows; who controlled is in it where all of them tell.

    Raises:
        UserError: columns, units, bounds, set-points or the rule of the end differ, or a log is given twice.
    """
    known = {first.sha256: first}
    for other in others:
        if other.sha256 in known:
            raise UserError(f"{other.path}: holds the same as {known[other.sha256].path}: give each log once")
        known[other.sha256] = other
        _check(first, other)
    whole = [first, *others]
    lacking = [lacks_next(log) for log in whole]
    if not all(lacking):
        whole = [_without_last(log) if lacks else log for log, lacks in zip(whole, lacking, strict=True)]
    rows = ("observations", "actions", "rewards", "next_observations", "terminals", "timeouts", "usable")
    arrays = {name: np.concatenate([getattr(log, name) for log in whole]) for name in rows}
    digest = sha256("".join(log.sha256 for log in whole).encode()).hexdigest()
    notes = tuple(f"{log.path.name}: {note}" for log in whole for note in log.notes)
    step = next((log.step_seconds for log in whole if log.step_seconds), None)
    joined = replace(first, **arrays, sha256=digest, notes=notes, step_seconds=step, groups=_labels(whole))
    return as_read(joined, not all(lacking))


def read_otherwise(first: Dataset, others: Sequence[Dataset]) -> list[str]:
    """Says what options tell of the first log and what is not so in the others, which the TOML beside each describes.

    Args:
        first: a log that was read with options.
        others: what is to be put behind it.

    Returns:
        A sentence for each option and log.
    """
    lines = []
    for word in SAY_WHAT_ROWS_ARE:
        value = getattr(first.reading, word)
        for other in () if value in (None, ()) else others:
            theirs = getattr(describe(other.path, other.reading).reading, word)
            alike = word == "horizon" and other.task.horizon == value
            if theirs != value and not alike:
                option, own = "--" + word.replace("_", "-"), "without it" if theirs in (None, ()) else f"by {theirs!r}"
                lines.append(
                    f"{option} is for {first.path.name} alone: {other.path.name} is read {own}; to read both alike, "
                    f"convert {other.path.name} with {option} first, and join that"
                )
    return lines


def _labels(logs: Sequence[Dataset]) -> np.ndarray | None:
    """Who controlled in each row, where all logs tell."""
    labels = [log.row_groups for log in logs]
    return None if any(own is None for own in labels) else np.concatenate([own for own in labels if own is not None])


def _check(first: Dataset, other: Dataset) -> None:
    """Refuse what would put apples behind pears."""
    parts = zip(("observation", "action"), first.columns, other.columns, strict=True)
    for what, own, theirs in parts:
        names = [[column.name for column in part] for part in (own, theirs)]
        if names[0] != names[1]:
            wanted = ", ".join(names[0][:20])
            raise UserError(f"{other.path}: its {what}s are not those of {first.path} ({wanted}, in this order)")
        for column, same in zip(own, theirs, strict=True):
            if column.unit and same.unit and column.unit != same.unit:
                raise UserError(f"{other.path}: {column.name} is in {same.unit}, in {first.path} in {column.unit}")
    for side in ("action_low", "action_high"):
        if not np.array_equal(getattr(first, side), getattr(other, side)):
            raise UserError(
                f"{other.path}: its {side} is {getattr(other, side).tolist()}, that of {first.path} "
                f"{getattr(first, side).tolist()}: say the same [bounds] in the TOML beside each"
            )
    own, theirs = first.step_seconds, other.step_seconds
    if own and theirs and not 0.99 < theirs / own < 1.01:
        raise UserError(
            f"{other.path}: a step lasts {theirs:g} s, in {first.path} {own:g} s: say the same resample in the TOML "
            "beside each"
        )
    if first.exogenous != other.exogenous or first.termination != other.termination:
        raise UserError(
            f"{other.path}: its exogenous columns or its termination are not those of {first.path}: say the same in "
            "the TOML beside each"
        )


def _without_last(log: Dataset) -> Dataset:
    """The log without the last row of every episode, which tells what followed the row before."""
    ends = log.terminals | log.timeouts
    rows, cut = ~ends, np.append(ends[1:], False)
    names = ("observations", "actions", "rewards", "next_observations", "usable")
    arrays = {name: getattr(log, name)[rows] for name in names}
    groups = None if log.row_groups is None else log.row_groups[rows]
    return replace(log, **arrays, groups=groups, terminals=np.zeros(rows.sum(), bool), timeouts=cut[rows])
