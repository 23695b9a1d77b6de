"""A log in another format: written, read back and compared before anyone relies on it."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import h5py
import numpy as np

from micro_rl.data import log_paths, toml_file
from micro_rl.data.dataset import Dataset
from micro_rl.data.description import describe
from micro_rl.data.loading import load
from micro_rl.data.log_metadata import ABOUT
from micro_rl.data.readers import d4rl, neorl2
from micro_rl.data.writers import hdf5, minari_set, npz, tables
from micro_rl.data.writers.rows import GROUPS
from micro_rl.errors import UserError, require_extra
from micro_rl.storage.files import CannotWrite, hidden, put_in_place, remove, saving, sync_folder

Form = Literal["hdf5", "npz", "csv", "parquet", "minari"]
FORMS: tuple[Form, ...] = get_args(Form)
SUFFIXES: Mapping[str, Form] = {
    ".hdf5": "hdf5",
    ".h5": "hdf5",
    ".npz": "npz",
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}

TABLES: tuple[Form, ...] = ("csv", "parquet")

EXTRAS: Mapping[Form, tuple[str, str, str]] = {
    "csv": ("pyarrow", "tables", "writing CSV"),
    "parquet": ("pyarrow", "tables", "writing Parquet"),
    "minari": ("minari", "minari", "writing Minari sets"),
}
"""What a format needs: the module, the extra that brings it, and for what."""

Write = Callable[[Path, Dataset, Mapping[str, Any]], list[str]]
WRITERS: Mapping[Form, Write] = {
    "hdf5": hdf5.write_log,
    "npz": npz.write,
    "csv": tables.write_csv,
    "parquet": tables.write_parquet,
    "minari": minari_set.write,
}
"""Each writes a log and what is known of where it comes from, and says what the format cannot keep."""


def form_of(path: Path, choice: Form | None) -> Form:
    """Gives the format that was asked for, else the one that the suffix names.

    Raises `UserError` where neither tells, and where what it needs is not installed: before any work.
    """
    if choice is None and path.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"{path}: its suffix names no format ({', '.join(SUFFIXES)}): say --to {' | '.join(FORMS)}; "
            "a Minari set is a folder"
        )
    form = choice or SUFFIXES[path.suffix.lower()]
    if form in EXTRAS:
        require_extra(*EXTRAS[form])
    return form


def convert(
    log: Dataset, path: Path, form: Form, command: str, force: bool = False, sources: Sequence[Dataset] = ()
) -> tuple[Dataset, list[str]]:
    """Writes a log in a format, reads it back and compares; what was there before is replaced only if both are equal.

    Args:
        log: the log.
        path: the file, or the folder of a Minari set, to write.
        form: the format.
        command: what made the file; stored beside the source's name and SHA-256.
        force: whether to replace what is there.
        sources: the logs that it was joined of; by default itself.

    Returns:
        The log as it was read back, and what the format could not store.

    Raises:
        UserError: something is there already, the format cannot hold the log, or it did not read back the same.
        CannotWrite: the disk refuses.
    """
    taken = [file for file in _files(path, form) if file.exists() or file.is_symlink()]
    sources = sources or [log]
    for own in sources:
        if not own.in_memory:
            _refuse_within(own.path, _files(path, form))
    if taken and not force:
        raise UserError(f"{taken[0]}: is there already; choose another name, or replace it with --force")
    _refuse_unless_replaceable(path, form)
    if form not in TABLES and (other := toml_file.beside(path)):
        raise UserError(f"{other}: would be taken for the description of {path.name}; choose another name")
    provenance = {
        "source": ", ".join(own.path.name for own in sources),
        "source_sha256": ", ".join(own.sha256 for own in sources),
        "command": command,
    }
    return _written(log, path, form, provenance)


def _files(path: Path, form: Form) -> list[Path]:
    return [path, tables.toml_path(path)] if form in TABLES else [path]


def _refuse_within(log: Path, files: Sequence[Path]) -> None:
    """Refuses to write over a log, over the TOML that describes it, or into the folder in which it lies."""
    linked = log_paths.parquet_files(log) if log.is_dir() else []
    own = [part.resolve() for part in (log, toml_file.beside(log), *linked) if part]
    for file in files:
        ways = (file.resolve(), file.parent.resolve() / file.name)  # a link may lie in the folder, or lead into it
        if any(way.is_relative_to(part) for way in ways for part in own):
            raise UserError(f"{file}: is the log itself, or a part of it; convert it into another file")


def _refuse_unless_replaceable(path: Path, form: Form) -> None:
    """A folder is replaced by a Minari set only, and only where it was one: a mistyped path must not cost any."""
    if path.is_dir() and not (form == "minari" and minari_set.replaceable(path)):
        raise UserError(f"{path}: is a folder that is no Minari set; choose another name")


def _written(log: Dataset, path: Path, form: Form, provenance: Mapping[str, Any]) -> tuple[Dataset, list[str]]:
    """The log as it reads back, and what was lost: the target is replaced only once both are equal."""
    log, lost = _holdable(log, form)
    waiting = hidden(Path(os.path.abspath(path)), "tmp")
    copy = waiting / path.name  # under its own name and suffix, by which a log is read
    try:
        remove(waiting)
        with saving(path):
            waiting.mkdir(parents=True)
        lost += WRITERS[form](copy, log, provenance)
        back = _read_back(log, path, copy)
        with saving(path):
            for file, place in zip(_files(copy, form), _files(path, form), strict=True):
                put_in_place(file, place) if file.is_dir() else os.replace(file, place)
            sync_folder(waiting.parent)
    except CannotWrite as error:
        raise CannotWrite(str(error).replace(str(copy), str(path))) from error
    finally:
        remove(waiting)
    path = log_paths.locate(path)
    return replace(back, path=path, name=log_paths.log_name(path)), lost


def _holdable(log: Dataset, form: Form) -> tuple[Dataset, list[str]]:
    """The log without what the format has no place for, and what that is."""
    lost = []
    if log.step_seconds is not None and form in TABLES:
        lost.append(f"how long a step is ({log.step_seconds:g} s)")
        log = replace(log, step_seconds=None)
    if log.groups is not None and (form == "minari" or (form == "csv" and not tables.text_in_csv(log))):
        lost.append("who controlled (group)")
        log = replace(log, groups=None)
    return log, lost


def _read_back(log: Dataset, path: Path, copy: Path) -> Dataset:
    """What was written, read as anyone will; refused if it is not the log."""
    try:
        back = load(copy)
        differs = difference(log, back)
    except UserError as error:
        back, differs = None, str(error)
    if back is None or differs:
        raise UserError(
            f"{path}: would not read back as {log.path} ({differs}), so it was not written; please report this"
        )
    return back


def difference(first: Dataset, second: Dataset) -> str | None:
    """Names the first thing in which two logs differ, names, paths and notes apart; None where nothing does."""
    arrays = (
        "observations",
        "actions",
        "rewards",
        "next_observations",
        "terminals",
        "timeouts",
        "usable",
        "action_low",
        "action_high",
    )
    for name in arrays:
        if not np.array_equal(getattr(first, name), getattr(second, name)):
            return name
    if first.columns != second.columns:
        return "names or units of columns"
    if first.exogenous != second.exogenous:
        return "exogenous columns"
    if first.termination != second.termination:
        return "termination"
    if first.step_seconds != second.step_seconds:
        return "how long a step is"
    if _labels(first) != _labels(second):
        return "who controlled"
    known = {name: value for name, value in vars(first.task).items() if value is not None}
    return next((name for name, value in known.items() if getattr(second.task, name) != value), None)


def _labels(log: Dataset) -> list[str] | None:
    return None if log.row_groups is None else log.row_groups.tolist()


def left_behind(log: Dataset) -> list[str]:
    """Lists what stands in the source's file and is no part of a log, so that it is written nowhere."""
    if log.format == d4rl.FORMAT:
        with h5py.File(log.path, "r", locking=False) as file:
            others = sorted(set(file) - set(d4rl.KEYS) - _group_array(log))
            wide = [name for name in d4rl.KEYS if name in file and _wide(cast(h5py.Dataset, file[name]).dtype)]
    elif log.format == neorl2.FORMAT:
        with np.load(log.path, allow_pickle=False) as file:
            others = sorted(set(file) - {*neorl2.KEYS.values(), ABOUT} - _group_array(log))
            wide = [key for key in neorl2.KEYS.values() if _wide(file[key].dtype)]
    else:
        return []
    losses = [f"{', '.join(others)} of {log.path.name}"] if others else []
    return losses + ([f"{', '.join(wide)} beyond float32's digits"] if wide else [])


def _group_array(log: Dataset) -> set[str]:
    """The name of the array that tells who controlled, which is kept under another."""
    return set() if log.groups is None else {describe(log.path, log.reading).group or GROUPS}


def _wide(dtype: np.dtype) -> bool:
    return dtype.kind == "f" and dtype.itemsize > 4
