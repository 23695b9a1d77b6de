"""From a reader's raw arrays to a `Dataset`: the checks that all formats share."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from micro_rl.data import bounds, convert, ends, findings, names, neorl2
from micro_rl.data.dataset import Dataset
from micro_rl.data.layout import RawLog


class Options(NamedTuple):
    """What the caller knows and the file may not say."""

    action_low: bounds.Limit | None
    action_high: bounds.Limit | None
    horizon: int | None


def assemble(path: Path, file_format: str, raw: RawLog, options: Options) -> Dataset:
    """The checks that all formats share, then the `Dataset`."""
    notes: list[str] = []
    columns = _columns(path, raw, notes)
    flags = {
        field: convert.as_flags(path, raw.keys[field], raw.arrays[field])
        for field in ("terminals", "timeouts")
        if field in raw.arrays
    }
    terminals = flags["terminals"]
    timeouts, remarks = ends.split(path, terminals, flags.get("timeouts"), options.horizon)
    notes += remarks
    after, usable = _next_observations(columns, terminals, timeouts, notes)
    actions, limits = _bounded_actions(path, file_format, raw, columns["actions"], options, notes)
    notes += findings.odd_columns(columns["observations"])
    notes += findings.duplicates(columns["observations"], actions, columns["rewards"], after)
    dataset = Dataset(
        name=names.title(path),
        observations=columns["observations"],
        actions=actions,
        rewards=columns["rewards"],
        next_observations=after,
        terminals=terminals,
        timeouts=timeouts,
        usable=usable,
        action_low=limits.low,
        action_high=limits.high,
        path=path,
        sha256=_sha256(path),
        format=file_format,
        notes=tuple(notes),
        columns=raw.columns,
        termination=raw.termination,
    )
    return _frozen(dataset)


def _frozen(dataset: Dataset) -> Dataset:
    """The same, its arrays made read-only: many runs may share one log."""
    for value in vars(dataset).values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    return dataset


def _columns(path: Path, raw: RawLog, notes: list[str]) -> dict[str, np.ndarray]:
    """The measured columns as float32; rewards squeezed to one per row."""
    columns = {}
    for field in ("observations", "actions", "rewards", "next_observations"):
        if field in raw.arrays:
            stored = raw.arrays[field]
            columns[field] = convert.as_float32(path, raw.keys[field], stored)
            if note := convert.rounding_note(raw.keys[field], stored, columns[field]):
                notes.append(note)
    columns["rewards"] = columns["rewards"].reshape(-1)
    return columns


def _next_observations(
    columns: dict[str, np.ndarray], terminals: np.ndarray, timeouts: np.ndarray, notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Next observations and the rows where they are true."""
    if "next_observations" not in columns:
        after, usable, note = ends.next_rows(columns["observations"], terminals, terminals | timeouts)
        notes.append(note)
        return after, usable
    after = columns["next_observations"]
    usable, remarks = ends.recorded_next(columns["observations"], after, terminals, timeouts)
    notes += remarks
    return after, usable


def _bounded_actions(
    path: Path, file_format: str, raw: RawLog, actions: np.ndarray, options: Options, notes: list[str]
) -> tuple[np.ndarray, bounds.Bounds]:
    """Actions inside their bounds, which the caller, the file, or the actions themselves tell."""
    width = actions.shape[1]
    limits = bounds.as_bounds(path, "given", options.action_low, options.action_high, width)
    limits = limits or bounds.as_bounds(path, "in the file", raw.action_low, raw.action_high, width)
    if limits is None:
        limits = bounds.usual(path, actions)
        if file_format != neorl2.FORMAT and names.title(path).split("-")[0] not in bounds.UNIT_TASKS:
            notes.append("no action bounds given or recorded: [-1, 1] is assumed")
    actions, note = bounds.inside(path, actions, limits)
    if note:
        notes.append(note)
    return actions, limits


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
