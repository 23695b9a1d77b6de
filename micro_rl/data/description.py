"""What is said about a log beside the file itself: flags, over the TOML of the same name."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.core import toml_text
from micro_rl.core.columns import Column, Columns, in_one_line, matching, no_column
from micro_rl.core.expression import Expression, parse
from micro_rl.core.tasks import UNKNOWN, Task, over
from micro_rl.core.wording import plural
from micro_rl.data import toml_file
from micro_rl.data.raw_log import RawLog
from micro_rl.data.read_options import NO_OPTIONS, ReadOptions
from micro_rl.errors import UserError

FOR_ALL_FORMATS = ("horizon", "timeouts", "action_bounds", "observations", "actions", "exogenous", "part")
"""What can be said of arrays too: there the lists give names to the columns."""
LISTS = ("observations", "actions", "next_observations", "exogenous", "fill", "resample")
SINGLE = ("reward", "episode", "time", "terminal", "timeout", "timeouts")
"""Words that name columns, several and one."""


@dataclass(frozen=True)
class Description:
    """Flags and TOML, merged; `source` is the TOML, where there is one."""

    reading: ReadOptions = NO_OPTIONS
    termination: str | None = None
    group: str | None = None
    """Column, or array, that tells who controlled; it is no part of what is learned from."""
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    missing_values: tuple[str, ...] = ()
    task: Task = UNKNOWN
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Where the log comes from, for people's eyes."""
    source: Path | None = None
    text: str = ""
    """All of it as TOML: what the flags say, and the text of `source`."""


def describe(path: Path, reading: ReadOptions) -> Description:
    """Reads the TOML beside a log, where there is one.

    Args:
        path: the log.
        reading: what the flags say; it outranks the TOML.

    Returns:
        Flags and TOML, merged.

    Raises:
        UserError: the TOML cannot be read, or a key or value of it is wrong.
    """
    source = toml_file.beside(path)
    flags = {name: value for name, value in vars(reading).items() if value not in (None, ()) and name != "part"}
    lines = list(toml_text.lines(flags.items()))
    if source is None:
        return with_line_names(Description(reading, text="".join(f"{line}\n" for line in lines)))
    values = toml_file.read(source)
    own = {name: values.pop(name) for name in toml_file.ONLY_IN_TOML if name in values}
    above = "".join(f"# by a flag: {line}\n" for line in lines)
    text = above + toml_file.text_of(source)
    return with_line_names(Description(ReadOptions(**(values | flags)), **own, source=source, text=text))


def with_line_names(description: Description) -> Description:
    """Puts every column's name in one line, as tables' readers do."""
    reading = description.reading
    lists = {name: tuple(map(in_one_line, getattr(reading, name))) for name in LISTS}
    single = {name: in_one_line(column) for name in SINGLE if isinstance(column := getattr(reading, name), str)}
    times = {"time": tuple(map(in_one_line, reading.time))} if isinstance(reading.time, tuple) else {}
    return replace(
        description,
        reading=replace(reading, **(lists | single | times)),
        bounds={in_one_line(name): pair for name, pair in description.bounds.items()},
        units={in_one_line(name): unit for name, unit in description.units.items()},
    )


def apply(path: Path, raw: RawLog, description: Description) -> RawLog:
    """Puts the names, units, bounds and termination of a description over those of the file.

    Args:
        path: the log.
        raw: what its reader made of it.
        description: flags and TOML.

    Returns:
        The log so described; the TOML is among its files.

    Raises:
        UserError: the description names columns that the log does not have.
    """
    named = _named(path, raw, description)
    raw = raw._replace(columns=named, task=over(raw.task, description.task), mapping=description.text)
    if description.bounds:
        low, high = _bounds(path, description, named)
        raw = raw._replace(action_low=low, action_high=high)
    elif description.reading.action_bounds is not None:
        low, high = description.reading.action_bounds
        raw = raw._replace(action_low=low, action_high=high)
    if description.reading.exogenous:
        raw = raw._replace(exogenous=_exogenous(path, description, named))
    if description.termination is not None:
        raw = raw._replace(termination=_rule(path, description, named))
    if description.source is not None:
        raw = raw._replace(files=(*(raw.files or (path,)), description.source))
    return raw


def refuse_for_arrays(path: Path, description: Description) -> None:
    """Refuses what is said about a file of arrays but has a meaning for tables only."""
    odd = [
        name
        for name, value in vars(description.reading).items()
        if value not in (None, ()) and name not in FOR_ALL_FORMATS
    ]
    odd += ["missing_values"] if description.missing_values else []
    if odd:
        raise UserError(f"{path}: {odd[0]} is for CSV and Parquet, and this file is neither: leave it out")


def _where(path: Path, description: Description) -> str:
    """Where to correct a word: in the TOML, where there is one."""
    return str(description.source or path)


def _named(path: Path, raw: RawLog, description: Description) -> Columns:
    """Names from the file, else from the lists; units put to them."""
    widths = [raw.arrays[part].shape[1] for part in ("observations", "actions")]
    lists = description.reading.observations, description.reading.actions
    named = raw.columns
    if not named.observations and not named.actions:
        for part, names, width in zip(("observations", "actions"), lists, widths, strict=True):
            if names and (len(names) != width or len(set(names)) < width):
                raise UserError(
                    f"{path}: {part} must name its {plural(width, 'column')}, each by another name, not {len(names)}"
                )
        named = Columns(*(tuple(map(Column, names)) for names in lists))
    named = named.filled(*widths)
    known = [column.name for column in (*named.observations, *named.actions)]
    for name in description.units:
        if name not in known:
            raise UserError(f"{_where(path, description)}: units: {no_column(name, known)}")
    return Columns(*(tuple(c._replace(unit=description.units.get(c.name, c.unit)) for c in part) for part in named))


def _bounds(path: Path, description: Description, named: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest of every action."""
    names = [column.name for column in named.actions]
    for name in description.bounds:
        if name not in names:
            raise UserError(f"{_where(path, description)}: bounds: {no_column(name, names)}")
    if lacking := [name for name in names if name not in description.bounds]:
        raise UserError(
            f"{_where(path, description)}: bounds: none for {', '.join(lacking)}: give them for every action"
        )
    pairs = np.array([description.bounds[name] for name in names], np.float64)
    return pairs[:, 0], pairs[:, 1]


def _exogenous(path: Path, description: Description, named: Columns) -> tuple[int, ...]:
    """The places of the observations that no action moves."""
    source, names = _where(path, description), tuple(column.name for column in named.observations)
    chosen = matching(source, "exogenous", description.reading.exogenous, names)
    if len(chosen) == len(names):
        raise UserError(f"{source}: exogenous names every observation: then no action has an effect; leave some out")
    return tuple(sorted(names.index(name) for name in chosen))


def _rule(path: Path, description: Description, named: Columns) -> Expression:
    """The condition by which episodes end, over the names of the observations."""
    where = f"{_where(path, description)}: termination"
    rule = parse(description.termination or "", [column.name for column in named.observations], where)
    if not rule.condition:
        raise UserError(f"{where}: {rule.text!r} is a number: compare it, as in level > 4")
    return rule
