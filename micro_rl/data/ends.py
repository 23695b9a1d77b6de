"""Where episodes end, why, and which rows therefore have a true next observation."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32

from micro_rl.errors import UserError


def split(
    path: Path,
    terminals: Bool[np.ndarray, " row"],
    timeouts: Bool[np.ndarray, " row"] | None,
    horizon: int | None,
) -> tuple[Bool[np.ndarray, " row"], list[str]]:
    """Timeouts such that no row is terminal and timeout, and the last row is one of them; and notes.

    An episode that runs `horizon` steps without an end is cut there. Without a horizon the file must mark its
    timeouts, and at least one end.
    """
    if horizon is None and timeouts is None:
        raise UserError(f"{path}: no timeouts in the file: give the episodes' time limit as horizon (--horizon)")
    notes = []
    cuts = np.zeros_like(terminals) if timeouts is None else timeouts & ~terminals
    both = 0 if timeouts is None else int((timeouts & terminals).sum())
    if both:
        notes.append(f"{both} rows are marked both terminal and timeout: they count as terminal")
    if horizon is not None:
        cuts, added = _cut_at(horizon, terminals, cuts)
        if added and timeouts is not None:
            notes.append(f"{added} timeouts added where an episode ran {horizon} steps without an end")
    elif not (terminals | cuts).any():
        raise UserError(f"{path}: no row ends an episode: give the episodes' time limit as horizon (--horizon)")
    if not (terminals[-1] or cuts[-1]):
        cuts[-1] = True
        notes.append("the last episode is unfinished: the end of the file counts as its timeout")
    return cuts, notes


def _cut_at(
    horizon: int, terminals: Bool[np.ndarray, " row"], timeouts: Bool[np.ndarray, " row"]
) -> tuple[Bool[np.ndarray, " row"], int]:
    """Timeouts with one more wherever `horizon` steps passed since the last end, and how many are new."""
    if horizon < 1:
        raise UserError(f"horizon must be at least 1 step, not {horizon}")
    ends = terminals | timeouts
    row = np.arange(len(ends))
    first = np.concatenate([[True], ends[:-1]])
    step = row - np.maximum.accumulate(np.where(first, row, 0)) + 1
    cuts = (timeouts | (step % horizon == 0)) & ~terminals
    return cuts, int(cuts.sum() - timeouts.sum())


def next_rows(
    observations: Float32[np.ndarray, "row obs"],
    terminals: Bool[np.ndarray, " row"],
    ends: Bool[np.ndarray, " row"],
) -> tuple[Float32[np.ndarray, "row obs"], Bool[np.ndarray, " row"], str]:
    """The next row as next observation, the rows where that is true, and the sentence on what it costs."""
    after = np.where(ends[:, None], observations, np.roll(observations, -1, axis=0))
    note = (
        "no next_observations in the file: the following row stands in, and the "
        f"{int(ends.sum())} rows that end an episode are dropped"
    )
    if terminals.any():
        note += f", ALL {int(terminals.sum())} TERMINALS AMONG THEM: nothing that is left terminates"
    return after, ~ends, note


def recorded_next(
    observations: Float32[np.ndarray, "row obs"],
    after: Float32[np.ndarray, "row obs"],
    terminals: Bool[np.ndarray, " row"],
    timeouts: Bool[np.ndarray, " row"],
) -> tuple[Bool[np.ndarray, " row"], list[str]]:
    """The rows whose recorded next observation can be believed, and what contradicts it.

    Loggers that record after an automatic reset put the next episode's start there. At a timeout that
    equality makes the row unusable. A terminal row is kept, as the published results keep it, but said.
    """
    follows = np.zeros(len(after), bool)
    follows[:-1] = (after[:-1] == observations[1:]).all(1)
    inside = ~(terminals | timeouts)
    notes = []
    if broken := int((inside & ~follows).sum()):
        notes.append(
            f"{broken} of {int(inside.sum())} rows inside episodes are not followed by their next "
            "observation: rows shuffled, missing or duplicated, so figures per episode may mean little"
        )
    if reset := int((timeouts & follows).sum()):
        notes.append(
            f"{reset} timeouts record the following row as next observation, another episode's start "
            "unless the episode ran on: never learned from"
        )
    if reset := int((terminals & follows).sum()):
        notes.append(
            f"{reset} terminals record the following row as next observation, another episode's start: check the logger"
        )
    return ~(timeouts & follows), notes
