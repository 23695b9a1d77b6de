"""Where episodes end, why, and which rows therefore have a true next observation."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, Int

from micro_rl.core.wording import plural, with_verb
from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding
from micro_rl.errors import UserError


def split(
    terminals: Bool[np.ndarray, " row"],
    timeouts: Bool[np.ndarray, " row"] | None,
    horizon: int | None,
    offers: Sequence[str] = (),
) -> tuple[Bool[np.ndarray, " row"], list[Finding]]:
    """Splits a log into episodes: no row is terminal and timeout, and the last row is one of them.

    An episode that runs `horizon` steps without an end is cut there. Without a horizon the file must mark its
    timeouts, and at least one end; where it does not, the error is found and the whole file is one episode. `offers`
    are arrays of the file that may mark them: better than a horizon, which invents ends.
    """
    cuts = np.zeros_like(terminals) if timeouts is None else timeouts & ~terminals
    problems = [] if timeouts is None else _both(terminals & timeouts)
    if horizon is not None:
        cuts, added = _cut_at(horizon, terminals, cuts)
        if len(added) and timeouts is not None:
            text = (
                f"{plural(len(added), 'timeout')} added where an episode ran {plural(horizon, 'step')} without an end"
            )
            problems.append(findings.warning("timeouts-added", text, added))
    elif timeouts is None:
        text = f"no timeouts in the file: {_remedy(offers)}"
        text += "" if offers else ", or of a table its column of episodes or times (--episode, --time)"
        problems.append(findings.error("no-timeouts", text))
    elif not (terminals | cuts).any():
        text = f"no row ends an episode: {_remedy(offers)}"
        problems.append(findings.error("no-ends", text))
    if not (terminals[-1] or cuts[-1]):
        cuts[-1] = True
        if not any(problem.level == "error" for problem in problems):
            text = "the last episode is unfinished: the end of the file counts as its timeout"
            problems.append(findings.warning("unfinished", text, [len(cuts) - 1]))
    return cuts, problems


def _remedy(offers: Sequence[str]) -> str:
    """What tells where episodes end."""
    if offers:
        return f"{', '.join(map(repr, offers))} may mark where episodes end: if so, say --timeouts {offers[0]}"
    return "give the episodes' time limit as horizon (--horizon)"


def _both(marked: Bool[np.ndarray, " row"]) -> list[Finding]:
    rows = np.flatnonzero(marked)
    text = f"{with_verb(len(rows), 'row', 'is', 'are')} marked both terminal and timeout: what counts is terminal"
    return [findings.warning("both-ends", text, rows)] if len(rows) else []


def _cut_at(
    horizon: int, terminals: Bool[np.ndarray, " row"], timeouts: Bool[np.ndarray, " row"]
) -> tuple[Bool[np.ndarray, " row"], Int[np.ndarray, " added"]]:
    """Timeouts with one more wherever `horizon` steps passed since the last end, and the rows of the new ones."""
    if horizon < 1:
        raise UserError(f"horizon must be at least 1 step, not {horizon}")
    ends = terminals | timeouts
    row = np.arange(len(ends))
    first = np.concatenate([[True], ends[:-1]])
    step = row - np.maximum.accumulate(np.where(first, row, 0)) + 1
    cuts = (timeouts | (step % horizon == 0)) & ~terminals
    return cuts, np.flatnonzero(cuts & ~timeouts)


def next_rows(
    observations: Float32[np.ndarray, "row obs"],
    terminals: Bool[np.ndarray, " row"],
    ends: Bool[np.ndarray, " row"],
) -> tuple[Float32[np.ndarray, "row obs"], Bool[np.ndarray, " row"], list[Finding]]:
    """Takes the next row as next observation; with the rows where that is true, and what it costs."""
    after = np.empty_like(observations)
    after[:-1] = observations[1:]
    after[ends] = observations[ends]
    lost = int(ends.sum())
    rows = (
        "the row that ends the episode is dropped"
        if lost == 1
        else f"the {lost:,} rows that end an episode are dropped"
    )
    text = f"no next_observations in the file: the following row stands in, and {rows}"
    if terminals.any():
        text += f", ALL {int(terminals.sum())} TERMINALS AMONG THEM: nothing that is left terminates"
    return after, ~ends, [findings.warning("no-next-observations", text, np.flatnonzero(ends))]


def recorded_next(
    observations: Float32[np.ndarray, "row obs"],
    after: Float32[np.ndarray, "row obs"],
    terminals: Bool[np.ndarray, " row"],
    timeouts: Bool[np.ndarray, " row"],
) -> tuple[Bool[np.ndarray, " row"], list[Finding]]:
    """Finds the rows whose recorded next observation can be believed, and what contradicts it.

    Loggers that record after an automatic reset put the next episode's start there. At a timeout that
    equality makes the row unusable. A terminal row is kept, as the published results keep it, but said.
    """
    follows = np.zeros(len(after), bool)
    follows[:-1] = (after[:-1] == observations[1:]).all(1)
    inside = ~(terminals | timeouts)
    problems = _broken(inside & ~follows & _finite_around(observations, after), int(inside.sum()))
    for end, marked, remedy in (
        ("timeout", timeouts, " unless the episode ran on: never learned from"),
        ("terminal", terminals, ": check the logger"),
    ):
        if len(rows := np.flatnonzero(marked & follows)):
            records = with_verb(len(rows), end, "records", "record")
            text = f"{records} the following row as next observation, another episode's start{remedy}"
            problems.append(findings.warning(f"next-crosses-{end}", text, rows))
    return ~(timeouts & follows), problems


def unusable(usable: Bool[np.ndarray, " row"]) -> list[Finding]:
    """Gives an error where no row has a true next observation: nothing can be learned there."""
    if usable.any():
        return []
    text = (
        "no row has a true next observation, as where every episode is a single step: record next_observations, or "
        "check what marks the ends of episodes"
    )
    return [findings.error("nothing-usable", text)]


def _finite_around(
    observations: Float32[np.ndarray, "row obs"], after: Float32[np.ndarray, "row obs"]
) -> Bool[np.ndarray, " row"]:
    """Rows whose next observation and following row hold numbers: NaN equals nothing, and is reported by itself."""
    following = np.ones(len(after), bool)
    following[:-1] = np.isfinite(observations[1:]).all(1)
    return following & np.isfinite(after).all(1)


def _broken(rows: Bool[np.ndarray, " row"], inside: int) -> list[Finding]:
    broken = np.flatnonzero(rows)
    if not len(broken):
        return []
    text = (
        f"{len(broken):,} of {inside:,} rows inside episodes are not followed by their next "
        "observation: rows shuffled, missing or duplicated, so figures per episode may mean little"
    )
    return [findings.warning("discontinuous", text, broken)]
