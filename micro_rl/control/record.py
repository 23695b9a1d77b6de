"""The record: every decision and its reason, a line each, appended at once and read back as a log."""

from __future__ import annotations

import csv
import io
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from micro_rl.control.guard import Guard
from micro_rl.control.record_toml import acted_since, acts_from, newest_policy, toml_of
from micro_rl.core.columns import Columns, in_one_line
from micro_rl.errors import UserError, require_extra
from micro_rl.policy import Policy
from micro_rl.storage.files import reading, regular_size, remove, replace_file, replacing, saving

OWN = ("reward", "terminal", "healthy", "who", "source", "score", "limit", "alarm", "reason")
"""Columns behind observations, actions and what was advised; in front are episode, step and time."""


class Names:
    """What the columns of a record are called; none twice."""

    def __init__(self, columns: Columns):
        """Raises `UserError` where two columns of the policy have one name."""
        self._taken: set[str] = set()
        self.observations = [self._as_it_is(column.name) for column in columns.observations]
        self.actions = [self._as_it_is(column.name) for column in columns.actions]
        self.advised = [self._own(f"advised_{name}") for name in self.actions]
        self.episode, self.step, self.time = map(self._own, ("episode", "step", "time"))
        self.own = {name: self._own(name) for name in OWN}

    @property
    def heading(self) -> list[str]:
        """All of them, in order."""
        front = [self.episode, self.step, self.time]
        return [*front, *self.observations, *self.actions, *self.advised, *self.own.values()]

    def _as_it_is(self, name: str) -> str:
        name = in_one_line(name)
        if name in self._taken:
            raise UserError(f"record: two columns are called {name!r}: a record needs a name for each")
        self._taken.add(name)
        return name

    def _own(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


class Record:
    """A CSV that grows by a line for each decision, with the TOML beside it by which it is read as a log.

    A path that ends in .parquet gets a CSV of the same name, and is written from it by `close`.
    """

    def __init__(self, path: str | Path, policy: Policy, guard: Guard | None = None):
        """Begin a record, or go on with one that is there; of the guard the limit is told.

        Raises:
            UserError: the file is no record of this policy's columns, or the disk refuses.
        """
        target = Path(path)
        if target.suffix.lower() not in (".csv", ".parquet"):
            raise UserError(f"{target}: a record's name ends in .csv or .parquet")
        self.parquet = target if target.suffix.lower() == ".parquet" else None
        if self.parquet is not None:
            require_extra("pyarrow", "tables", "a record in Parquet")
            _check_own(self.parquet)
        self.path = target.with_suffix(".csv") if self.parquet else target
        self.names = Names(policy.columns)
        self._line, new = line(self.names.heading), not self.path.exists()
        try:
            self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115 - as long as the record
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror}); choose another record") from error
        _lock(self._file, self.path)
        try:
            self.episode = self._going_on() + 1 if regular_size(self.path) else 0
            self._describe(policy, guard)
        except UserError:
            self._file.close()
            if new:
                remove(self.path)
            raise

    def __del__(self) -> None:
        """Lets go of the file, where nobody has closed it."""
        if hasattr(self, "_file"):
            self._file.close()

    def write(self, cells: Sequence[Any]) -> None:
        """Append a row, whole or not at all; `OSError` where the disk refuses."""
        self.write_line(line(cells))

    def write_line(self, content: bytes) -> None:
        """Append a line in one write, and take back what the disk took of it where it refuses the rest."""
        if (written := os.write(self._file.fileno(), content)) < len(content):
            self._file.truncate(self._file.seek(0, os.SEEK_END) - written)
            raise OSError("no space left")

    def close(self) -> None:
        """Put the lines onto the disk, and write the Parquet file where one was asked for; `OSError`, `UserError`.

        What failed is tried again the next time.
        """
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()
        if self.parquet is not None:
            as_parquet(self.path, self.parquet)
            self.parquet = None

    def _describe(self, policy: Policy, guard: Guard | None) -> None:
        """Write the heading and the TOML of a new record; in that of an old one what a user has changed stays.

        Another policy than the last one is told at its end.
        """
        with saving(self.path):
            if regular_size(self.path) == 0:
                self.write_line(self._line)
        toml = self.path.with_name(self.path.name + ".toml")
        if self.episode == 0 or not toml.exists():
            replace_file(toml, toml_of(self.path.name, self.names, policy, guard, self.episode))
            return
        with reading(toml):
            known = toml.read_bytes()
        if why := _other_units(known.decode(errors="replace"), policy):
            raise UserError(f"{self.path}: has {why}: choose another name")
        if newest_policy(known.decode(errors="replace")) != policy.sha256:
            replace_file(toml, known.rstrip() + b"\n" + acts_from(self.episode, policy.sha256))

    def _going_on(self) -> int:
        """The number of the last episode in the file; half a line at its end is cut off."""
        with reading(self.path), open(self.path, "r+b") as file:
            heading = file.readline()
            if not self._line.startswith(heading):
                raise UserError(f"{self.path}: has other columns than this policy's record: choose another name")
            if heading != self._line:  # killed while it was written
                file.truncate(0)
                return -1
            begin = file.seek(0, os.SEEK_END)
            tail = b""
            while begin > len(heading) and tail.count(b"\n") < 2:
                begin = max(len(heading), begin - 65536)
                file.seek(begin)
                tail = file.read()
            whole = tail.rfind(b"\n") + 1
            file.truncate(begin + whole)
            last = tail[:whole].splitlines()
            if last and not last[-1].split(b",")[0].isdigit():
                raise UserError(f"{self.path}: its last line is no row of a record: choose another name")
            return int(last[-1].split(b",")[0]) if last else -1


