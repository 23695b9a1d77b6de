"""One group an episode in HDF5, as robomimic writes: data/demo_0, data/demo_1, ..., each with arrays of its own."""

import re
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from micro_rl.core.columns import Column, Columns, distinct
from micro_rl.core.wording import plural
from micro_rl.data.checks import findings
from micro_rl.data.narrowing import Narrowing
from micro_rl.data.raw_log import RawLog, refuse_oversize
from micro_rl.data.readers import hdf5_storage
from micro_rl.errors import UserError

ROOT = "data"
NAMES = {
    "observations": ("observations", "obs"),
    "next_observations": ("next_observations", "next_obs"),
    "actions": ("actions",),
    "rewards": ("rewards",),
    "terminals": ("terminals",),
    "timeouts": ("timeouts",),
}
"""What an array, or a group of arrays, of an episode may be called."""
DONES = "dones"
REQUIRED = ("observations", "actions", "rewards")
FLAGS = ("terminals", "timeouts", DONES)
Parts = dict[str, list[tuple[str, h5py.Dataset]]]
"""The arrays of one episode by field, each with its name; several where a group holds them."""


def recognises(present: set[str]) -> bool:
    """Tells whether a file with these keys at its root may hold a group for each episode."""
    return ROOT in present and "observations" not in present


def read(path: Path, file: h5py.File, timeouts: str | None = None) -> RawLog:
    """Reads the episodes in order of their numbers, one after another; each ends with its last row.

    Args:
        path: the file.
        file: the same, open.
        timeouts: the array of an episode that marks where it was cut, where it has another name.

    Returns:
        The log.

    Raises:
        UserError: a group lacks an array, or one has another shape than in the first group.
    """
    group = hdf5_storage.member(path, file, ROOT, ROOT)
    names = [str(name) for name in group] if isinstance(group, h5py.Group) else []
    names = sorted((name for name in names if re.fullmatch(r"[A-Za-z]+_[0-9]{1,9}", name)), key=_number)
    if not names:
        raise UserError(f"{path}: no episodes in {ROOT}/: store each as {ROOT}/demo_0, {ROOT}/demo_1, ...")
    episodes = [_parts(path, group, name, timeouts) for name in names]
    lengths = [(*parts["rewards"][0][1].shape, 0)[0] for parts in episodes]
    for name, parts, length in zip(names, episodes, lengths, strict=True):
        _check(path, f"{ROOT}/{name}", parts, episodes[0], length)
    width = sum(_width(arrays) for arrays in episodes[0].values())
    refuse_oversize(path, "the log", 4 * width * sum(lengths), path.stat().st_size)
    return _joined(episodes, lengths)


def _number(name: str) -> tuple[str, int]:
    word, number = name.rsplit("_", 1)
    return word, int(number)


def _parts(path: Path, group: h5py.HLObject, name: str, timeouts: str | None) -> Parts:
    episode = hdf5_storage.member(path, group, name, f"{ROOT}/{name}")
    there = set(map(str, episode)) if isinstance(episode, h5py.Group) else set()
    fields = NAMES | {DONES: (DONES,)} | ({"timeouts": (timeouts,)} if timeouts else {})
    parts: Parts = {}
    for field, keys in fields.items():
        key = next((key for key in keys if key in there), None)
        if key is not None:
            parts[field] = _arrays(path, episode, key, f"{ROOT}/{name}/{key}")
        elif field in REQUIRED or timeouts in keys:
            shown = ", ".join(sorted(there)[:12]) or "nothing"
            raise UserError(f"{path}: no {' nor '.join(keys)} in {ROOT}/{name}, which holds {shown}: rename or add it")
    return parts


def _arrays(path: Path, episode: h5py.HLObject, key: str, label: str) -> list[tuple[str, h5py.Dataset]]:
    """An array, or those of a group in order of their names."""
    stored = hdf5_storage.member(path, episode, key, label)
    if not isinstance(stored, h5py.Group):
        return [("", hdf5_storage.whole_array(path, stored, label))]
    names = sorted(map(str, stored))
    if not names:
        raise UserError(f"{path}: {label} holds nothing: write the log again")
    inner = [(own, hdf5_storage.member(path, stored, own, f"{label}/{own}")) for own in names]
    return [(own, hdf5_storage.whole_array(path, part, f"{label}/{own}")) for own, part in inner]


def _check(path: Path, label: str, parts: Parts, first: Parts, length: int) -> None:
    """Refuses an episode that does not fit to the first, or whose arrays do not fit to one another."""
    if length < 1:
        raise UserError(f"{path}: {label} holds no rows: leave it out")
    layouts = [{field: [own for own, _ in arrays] for field, arrays in one.items()} for one in (parts, first)]
    if layouts[0] != layouts[1]:
        raise UserError(f"{path}: {label} holds other arrays than the first episode: write the log again")
    for field, arrays in parts.items():
        single = field in ("rewards", *FLAGS)
        for (own, array), (_, before) in zip(arrays, first[field], strict=True):
            name = "/".join(part for part in (label, field, own) if part)
            allowed = ((length,), (length, 1)) if single else ((length, *before.shape[1:]),)
            if array.shape not in allowed or array.ndim > 2 or array.dtype.kind not in "fiub" or 0 in array.shape:
                text = f"{name} has shape {array.shape} and type {array.dtype}: store {plural(length, 'row')} of plain"
                raise UserError(f"{path}: {text} numbers, as many as rewards")
            hdf5_storage.check(path, name, array, written=field not in FLAGS)


def _width(arrays: Sequence[tuple[str, h5py.Dataset]]) -> int:
    return sum(array.shape[1] if array.ndim > 1 else 1 for _, array in arrays)


def _joined(episodes: Sequence[Parts], lengths: Sequence[int]) -> RawLog:
    """All episodes, one after another."""
    rows, first = sum(lengths), episodes[0]
    arrays: dict[str, np.ndarray] = {}
    overflow, blurred, problems = {}, {}, []
    for field in first.keys() - {*FLAGS}:
        column = Narrowing(rows, *(() if field == "rewards" else (_width(first[field]),)))
        for episode, length in zip(episodes, lengths, strict=True):
            column.add(np.concatenate([array[()].reshape(length, -1) for _, array in episode[field]], axis=1))
        arrays[field], overflow[field], blurred[field] = column.values(), column.overflow, column.blurred()
    for field in first.keys() & {*FLAGS[:2]}:
        arrays[field] = np.concatenate([episode[field][0][1][()].reshape(-1) for episode in episodes])
    last = np.zeros(rows, bool)
    last[np.cumsum(lengths) - 1] = True
    terminals = arrays.setdefault("terminals", np.zeros(rows, bool))
    arrays["timeouts"] = arrays.get("timeouts", np.zeros(rows, bool)).astype(float)
    arrays["timeouts"][last & (terminals != 1)] = 1
    if DONES in first and "terminals" not in first:
        text = (
            "'dones' marks where an episode ends, not that the task ended it: every episode's end counts as a timeout"
        )
        problems.append(findings.warning("dones", text))
    names = tuple(map(Column, distinct(_names(first["observations"]))))
    keys = {field: field for field in NAMES}
    columns = Columns(names) if names else Columns()
    return RawLog(arrays, keys, None, None, columns, overflow=overflow, blurred=blurred, findings=tuple(problems))


def _names(arrays: Sequence[tuple[str, h5py.Dataset]]) -> list[str]:
    """Names of the columns of arrays that have names."""
    names = []
    for own, array in arrays:
        width = array.shape[1] if array.ndim > 1 else 1
        names += ([own] if width == 1 else [f"{own}_{place}" for place in range(width)]) if own else []
    return names
