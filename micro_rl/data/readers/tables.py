"""Tables, one row a step, to a log: CSV and Parquet through pyarrow, batch after batch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.core.columns import Column, Columns
from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding, listed
from micro_rl.data.description import Description
from micro_rl.data.narrowing import Narrowing
from micro_rl.data.raw_log import MEASURED, RawLog, refuse_oversize
from micro_rl.data.read_options import ReadOptions
from micro_rl.data.readers import cuts, process, roles, vectors
from micro_rl.data.readers.line_names import with_line_names
from micro_rl.data.readers.process import Process, Rows
from micro_rl.data.readers.roles import Roles
from micro_rl.data.readers.table_source import TableSource
from micro_rl.errors import UserError

REMEDY = "repair them, or say missing = 'drop' or 'previous' (--missing drop)"


def read(path: Path, source: TableSource, description: Description) -> RawLog:
    """Reads the log in a table whose columns are described; row numbers in messages count from 0 below the names."""
    source = with_line_names(source)
    description, taken = vectors.described(description, source.names, source.vectors)
    table = roles.find(path, source.names, description)
    steps = process.find(path, source.names, table, description)
    kinds = table.kinds() | steps.kinds()
    if source.rows and source.files:
        size = sum(file.stat().st_size for file in source.files)
        refuse_oversize(path, "the table", 4 * source.rows * len(kinds), size)
    gathered = _Gathered(path, table, source, description.reading.time_unit, steps)
    for batch in source.batches(kinds):
        if len(batch):
            gathered.add(batch)
    raw = gathered.log(description)
    files = source.files if source.files != (path,) else ()
    columns = Columns(*(tuple(c._replace(unit=source.units.get(c.name, c.unit)) for c in part) for part in raw.columns))
    return raw._replace(columns=columns, findings=(*source.findings, *taken, *raw.findings), files=files)


class _Gathered:
    """The columns as they come in."""

    def __init__(self, path: Path, roles: Roles, source: TableSource, time_unit: str | None, process: Process):
        from micro_rl.data.readers.arrow_columns import Changes, Steps

        self.path, self.roles, self.process = path, roles, process
        rows, self.starts = source.rows, source.starts
        widths = {"observations": roles.observations, "actions": roles.actions}
        widths |= {"next_observations": roles.next_observations} if roles.next_observations else {}
        self.measured = {field: Narrowing(rows, len(names)) for field, names in widths.items()}
        self.measured["rewards"] = Narrowing(rows)
        self.flags: dict[str, list[np.ndarray]] = {"terminals": [], "timeouts": []}
        self.silent: dict[str, list[int]] = {"terminals": [], "timeouts": []}
        self.begins: list[np.ndarray] = []
        self.labels: list[np.ndarray] = []
        self.keep: list[np.ndarray] = []
        self.inputs: dict[str, list[np.ndarray]] = {}
        self.seconds: list[np.ndarray] = []
        self.rows = 0
        self.steps = Narrowing(rows if roles.time else 0)
        self.changes = Changes(path, roles.episode) if roles.episode else None
        self.clock = Steps(path, roles.time, time_unit) if roles.time else None

    def add(self, batch: Any) -> None:
        """Takes in the rows of one record batch."""
        from micro_rl.data.readers.arrow_columns import flags, numbers, texts

        roles, names = self.roles, {*self.roles.reward.names}
        names |= {*roles.observations, *roles.actions, *roles.next_observations}
        values = {name: numbers(self.path, name, batch[name]) for name in names}
        for field in self.measured.keys() - {"rewards"}:
            self.measured[field].add(np.stack([values[name] for name in getattr(roles, field)], axis=1))
        self._add_rewards(values)
        if self.process.where:
            self.keep.append(self.process.where(self._asked(values, batch)))
        for field, name in (("terminals", roles.terminal), ("timeouts", roles.timeout)):
            if name is not None:
                raised, silent = flags(self.path, name, batch[name])
                self.flags[field].append(raised)
                self.silent[field] += (self.rows + silent).tolist()
        if roles.group is not None:
            self.labels.append(texts(self.path, roles.group, batch[roles.group]))
        self.begins.append(self.changes(batch[roles.episode]) if self.changes else np.zeros(len(batch), bool))
        if self.clock:
            steps = self.clock(batch[roles.time])
            self.steps.add(steps)
            if self.process.filling or self.process.resampling:
                self.seconds.append(steps)  # in full precision: they are summed up
        self.rows += len(batch)

    def _add_rewards(self, values: Mapping[str, np.ndarray]) -> None:
        """The rewards, or where holes are filled first what they are computed from."""
        if not self.process.filling:
            self.measured["rewards"].add(np.asarray(self.roles.reward(values), np.float64))
            return
        for name in self.roles.reward.names:
            self.inputs.setdefault(name, []).append(values[name])

    def _asked(self, values: Mapping[str, np.ndarray], batch: Any) -> dict[str, np.ndarray]:
        """The columns by which rows are chosen."""
        from micro_rl.data.readers.arrow_columns import numbers, texts

        asked = {}
        for name, kind in self.process.kinds().items():
            if name in values and kind == "number":
                asked[name] = values[name]
            else:
                asked[name] = (texts if kind == "label" else numbers)(self.path, name, batch[name])
        return asked

    def log(self, description: Description) -> RawLog:
        """Joins all rows, cut into episodes."""
        if not self.begins:
            raise UserError(f"{self.path}: holds no rows: write the log again")
        doubts = self.clock.doubts if self.clock else []
        if doubts and self.process.resampling:  # nothing that is counted in seconds would be true
            raise UserError(f"{self.path}: {doubts[0].text}")
        begins, cut = self._begins(description.reading)
        names, codes = np.unique(np.concatenate(self.labels), return_inverse=True) if self.labels else (None, None)
        rows, changed = process.carry_out(self.path, self.process, self._rows(begins, codes), self.keep, self.roles)
        columns, begins, more = cuts.complete(self.path, rows.columns, rows.begins, description.reading.missing)
        same, numbers = len(begins) == self.rows, columns.pop(process.GROUPS, None)
        standing = columns.pop(process.STANDING, None)
        overflow = {field: column.overflow if same else [] for field, column in self.measured.items()}
        return RawLog(
            arrays=columns | _ends(columns, begins, bool(self.changes or self.clock or description.reading.horizon)),
            keys=self._keys(),
            action_low=None,
            action_high=None,
            columns=Columns(*(tuple(map(Column, names)) for names in (self.roles.observations, self.roles.actions))),
            overflow=overflow,
            remedy=REMEDY + ("" if same else f" ({cuts.USED})"),
            step_seconds=self._step_seconds(),
            groups=None if names is None or numbers is None else names[numbers.astype(int)],
            standing=standing,
            blurred={field: column.blurred() for field, column in self.measured.items()},
            findings=(*self._empty_flags(), *doubts, *cut, *changed, *more),
        )

    def _rows(self, begins: np.ndarray, groups: np.ndarray | None) -> Rows:
        """All rows, the rewards not yet among them where holes are filled first; groups by their numbers."""
        inputs = {process.INPUT + name: np.concatenate(parts) for name, parts in self.inputs.items()}
        measured = {field: part.values() for field, part in self.measured.items() if field != "rewards" or not inputs}
        flags = {field: np.concatenate(parts) for field, parts in self.flags.items() if parts}
        numbers = {} if groups is None else {process.GROUPS: groups.astype(np.float64)}
        if self.clock and not self.process.resampling:
            numbers[process.STANDING] = ~begins & (self.steps.values() == 0)
        return Rows(measured | flags | inputs | numbers, begins, np.concatenate(self.seconds) if self.seconds else None)

    def _begins(self, reading: ReadOptions) -> tuple[np.ndarray, list[Finding]]:
        """The rows that begin an episode: by the episode column, after a row that ends one, and by time."""
        begins, problems = np.concatenate(self.begins), []
        begins[0] = True
        inside = np.delete(begins, [0, *(start for start in self.starts if start < len(begins))]).any()
        continuous = self.clock or self.roles.timeout is not None or (self.changes is not None and inside)
        for parts in self.flags.values():
            if parts:
                begins[1:] |= np.concatenate(parts)[:-1].astype(bool)
        if not continuous:
            problems += cuts.at_files(begins, self.starts)
        if self.changes and self.changes.again:
            rows = self.changes.again
            text = f"values of {self.roles.episode!r} come back after others at {listed(rows)}: rows shuffled?"
            problems.append(findings.warning("episode-again", text, rows))
        parted = process.apart(begins, np.concatenate(self.keep)) if self.keep else begins
        late = np.zeros_like(begins)
        if self.clock and self.roles.time:
            if not self.roles.next_observations:
                cuts.refuse_newest_first(self.path, self.roles.time, parted, self.steps.values())
            least = self.process.resampling.seconds if self.process.resampling else 0.0
            late, gaps = cuts.gaps(parted, self.steps.values(), reading.largest_gap, least)
            problems += gaps
        if reading.horizon and not self.process.resampling:  # counted before any row is left out or dropped
            begins = cuts.at_horizon(begins | (late & ~parted), reading.horizon)
        return begins | parted | late, problems

    def _step_seconds(self) -> float | None:
        """The length of a step, where the rows have times."""
        if self.process.resampling:
            return self.process.resampling.seconds
        return cuts.usual_step(np.concatenate(self.begins), self.steps.values()) if self.clock else None

    def _keys(self) -> dict[str, str]:
        """What the fields are called in messages."""
        own = {"terminals": self.roles.terminal, "timeouts": self.roles.timeout, "rewards": self.roles.reward.text}
        return {field: own.get(field) or field for field in (*MEASURED, "terminals", "timeouts")}

    def _empty_flags(self) -> list[Finding]:
        return [
            findings.warning("flag-empty", f"{self._keys()[field]!r} is empty in {listed(rows)}: counted as 0", rows)
            for field, rows in self.silent.items()
            if rows
        ]


def _ends(columns: Mapping[str, np.ndarray], begins: np.ndarray, split: bool) -> dict[str, np.ndarray]:
    """Terminals, and timeouts where an episode ends without one; no timeouts where nothing tells of any."""
    terminals = columns.get("terminals", np.zeros(len(begins), bool))
    if "timeouts" not in columns and not split:
        return {"terminals": terminals}
    last = np.concatenate([begins[1:], [True]])
    marked = columns.get("timeouts", np.zeros(len(begins), bool))
    return {"terminals": terminals, "timeouts": marked | (last & ~terminals)}
