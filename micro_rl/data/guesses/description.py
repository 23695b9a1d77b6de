"""The TOML that `micro-rl data init` writes: guesses as keys, all that a person must decide as comments."""

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from micro_rl.core.wording import plural, with_verb
from micro_rl.data.guesses import by_name, columns, sample
from micro_rl.data.guesses.by_name import Guessed
from micro_rl.data.guesses.columns import Guess
from micro_rl.data.guesses.sample import Sample
from micro_rl.data.readers import number_times

SHORT = 5
"""Rows of the longest hole that is proposed to be filled."""
PERCENT = (0.0, 100.0)
DAY = 86_400
SERIAL = (20_000.0, 80_000.0)
"""Days as spreadsheets count them, from 1954 to 2119."""
PACES = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Seconds from row to row, as logs have them."""


class Draft(NamedTuple):
    """The text of a TOML, and what could not be guessed, a sentence each."""

    text: str
    open: list[str]


def draft(path: Path) -> Draft:
    """Guesses how a table is to be read.

    Args:
        path: a CSV or a Parquet file.

    Returns:
        The TOML, and what a person must say.

    Raises:
        UserError: it cannot be opened, or is no table.
    """
    taken = sample.take(path)
    decimal = columns.decimal_sign(taken.columns)
    guesses = [columns.guess(name, cells, decimal) for name, cells in zip(taken.names, taken.columns, strict=True)]
    guesses = [guess._replace(unit=guess.unit or taken.units.get(guess.name, "")) for guess in guesses]
    roles = by_name.assigned(guesses)
    missing = _open(taken, roles, guesses)
    rows = f"{'all' if taken.whole else 'the first'} {plural(len(taken.columns[0]), 'row')}"
    lines = [
        f"# How to read {_plain(path.name)}: guessed from {rows}.",
        f"# Look every line over, write the reward, then: micro-rl data check {shlex.quote(_plain(path.name))}",
        *(f"# NOT GUESSED: {text}" for text in missing),
        "",
        *_roles(roles),
        *_times(taken, roles),
        *_rows(roles, guesses),
        *_writing(taken, decimal, guesses),
        *_tables(roles),
    ]
    return Draft("\n".join(lines) + "\n", missing)


def _open(taken: Sample, roles: Guessed, guesses: Sequence[Guess]) -> list[str]:
    """What nobody but the user knows."""
    texts = ["the reward: what is a good row?"]
    if not roles.actions:
        texts.append("the actions: no name says which columns were set by a controller or a hand; name them")
    if not roles.observations:
        texts.append("the observations: no column of numbers is left for them")
    if roles.time is None and roles.parts and not _parts(taken, roles):
        named = " and ".join(repr(column.name) for column in roles.parts)
        texts.append(f"the times, which stand in {named}: join them in one column, or say horizon = STEPS")
    elif roles.time is None and (parts := _parts(taken, roles)):
        if any(part.ambiguous for part in parts):
            texts.append(f"whether day or month comes first in {parts[0].name!r}: both fit; correct time_format")
    elif roles.time is None:
        texts.append("where episodes end: there is no column of times; say episode = 'COLUMN' or horizon = STEPS")
    elif roles.time.ambiguous:
        texts.append(f"whether day or month comes first in {roles.time.name!r}: both fit; correct time_format")
    if twice := sorted({name for name in taken.names if name.strip() and taken.names.count(name) > 1}):
        texts.append(f"which of the columns called {twice[0]!r} is which: give each a name of its own")
    return texts


def _parts(taken: Sample, roles: Guessed) -> tuple[Guess, Guess] | None:
    """A column of dates and one of times of day, which a CSV may have for its times."""
    dates = [column for column in roles.parts if column.kind == "date"]
    clocks = [column for column in roles.parts if column.kind == "clock"]
    return (dates[0], clocks[0]) if taken.is_csv and dates and clocks else None


def _roles(roles: Guessed) -> Iterator[str]:
    yield _line("observations", _names(roles.observations), "all other numbers")
    yield _line("actions", _names(roles.actions), "by their names; what was set, not what came of it")
    if roles.exogenous:
        yield _line("exogenous", _names(roles.exogenous), "observed, but no action moves them: set-points, weather")
    example = roles.observations[0].name if roles.observations else "level"
    yield f"# reward = {_quoted(f'-abs(`{example}` - 1)')}   # YOURS: a column, or a formula over columns"
    if roles.episode:
        yield _line("episode", roles.episode.name, "a new one begins where it changes")
    if roles.terminal:
        yield _line("terminal", roles.terminal.name, "1 where the plant itself ended the episode?")
    if roles.idle:
        yield f"# never change, left out: {', '.join(_plain(column.name) for column in roles.idle)}"
    if roles.nameless:
        yield f"# {plural(roles.nameless, 'column')} without a name left out"
    yield ""


def _times(taken: Sample, roles: Guessed) -> Iterator[str]:
    if roles.time is not None:
        clock = columns.seconds(taken.columns[taken.names.index(roles.time.name)], roles.time)
        yield from _clock(roles.time, roles.time.name, clock)
    elif parts := _parts(taken, roles):
        cells = [taken.columns[taken.names.index(part.name)] for part in parts]
        joined = [" ".join(cell.strip() for cell in pair) for pair in zip(*cells, strict=True)]
        both = parts[0]._replace(kind="time", time_format=f"{parts[0].time_format} {parts[1].time_format}")
        yield from _clock(both, [part.name for part in parts], columns.seconds(joined, both))


def _clock(time: Guess, name: str | list[str], clock: Float64[np.ndarray, " row"]) -> Iterator[str]:
    """The log's times, how far they are apart, and how they are written."""
    steps = np.diff(clock[~np.isnan(clock)])
    steps, unit = steps[steps > 0], ""
    usual = float(np.median(steps)) if len(steps) else 0.0
    if time.kind == "number":
        unit = "d" if _in_days(clock, usual) else number_times.unit_of(float(np.nanmedian(clock)))
    gaps = int((steps > 3 * usual).sum())
    step = f"{usual * DAY:.3g} s" if unit == "d" else f"{usual:.6g} {unit or 's'}"
    pace = f"{step} from row to row; {gaps} gaps longer than three such steps"
    yield _line("time", name, pace)
    if time.time_format:
        yield _line("time_format", time.time_format)
    if unit not in ("", "s"):
        yield _line("time_unit", unit, "a guess, by their size")
    yield '# resample = "5min"   # longer steps; `micro-rl data info` proposes some where they are needed'
    yield ""