def _other_units(toml: str, policy: Policy) -> str:
    """In what a record that is described so has other units than a policy; empty where nothing is known of it."""
    try:
        units = tomllib.loads(toml).get("units", {})
    except tomllib.TOMLDecodeError:  # a user's own: `load` says so where it is read
        return ""
    for column in (*policy.columns.observations, *policy.columns.actions):
        own = units.get(column.name) if isinstance(units, dict) else None
        if isinstance(own, str) and own and column.unit and own != column.unit:
            return f"{column.name} in {own}, this policy in {column.unit}"
    return ""


def _lock(file: Any, path: Path) -> None:
    """Keep other controllers from the record, where the system can; the lock ends with the process or the file."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise UserError(f"{path}: another controller is writing it: close that one, or choose another record") from None


def line(cells: Sequence[Any]) -> bytes:
    """Write cells as a line of CSV: numbers with all their digits, nothing for NaN and None."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([_cell(cell) for cell in cells])
    return text.getvalue().encode()


def _check_own(parquet: Path) -> None:
    """Refuse a Parquet file that no record was written to: the CSV that it was made from is not there."""
    if parquet.exists() and not parquet.with_suffix(".csv").exists():
        raise UserError(f"{parquet}: is there and is no record (there is no CSV beside it): choose another name")


def as_parquet(record: Path, path: Path) -> None:
    """Write a record as Parquet, with its TOML; `UserError` where pyarrow or the disk refuses.

    Of a TOML that is there what a user has changed stays; it is told which policies acted since.
    """
    require_extra("pyarrow", "tables", "a record in Parquet")
    from pyarrow import csv as tables
    from pyarrow import parquet

    table = tables.read_csv(record)
    with replacing(path) as temporary:
        parquet.write_table(table, temporary, write_page_checksum=True)
    own, beside = (file.with_name(file.name + ".toml") for file in (record, path))
    with reading(own), reading(beside):
        described = own.read_bytes()
        known = beside.read_bytes() if beside.exists() else None
    if known is None:
        replace_file(beside, described)
    elif since := acted_since(known.decode(errors="replace"), described.decode(errors="replace")):
        replace_file(beside, known.rstrip() + b"\n" + since)


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return repr(value) if value == value else ""
    return in_one_line(value) if isinstance(value, str) else value
