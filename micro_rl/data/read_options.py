"""`ReadOptions`: what a person can say about a log, by flags or in a TOML file beside it."""

from dataclasses import dataclass
from typing import Literal

Missing = Literal["refuse", "drop", "previous"]
Part = Literal["training", "judging"]


@dataclass(frozen=True)
class ReadOptions:
    """How to read a log, where the file does not tell.

    All but `horizon`, `action_bounds`, `part` and names of columns (`exogenous` too) are for tables: CSV and Parquet.
    None, or nothing in a list, leaves it to the file or to the TOML beside it, which knows the same words but `part`.
    """

    horizon: int | None = None
    """An episode's time limit in steps, where neither the log nor its name tells."""
    action_bounds: tuple[float, float] | None = None
    """Lowest and highest action, in raw units, where the log does not tell."""
    observations: tuple[str, ...] = ()
    """Columns that are observed; * stands for any letters."""
    actions: tuple[str, ...] = ()
    """Columns that are actions."""
    next_observations: tuple[str, ...] = ()
    """Columns of the observations after the step; by default those of the next row."""
    reward: str | None = None
    """The reward: a column, or a formula over columns such as '-abs(level - 2)'."""
    episode: str | None = None
    """Column whose value changes where a new episode begins."""
    time: str | tuple[str, ...] | None = None
    """Column of times, or of a CSV those of date and time; a gap begins a new episode."""
    time_format: str | None = None
    """How times are written, as in '%d.%m.%Y %H:%M:%S'; by default ISO 8601 or numbers."""
    time_unit: Literal["ns", "us", "ms", "s", "min", "h", "d"] | None = None
    """Unit of times that are numbers; seconds by default."""
    largest_gap: float | None = None
    """Seconds between two rows of one episode, at most; by default three times their median."""
    terminal: str | None = None
    """Column that is 1 (or true) where an episode ended by the task's own rule."""
    timeout: str | None = None
    """Column that is 1 (or true) where an episode was cut."""
    timeouts: str | None = None
    """Array, or a table's column, that is 1 where an episode was cut, where it has another name than timeouts."""
    exogenous: tuple[str, ...] = ()
    """Observed columns that the actions do not move, as set-points and weather; rollouts replay them from the log."""
    where: str | None = None
    """Rows to use: a condition over columns, texts too, such as "Status == 'AUTO'"; episodes are cut at the others."""
    fill: tuple[str, ...] = ()
    """Short holes to fill before anything else is done with them: NAME=linear or NAME=previous, and limit=ROWS."""
    resample: tuple[str, ...] = ()
    """Length of a step, as in 5min, then NAME=mean, NAME=last or NAME=sum where a column is not to be averaged."""
    missing: Missing | None = None
    """What to do with rows that lack a value: refuse them (the default), drop them, or hold the previous value."""
    delimiter: str | None = None
    """Between a CSV's columns; by default the one of , ; tab | that its first line has most of."""
    decimal: str | None = None
    """The decimal point of a CSV's numbers."""
    encoding: str | None = None
    """Of a CSV's letters; UTF-8 by default, UTF-16 where the file begins with its mark."""
    skip_rows: int | None = None
    """Lines above a CSV's heading; by default those that begin with #."""
    skip_after_heading: int | None = None
    """Lines between a CSV's heading and its values; by default those that hold text where numbers follow, as units."""
    part: Part | None = None
    """Of the log: `training` leaves one of every three episodes to those who judge the policy, `judging` is these;
    by default all of it."""


NO_OPTIONS = ReadOptions()
SAY_HOW_WRITTEN = ("delimiter", "decimal", "encoding", "skip_rows", "skip_after_heading", "time_format", "time_unit")
"""Options that only tell how a file is written: read rightly, it is the same log without them."""
SAY_WHAT_ROWS_ARE = ("horizon", "reward", "largest_gap", "where", "fill", "resample", "missing", "part")
"""Options that tell what rows and rewards are; the others name columns and bounds."""
