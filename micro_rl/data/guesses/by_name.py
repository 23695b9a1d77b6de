"""What a column may be for, by its name and its values; a guess that a person looks over."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from micro_rl.data.guesses.columns import Guess
from micro_rl.data.readers import number_times

Role = Literal["action", "set-point", "outside", "episode", "terminal", "observation"]
_WORDS: tuple[tuple[Role, str], ...] = (
    ("set-point", r"sp|set ?points?|setp|target|soll\w*|reference|ref|wanted"),
    ("terminal", r"trip(ped)?|terminal|failed|failure|done|abort(ed)?"),
    ("episode", r"batch|episode|run|lot|campaign|charge"),
    ("outside", r"outdoors?|outside|ambient|weather|amb|au(ss|ß)en|solar|sun|wind|rain|t out|temp out"),
    (
        "action",
        r"valves?|ventil|klappe|stell\w*|pump|pumpe|heat(er|ing)?|heizung|actions?|act|cmd|command|output|op|mv|damper|fan|"
        r"throttle|u\d*",
    ),
)
"""Words that a name is made of, the first that fits decides."""
GROWS = 0.95
"""Share of the rows in which times are later than in the row before."""


class Guessed(NamedTuple):
    """Columns by what they may be for; `times` are those of the kind, of which one is the log's clock."""

    observations: list[Guess]
    actions: list[Guess]
    exogenous: list[Guess]
    episode: Guess | None
    terminal: Guess | None
    time: Guess | None
    parts: list[Guess]
    """A date and a time of day in columns of their own."""
    texts: list[Guess]
    idle: list[Guess]
    """Columns that never change, or hold nothing."""
    nameless: int
    """Columns without a name, as the row numbers are that DataFrames write: nothing can speak of them."""


def assigned(columns: Sequence[Guess]) -> Guessed:
    """Sorts the columns of a table.

    Args:
        columns: all of them, in the file's order.

    Returns:
        What each may be for.
    """
    every, columns = columns, [_dated(column) for column in columns if column.name.strip()]
    by_role: dict[Role, list[Guess]] = {role: [] for role in ("observation", *(role for role, _ in _WORDS))}  # pyright: ignore[reportAssignmentType]
    time = _time(columns)
    for column in columns:
        if column is not time and column.kind in ("number", "flag"):
            by_role[_role(column)].append(column)
    outside = {column.name for column in (*by_role["set-point"], *by_role["outside"])}
    inside = {column.name for column in by_role["observation"]} | outside
    return Guessed(
        observations=[column for column in columns if column.name in inside],
        actions=by_role["action"],
        exogenous=[column for column in columns if column.name in outside] if by_role["observation"] else [],
        episode=next(iter(by_role["episode"]), None),
        terminal=next(iter(by_role["terminal"]), None),
        time=time,
        parts=[column for column in columns if column.kind in ("date", "clock")],
        texts=[column for column in columns if column.kind == "text"],
        idle=[column for column in columns if column.kind in ("constant", "empty")],
        nameless=len(every) - len(columns),
    )


def _dated(column: Guess) -> Guess:
    """A column of dates in digits as what it is: those with a time of day by their order, those without by its name."""
    form = number_times.written(column.numbers) if column.kind in ("number", "constant") else None
    if form == number_times.DAY and re.search(r"\b(date|datum|day|tag|t|time|stamp|timestamp)\b", _plain(column.name)):
        return column._replace(kind="date", time_format=form)
    if form and form != number_times.DAY and max(_grows(column.numbers), _grows(-column.numbers)) > GROWS:
        return column._replace(kind="time", time_format=form)
    return column


def _time(columns: Sequence[Guess]) -> Guess | None:
    """The first column of dates, else one of numbers that always grow and that is called so, else one of days."""
    dated = next((column for column in columns if column.kind == "time"), None)
    called = re.compile(r"\b(t|time|stamp|timestamp|seconds|secs?|epoch|zeit)\b")
    named = [column for column in columns if column.kind == "number" and called.search(_plain(column.name))]
    clocks = any(column.kind == "clock" for column in columns)
    days = [column._replace(kind="time") for column in columns if column.kind == "date" and not clocks]
    return dated or next((column for column in (*named, *days) if _grows(column.numbers) > GROWS), None)


def _grows(numbers: np.ndarray) -> float:
    """In which share of the rows numbers are larger than in the row before."""
    return float((np.diff(numbers) > 0).mean()) if len(numbers) > 1 else 0.0


def _role(column: Guess) -> Role:
    name = _plain(column.name)
    for role, words in _WORDS:
        if re.search(rf"\b({words})\b", name) and _possible(role, column):
            return role
    return "observation"


def _possible(role: Role, column: Guess) -> bool:
    """Whether the values do not speak against it."""
    if role == "terminal":
        return column.kind == "flag"
    if role == "episode":
        known = column.numbers[~np.isnan(column.numbers)]
        return bool((known == np.round(known)).all() and (np.diff(known) != 0).mean() < 0.2)
    return True


def _plain(name: str) -> str:
    """A name in small letters, its words apart, without its unit."""
    bare = re.sub(r"\s*[\[(][^\[\]()]*[\])]\s*$", "", name)
    apart = re.sub(r"(?<=[a-zäöüß])(?=[A-Z])", " ", bare)
    return re.sub(r"[\s_.\-/:]+", " ", apart).lower()
