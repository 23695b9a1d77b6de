"""CSV and Parquet, one row a step, and beside them the TOML by which they are read back."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.core import toml_text
from micro_rl.data.dataset import Dataset
from micro_rl.data.log_metadata import ABOUT, OF_TASK, of
from micro_rl.data.writers.rows import columns
from micro_rl.errors import UserError, require_extra
from micro_rl.storage.files import replace_file, replacing
from micro_rl.storage.json_files import json_bytes

EXTRA = "writing CSV and Parquet files"


def write_csv(path: Path, log: Dataset, provenance: Mapping[str, Any]) -> list[str]:
    """Writes a CSV, whole or not at all; every number reads back the same."""
    require_extra("pyarrow", "tables", EXTRA)
    from pyarrow import csv

    named = _Names(log)
    with replacing(path) as temporary:
        csv.write_csv(_table(log, named), temporary)
    replace_file(toml_path(path), _toml(path.name, log, named, provenance))
    return ["CSV has no checksums: a damaged digit goes unnoticed"]


def write_parquet(path: Path, log: Dataset, provenance: Mapping[str, Any]) -> list[str]:
    """Writes a Parquet file, whole or not at all, every page with its checksum."""
    require_extra("pyarrow", "tables", EXTRA)
    from pyarrow import parquet

    named = _Names(log)
    table = _table(log, named).replace_schema_metadata({ABOUT.encode(): json_bytes(of(log) | dict(provenance))})
    with replacing(path) as temporary:
        parquet.write_table(table, temporary, write_page_checksum=True)
    replace_file(toml_path(path), _toml(path.name, log, named, provenance))
    return []


def text_in_csv(log: Dataset) -> bool:
    """Whether a CSV reads the labels of who controlled back: none spans lines or stands for a missing value."""
    from pyarrow import csv

    odd = {*csv.ConvertOptions().null_values} - {""}
    return log.groups is None or not any(text in odd or len(text.splitlines()) > 1 for text in set(log.groups.tolist()))


def toml_path(path: Path) -> Path:
    """Names the TOML of a table."""
    return path.with_name(path.name + ".toml")


class _Names:
    """What the table's columns are called; none twice."""

    def __init__(self, log: Dataset):
        self._taken: set[str] = set()
        self.observations = [self._own(column.name) for column in log.columns.observations]
        self.actions = [self._own(column.name) for column in log.columns.actions]
        for column, name in zip((*log.columns.observations, *log.columns.actions), self.all(), strict=True):
            if column.name != name:
                raise UserError(f"{log.path}: two columns are called {column.name!r}: a table needs a name for each")
        own = "next_observations" in columns(log)
        self.next_observations = [self._own(f"next_{name}") for name in self.observations] if own else []
        self.episode, self.reward, self.terminal, self.timeout = map(
            self._own, ("episode", "reward", "terminal", "timeout")
        )
        self.group = None if log.groups is None else self._own("group")

    def all(self) -> list[str]:
        return [*self.observations, *self.actions]

    def _own(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def _table(log: Dataset, named: _Names) -> Any:
    import pyarrow

    return pyarrow.table(dict(_columns(log, named)))


def _columns(log: Dataset, named: _Names) -> Iterator[tuple[str, np.ndarray]]:
    yield named.episode, np.repeat(np.arange(len(log.lengths)), log.lengths)
    for names, values in (
        (named.observations, log.observations),
        (named.actions, log.actions),
        (named.next_observations, log.next_observations),
    ):
        yield from ((name, np.ascontiguousarray(values[:, place])) for place, name in enumerate(names))
    yield named.reward, log.rewards
    yield named.terminal, log.terminals.astype(np.uint8)
    yield named.timeout, log.timeouts.astype(np.uint8)
    if named.group is not None and log.row_groups is not None:
        yield named.group, log.row_groups


def _toml(name: str, log: Dataset, named: _Names, provenance: Mapping[str, Any]) -> bytes:
    known = of(log)
    main = {
        "observations": named.observations,
        "actions": named.actions,
        "next_observations": named.next_observations,
        "exogenous": known.get("exogenous"),
        "reward": named.reward,
        "episode": named.episode,
        "terminal": named.terminal,
        "timeout": named.timeout,
        "group": named.group,
        "termination": log.termination.text if log.termination else None,
    }
    bounds = zip(named.actions, known["action_low"], known["action_high"], strict=True)
    units = zip(named.all(), (*log.columns.observations, *log.columns.actions), strict=True)
    tables = {
        "bounds": {name: [low, high] for name, low, high in bounds},
        "units": {name: column.unit for name, column in units if column.unit},
        "task": {name: known[name] for name in OF_TASK if name in known},
        "provenance": dict(provenance),
    }
    lines = [f"# How to read {name}.", *toml_text.lines(main.items())]
    for title, content in tables.items():
        lines += ["", f"[{title}]", *toml_text.lines(content.items())] if content else []
    return ("\n".join(lines) + "\n").encode()