def _in_days(clock: Float64[np.ndarray, " row"], usual: float) -> bool:
    """Whether times are a spreadsheet's days: of our time, and a usual pace apart, which the same in seconds is not."""
    inside = SERIAL[0] <= np.nanmin(clock) and np.nanmax(clock) <= SERIAL[1]
    return bool(inside) and any(abs(usual * DAY / pace - 1) < 0.02 for pace in PACES)


def _rows(roles: Guessed, guesses: Sequence[Guess]) -> Iterator[str]:
    for column in roles.texts:
        counts = ", ".join(f"{text!r} {plural(count, 'time')}" for text, count in column.texts)
        condition = f"`{column.name}` == {column.texts[0][0]!r}"
        yield f"# {_plain(column.name)} holds texts: {counts}"
        yield f"# where = {_quoted(condition)}"
    used = [*roles.observations, *roles.actions]
    lacking = [column for column in guesses if column.holes and any(column is one for one in used)]
    if lacking:
        longest = max(column.longest_hole for column in lacking)
        cells = sum(column.holes for column in lacking)
        kinds = {column.name: "previous" if column in roles.actions else "linear" for column in lacking}
        table = ", ".join(f"{_quoted(name)} = {_quoted(kind)}" for name, kind in kinds.items())
        yield f"# {with_verb(cells, 'cell', 'is', 'are')} empty, the longest hole has {plural(longest, 'row')}"
        yield f"# fill = {{{table}, limit = {min(longest, SHORT)}}}"
        yield '# missing = "drop"   # rows that still lack a value: drop, or previous; refused by default'
    if roles.texts or lacking:
        yield ""


def _writing(taken: Sample, decimal: str | None, guesses: Sequence[Guess]) -> Iterator[str]:
    """How a CSV is written, where the reader would not know."""
    marks = sorted({mark for column in guesses if column.kind in ("number", "flag") for mark in column.marks})
    keys = {"delimiter": taken.delimiter, "decimal": decimal, "encoding": taken.encoding, "skip_rows": taken.skip_rows}
    keys |= {"missing_values": marks or None}
    lines = [_line(key, value) for key, value in keys.items() if value is not None]
    if taken.units:
        lines.append("# the row of units below the heading is read as such")
    yield from [*lines, ""] if lines else []


def _tables(roles: Guessed) -> Iterator[str]:
    if roles.actions:
        yield "[bounds]   # of every action: what the actuator can do; here 0 to 100 %, or what the rows show"
        for column in _by_name(roles.actions):
            low, high = float(np.nanmin(column.numbers)), float(np.nanmax(column.numbers))
            if column.unit == "%" and PERCENT[0] <= low and high <= PERCENT[1]:
                low, high = PERCENT
            yield f"{_quoted(column.name)} = [{low:.6g}, {high:.6g}]"
        yield ""
    units = [column for column in _by_name([*roles.observations, *roles.actions]) if column.unit]
    if units:
        yield "[units]"
        yield from (f"{_quoted(column.name)} = {_quoted(column.unit)}" for column in units)


def _by_name(guesses: Sequence[Guess]) -> list[Guess]:
    """Those of which a table can speak: of several with one name the first."""
    return [guess for place, guess in enumerate(guesses) if guess.name not in _names(guesses[:place])]


def _names(guesses: Sequence[Guess]) -> list[str]:
    return [column.name for column in guesses]


def _line(key: str, value: object, comment: str = "") -> str:
    return f"{key} = {_quoted(value)}" + (f"   # {comment}" if comment else "")


def _plain(text: str) -> str:
    """A text in a comment, in which TOML allows no control characters."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _quoted(value: object) -> str:
    """A text or list as TOML has it, which for these is as JSON has it."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
