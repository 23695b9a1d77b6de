"""Arrays with one value a row that nobody reads: named, and offered where they may mark the ends of episodes."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from jaxtyping import Bool

from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding
from micro_rl.data.raw_log import RawLog

GOING_ON = ("mask", "not_done", "notdone", "nonterminal", "non_terminal", "not_terminal", "continu", "alive")
"""Parts of the names of flags that are 1 where an episode goes on."""
MOST = 32
"""So many arrays are looked at; more are no log's."""
Unread = Mapping[str, np.ndarray | None]


def sort_out(names: Iterable[str], rows: int, read: Callable[[str], np.ndarray | None]) -> Unread:
    """Looks at arrays that no field is read from.

    Args:
        names: of the arrays.
        rows: of the log.
        read: gives an array, or None where it cannot be had.

    Returns:
        Those with one value a row: flags where all are 0 or 1, turned round where 1 means that the episode goes on;
        None for any other.
    """
    unread: dict[str, np.ndarray | None] = {}
    for name in sorted(names)[:MOST]:
        values = read(name)
        if values is not None and values.dtype.kind in "fiub" and values.shape in ((rows,), (rows, 1)):
            unread[name] = as_ends(name, values)
    return unread


def as_ends(name: str, values: np.ndarray) -> Bool[np.ndarray, " row"] | None:
    """Takes an array for the marks of episodes' ends, by its name turned round; None where it is no flag."""
    values = values.reshape(len(values))
    marked = values == 1
    if not (marked | (values == 0)).all():
        return None
    return ~marked if any(part in name.lower() for part in GOING_ON) else marked


def turned(raw: RawLog) -> RawLog:
    """Turns timeouts round that were read from an array whose name says that 1 means going on."""
    key = raw.keys.get("timeouts", "timeouts")
    marked = as_ends(key, raw.arrays["timeouts"]) if "timeouts" in raw.arrays and key != "timeouts" else None
    return raw if marked is None else raw._replace(arrays={**raw.arrays, "timeouts": marked})


def offered(unread: Unread, known: Bool[np.ndarray, " row"]) -> dict[str, int]:
    """Counts the ones of flags that mark ends which are not known, and not half of the rows."""
    flags = {name: marked for name, marked in unread.items() if marked is not None}
    return {
        name: int(marked.sum())
        for name, marked in flags.items()
        if (marked & ~known).any() and 2 * marked.sum() <= len(marked)
    }


def described(unread: Unread, known: Bool[np.ndarray, " row"], offer: bool = True) -> list[Finding]:
    """Warns of arrays that are not read: one line for the flags that may be ends, one for all others.

    Args:
        unread: as of `sort_out`.
        known: the rows that end an episode by what is read.
        offer: whether to speak of flags; False where an error has done so.

    Returns:
        The warnings.
    """
    problems, flags = [], offered(unread, known) if offer else {}
    others = [name for name, marked in unread.items() if marked is None]
    if flags:
        counts = ", ".join(f"{name!r} ({count:,} ends)" for name, count in flags.items())
        text = f"{counts} may mark where episodes end and {'are' if len(flags) > 1 else 'is'} not read: if so, say "
        problems.append(findings.warning("unread-flags", f"{text}--timeouts {next(iter(flags))}"))
    if others:
        shown = ", ".join(map(repr, others[: findings.SHOWN])) + ", ..." * (len(others) > findings.SHOWN)
        many = len(others) > 1
        text = f"{shown} {'have' if many else 'has'} one value a row and {'are' if many else 'is'} not read: no part of"
        problems.append(findings.warning("unread", f"{text} a transition is called so"))
    return problems
