"""What is done with a table's rows before they are a log: some left out, holes filled, rows put together to steps.

In this order: `where`, `fill`, the reward, `resample`. Rows before and after one that was left out belong to different
episodes, and no step reaches over a gap in time.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from micro_rl.core.columns import matching
from micro_rl.core.expression import Expression, parse
from micro_rl.core.wording import plural
from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding
from micro_rl.data.description import Description
from micro_rl.data.process_words import REWARD, Filling, ResampleKind, Resampling, filling, resampling
from micro_rl.data.readers.cuts import USED, terminals_among
from micro_rl.data.readers.holes import Holes
from micro_rl.data.readers.resample import NEAR, ROUNDING, resampled
from micro_rl.data.readers.roles import Kind, Roles
from micro_rl.errors import UserError

MOST_OF_A_ROW = 1000
"""Steps that resampling makes of a row, on average, at most."""
GROUPS = "groups"
"""The field of the numbers of who controlled."""
STANDING = "standing"
"""The field of the rows at which time stands still."""
INPUT = "input "
"""Stands before the name of a column that rewards are computed from."""


class Process(NamedTuple):
    """What is to be done; kinds of filling by the columns' own names."""

    where: Expression | None = None
    filling: Filling | None = None
    resampling: Resampling | None = None

    def kinds(self) -> dict[str, Kind]:
        """Lists the columns that choose the rows, and how they are to be read."""
        if self.where is None:
            return {}
        return {name: "label" if name in self.where.texts else "number" for name in sorted(self.where.names)}


def find(path: Path, names: tuple[str, ...], roles: Roles, description: Description) -> Process:
    """Reads what is to be done with a file that has columns of those names.

    Args:
        path: the file.
        names: of its columns.
        roles: what they are.
        description: flags and TOML.

    Returns:
        What is to be done.

    Raises:
        UserError: a word cannot be read, or names a column that is not there or is not used.
    """
    reading, source = description.reading, str(description.source or path)
    where = None
    if reading.where is not None:
        where = parse(reading.where, names, f"{source}: where", texts=True)
        if not where.names:
            raise UserError(f"{source}: where: {reading.where!r} names no column: write a condition on one")
        if not where.condition:
            raise UserError(f"{source}: where: {where.text!r} is a number: compare it, as in speed > 0")
        others = roles.kinds()
        if doubled := [name for name in where.texts if others.get(name, "label") != "label"]:
            raise UserError(f"{source}: where: {doubled[0]!r} is read as numbers or times: compare it with those")
    words = Process(
        where,
        filling(reading.fill, source) if reading.fill else None,
        resampling(reading.resample, source) if reading.resample else None,
    )
    used = (*roles.observations, *roles.actions, *roles.next_observations)
    if words.filling:
        kinds = _by_name(source, "fill", words.filling.kinds, (*used, *sorted(roles.reward.names)))
        words = words._replace(filling=Filling(kinds, words.filling.limit))
    if words.resampling:
        words = words._replace(resampling=_checked(source, words.resampling, roles))
    return words


def _checked(source: str, words: Resampling, roles: Roles) -> Resampling:
    """Its columns by name; refused where nothing tells the time, or where steps would have to be taken apart."""
    if roles.time is None:
        raise UserError(f"{source}: resample needs the column of times: name it with time (--time)")
    if roles.next_observations:
        raise UserError(f"{source}: resample makes next observations of its own: leave next_observations out")
    others = {name: kind for name, kind in words.kinds.items() if name != REWARD}
    kinds: dict[str, ResampleKind] = _by_name(source, "resample", others, (*roles.observations, *roles.actions))
    if words.kinds.get(REWARD) == "last":
        raise UserError(f"{source}: resample: the reward of a step is the mean or the sum of its rows', not the last")
    return words._replace(kinds=kinds | {name: kind for name, kind in words.kinds.items() if name == REWARD})


def _by_name(source: str, what: str, kinds: Mapping[str, str], used: Sequence[str]) -> dict:
    """The kinds with every pattern replaced by the columns that it matches; a name outranks a pattern."""
    known = tuple(dict.fromkeys(used))
    chosen: dict[str, str] = {}
    for entry, kind in sorted(kinds.items(), key=lambda pair: "*" not in pair[0]):
        chosen |= dict.fromkeys(matching(source, what, [entry], known), kind)
    return chosen


class Rows(NamedTuple):
    """A table's rows: matrices and single columns by field, where episodes begin, and seconds since the row before."""

    columns: dict[str, np.ndarray]
    begins: Bool[np.ndarray, " row"]
    steps: Float64[np.ndarray, " row"] | None


def carry_out(
    path: Path, words: Process, rows: Rows, keep: Sequence[Bool[np.ndarray, " row"]], roles: Roles
) -> tuple[Rows, list[Finding]]:
    """Does with the rows what the words say.

    Args:
        path: the file, for messages.
        words: what is to be done.
        rows: all rows; what rewards are computed from stands under `INPUT` and the name, where holes are filled.
        keep: which rows `where` chooses, in parts; nothing where it does not stand.
        roles: what the columns are.

    Returns:
        The rows that are left, with their rewards, and what was done.

    Raises:
        UserError: no row is left, or steps would be shorter than the log's own.
    """
    problems = []
    if words.where:
        rows, problems = chosen(rows, np.concatenate(keep), words.where.text, path)
    if words.filling:
        problems += filled(rows, words.filling, roles)
        rows = _rewarded(rows, roles)
    if words.resampling:
        rows, gaps = steps_of(rows, words.resampling, roles, path)
        problems += gaps
    return rows, problems


