"""A controller's record as arrays: all of its rows, those that nobody should learn from too."""

import csv
import io
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int

from micro_rl.control.record import Names
from micro_rl.control.record_toml import policies_of
from micro_rl.core.columns import Column, Columns
from micro_rl.core.expression import parse
from micro_rl.errors import UserError
from micro_rl.storage.files import reading


class Recorded(NamedTuple):
    """A record, in order: NaN where a cell is empty.

    `limit` is the guard's at each step, `rate` its rate of false alarms, None where it told none.
    """

    columns: Columns
    observations: Float64[np.ndarray, "row obs"]
    actions: Float64[np.ndarray, "row act"]
    advised: Float64[np.ndarray, "row act"]
    rewards: Float64[np.ndarray, " row"]
    episode: Int[np.ndarray, " row"]
    step: Float64[np.ndarray, " row"]
    score: Float64[np.ndarray, " row"]
    alarm: Bool[np.ndarray, " row"]
    healthy: Bool[np.ndarray, " row"]
    terminal: Bool[np.ndarray, " row"]
    times: tuple[str, ...]
    who: tuple[str, ...]
    source: tuple[str, ...]
    reasons: tuple[str, ...]
    limit: Float64[np.ndarray, " row"]
    rate: float | None
    cut: bool = False
    """Whether half a line stood at the end, which is left out: a power cut, or a copy of a file that grows."""
    policies: tuple[tuple[int, str], ...] = ()
    """The policies in charge: first episode and digest of the file, in order; empty where the record tells none."""

    @property
    def follows(self) -> Bool[np.ndarray, " row"]:
        """Whether a row is the step after the row above; no row is missing between the two."""
        follows = np.zeros(len(self), bool)
        follows[1:] = (np.diff(self.episode) == 0) & (np.diff(self.step) == 1)
        return follows

    @property
    def last_limit(self) -> float | None:
        """The guard's limit at the newest step that tells one."""
        known = self.limit[np.isfinite(self.limit)]
        return float(known[-1]) if len(known) else None

    @property
    def acted(self) -> tuple[str, ...]:
        """The digests of the policies that were in charge of any row, the newest first."""
        known = dict.fromkeys(digest for _, digest in reversed(self.policies) if digest)
        return tuple(digest for digest in known if self.by(digest).any())

    def by(self, policy: str) -> Bool[np.ndarray, " row"]:
        """The rows that a policy was in charge of, by its digest: from its first episode to the next one's."""
        rows = np.zeros(len(self), bool)
        for first, digest in self.policies:
            rows[self.episode >= first] = digest == policy
        return rows

    def __len__(self) -> int:
        return len(self.episode)


def read(path: Path) -> Recorded:
    """Read a record and the TOML beside it.

    Raises:
        UserError: there is none, or it is no controller's.
    """
    path = path.with_suffix(".csv") if path.suffix.lower() == ".parquet" else path
    described = _description(path)
    columns, (rows, ended) = _columns(path, described), _rows(path)
    names = Names(columns)
    if not rows or rows[0] != names.heading:
        raise UserError(f"{path}: is no record of a controller: its columns are not those that its TOML tells")
    if cut := not ended and len(rows[-1]) != len(names.heading):
        del rows[-1]
    if len(rows) < 2:
        raise UserError(f"{path}: holds no row yet")
    if odd := [number for number, row in enumerate(rows) if len(row) != len(names.heading)]:
        raise UserError(f"{path}: line {odd[0] + 1} has {len(rows[odd[0]])} cells, not {len(names.heading)}: mend it")
    cells = dict(zip(names.heading, zip(*rows[1:], strict=True), strict=True))
    return _recorded(path, cells, names, columns, described, cut)


def _rows(path: Path) -> tuple[list[list[str]], bool]:
    """The lines in cells, and whether the last one was written to its end."""
    try:
        with reading(path), path.open(newline="", encoding="utf-8-sig") as file:  # as spreadsheets save it, too
            text = file.read()
        return list(csv.reader(io.StringIO(text, newline=""))), text.endswith("\n")
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a CSV in UTF-8 ({error}); restore it from a copy") from None


def _columns(path: Path, described: Mapping[str, Any]) -> Columns:
    """The policy's columns, by the record's TOML."""
    units = _table(path, described, "units")
    parts: list[Any] = [described.get(part) for part in ("observations", "actions")]
    for part in parts:
        if not isinstance(part, list) or not part or not all(isinstance(name, str) for name in part):
            raise UserError(f"{path}: is no record of a controller: {path.name}.toml names no observations and actions")
    return Columns(*(tuple(Column(name, str(units.get(name, ""))) for name in part) for part in parts))


def _table(path: Path, described: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = described.get(name, {})
    if not isinstance(table, dict):
        raise UserError(f"{path}.toml: {name} is no table: correct it there")
    return table


def _rate(path: Path, described: Mapping[str, Any]) -> float | None:
    rate = _table(path, described, "provenance").get("rate")
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float)):
        raise UserError(f"{path}.toml: rate {rate!r:.40} is no number: correct it there")
    return rate


def _policies(path: Path, described: Mapping[str, Any]) -> tuple[tuple[int, str], ...]:
    try:
        return policies_of(described)
    except ValueError as error:
        raise UserError(f"{path}.toml: {error}: correct it there") from None


def _description(path: Path) -> Mapping[str, Any]:
    beside = path.with_name(path.name + ".toml")
    if not path.is_file() or not beside.is_file():
        raise UserError(f"{path}: is no record of a controller: there must be a CSV, and {beside.name} beside it")
    with reading(beside):
        text = beside.read_text(encoding="utf-8", errors="replace")
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UserError(f"{beside}: is no TOML ({error}): correct it there") from None


def _recorded(
    path: Path,
    cells: Mapping[str, Sequence[str]],
    names: Names,
    columns: Columns,
    described: Mapping[str, Any],
    cut: bool,
) -> Recorded:
    def numbers(column: str) -> Float64[np.ndarray, " row"]:
        try:
            return np.array([float(cell) if cell else np.nan for cell in cells[column]])
        except ValueError:
            raise UserError(f"{path}: column {column!r} holds what is no number: mend it there") from None

    def together(part: Sequence[str]) -> Float64[np.ndarray, "row column"]:
        return np.stack([numbers(column) for column in part], -1)

    own, episode = names.own, numbers(names.episode)
    if odd := np.flatnonzero(~(np.abs(episode) < 2**53)).tolist():
        raise UserError(f"{path}: line {odd[0] + 2} has no number of an episode: mend it there")
    observations, actions = together(names.observations), together(names.actions)
    reward = str(described.get("reward", own["reward"]))
    rewards = (
        numbers(own["reward"]) if reward == own["reward"] else _formula(path, reward, names, observations, actions)
    )
    return Recorded(
        columns, observations, actions, together(names.advised), rewards, episode.astype(np.int64),
        numbers(names.step), numbers(own["score"]), numbers(own["alarm"]) == 1,
        numbers(own["healthy"]) == 1, numbers(own["terminal"]) == 1,
        tuple(cells[names.time]), tuple(cells[own["who"]]), tuple(cells[own["source"]]), tuple(cells[own["reason"]]),
        numbers(own["limit"]), _rate(path, described), cut, _policies(path, described),
    )  # fmt: skip


def _formula(path: Path, text: str, names: Names, observations: np.ndarray, actions: np.ndarray) -> np.ndarray:
    known = [*names.observations, *names.actions]
    values = dict(zip(known, np.concatenate([observations, actions], -1).T, strict=True))
    return np.asarray(parse(text, known, f"{path.name}.toml: reward")(values), np.float64)