def _rewarded(rows: Rows, roles: Roles) -> Rows:
    """The rows with their rewards in the place of what those are computed from."""
    inputs = {name: rows.columns[INPUT + name] for name in roles.reward.names} or {"": np.zeros(len(rows.begins))}
    columns = {field: values for field, values in rows.columns.items() if not field.startswith(INPUT)}
    with np.errstate(over="ignore"):
        columns["rewards"] = np.asarray(roles.reward(inputs), np.float64).astype(np.float32)
    return rows._replace(columns=columns)


def chosen(rows: Rows, keep: Bool[np.ndarray, " row"], condition: str, path: Path) -> tuple[Rows, list[Finding]]:
    """Leaves rows out; an episode begins after each that is missing. Beginnings of the others are carried on."""
    if keep.all():
        return rows, []
    if not keep.any():
        raise UserError(f"{path}: where: no row fulfils {condition!r}: look at what the column holds")
    cut = apart(rows.begins, keep)
    count = np.cumsum(cut)[keep]
    begins = np.diff(count, prepend=0) > 0
    stretches = int((~keep[1:] & keep[:-1]).sum() + (not keep[0]))
    left_out = f"{stretches:,} {'stretch' if stretches == 1 else 'stretches'}"
    text = f"where: {int(keep.sum()):,} of {len(keep):,} rows are used, the others in {left_out} left out, and an "
    text += f"episode begins after each (other {USED})"
    text += terminals_among(rows.columns, ~keep)
    columns = {field: values[keep] for field, values in rows.columns.items()}
    steps = None if rows.steps is None else rows.steps[keep]
    return Rows(columns, begins, steps), [findings.warning("rows-chosen", text)]


def apart(begins: Bool[np.ndarray, " row"], keep: Bool[np.ndarray, " row"]) -> Bool[np.ndarray, " row"]:
    """Marks beginnings, rows that are left out, and the rows after those: no step leads to any of them."""
    return begins | ~keep | np.concatenate([[False], ~keep[:-1]])


def filled(rows: Rows, words: Filling, roles: Roles) -> list[Finding]:
    """Fills short holes in place; a line for what was filled, and for what was not."""
    holes, problems = Holes(rows.begins, rows.steps), []
    for name, kind in words.kinds.items():
        cells = [holes.fill(column, kind, words.limit) for column in _columns_of(name, rows, roles)]
        filled, left = cells[0]
        if filled:
            holes_filled = f"in holes of at most {plural(words.limit, 'row')}"
            text = f"fill: {plural(filled, 'cell')} of {name!r} filled ({kind}), {holes_filled}"
            problems.append(findings.warning("cells-filled", text))
        if left:
            text = f"fill: {plural(left, 'cell')} of {name!r} left empty: longer holes, or no value beside them"
            problems.append(findings.warning("cells-left", text))
    return problems


def _columns_of(name: str, rows: Rows, roles: Roles) -> list[np.ndarray]:
    """A column wherever it stands, as a view."""
    lists = {field: getattr(roles, field) for field in ("observations", "actions", "next_observations")}
    places = [(field, names.index(name)) for field, names in lists.items() if name in names]
    columns = [rows.columns[field][:, place] for field, place in places]
    return columns + ([rows.columns[INPUT + name]] if name in roles.reward.names else [])


def steps_of(rows: Rows, words: Resampling, roles: Roles, path: Path) -> tuple[Rows, list[Finding]]:
    """Puts rows together to steps of the length that was asked for, as the columns' kinds say."""
    assert rows.steps is not None, "resample was refused without a column of times"
    inside = rows.steps[~rows.begins & (rows.steps > 0)]
    usual = float(np.median(inside)) if len(inside) else 0.0
    if words.seconds < 0.99 * usual:
        raise UserError(
            f"{path}: resample: {words.text} is shorter than the log's own step of {usual:.6g} s: choose a longer one"
        )
    expected = float(np.where(rows.begins, 0.0, rows.steps).sum()) / words.seconds
    if expected > MOST_OF_A_ROW * len(rows.begins):
        raise UserError(
            f"{path}: resample: {len(rows.begins):,} rows would become {expected:,.0f} steps of {words.text}, nearly "
            "all without a row: say from which gap in time an episode begins, as in largest_gap = 3600 (--largest-gap)"
        )
    kinds: dict[str, list[ResampleKind]] = {
        "observations": [words.kinds.get(name, "mean") for name in roles.observations],
        "actions": [words.kinds.get(name, "mean") for name in roles.actions],
        "rewards": [words.kinds.get(REWARD, "mean")],
        GROUPS: ["last"],
    }
    near = max(ROUNDING, NEAR * usual / words.seconds)
    columns, begins, idle = resampled(rows.columns, rows.begins, rows.steps, words.seconds, kinds, near)
    text = f"resample: {plural(len(rows.begins), 'row')} became {plural(len(begins), 'step')} of {words.text}"
    if idle:
        text += f"; {plural(idle, 'step')} had no row, and what was last recorded stands in (of sums, 0)"
    return Rows(columns, begins, None), [findings.warning("resampled", text)]
