"""How long every candidate trains: three rungs of equal time, each shared by fewer, then more while time is left.

Successive halving (Jamieson and Talwalkar, AISTATS 2016) in time, not in epochs: a cheap method gets more epochs in its
share. The plan follows from what an epoch was seen to cost, its further rungs from the time that is left, and each is
kept, so that a choice that was killed goes on by the same one.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from pydantic import PositiveInt

RUNGS = 3
START = 8.0
"""Seconds in which a process begins its work."""
LADDER = (1, 1.5)
"""A share is rounded down to one of these times a power of two, so that noise in the costs changes few plans."""
MOST_UPDATES = 500_000
"""Of a candidate."""


class Schedule(NamedTuple):
    """Epochs that each candidate has behind it after each rung, by name, and how many take part in each."""

    until: tuple[dict[str, PositiveInt], ...]
    places: tuple[PositiveInt, ...]

    def seconds(self, costs: Mapping[str, float], workers: int, after: int = 0) -> float:
        """About how long the rungs take, or those after the first `after` of them."""
        total, before = 0.0, self.until[after - 1] if after else dict.fromkeys(costs, 1)
        for epochs, places in list(zip(self.until, self.places, strict=True))[after:]:
            each = [START + (epochs[name] - before[name]) * cost for name, cost in costs.items()]
            total += sum(each) / len(each) * math.ceil(places / workers)
            before = epochs
        return total


def places(candidates: int) -> tuple[int, ...]:
    """How many take part in each rung: all, half, a quarter, but two at least where there are two."""
    return tuple(max(min(2, candidates), math.ceil(candidates / 2**rung)) for rung in range(RUNGS))


def plan(costs: Mapping[str, float], seconds: float, workers: int, updates_per_epoch: int) -> Schedule:
    """Deal the time out.

    Args:
        costs: seconds of an epoch of each candidate, all its seeds, on one worker.
        seconds: that the rungs may take.
        workers: processes that train at once.
        updates_per_epoch: of every candidate.
    """
    counts, most = places(len(costs)), MOST_UPDATES // updates_per_epoch
    behind, until = dict.fromkeys(costs, 1), []
    for count in counts:
        share = seconds / RUNGS / math.ceil(count / workers)
        behind = {name: min(most, behind[name] + rounded((share - START) / cost)) for name, cost in costs.items()}
        until.append(behind)
    return Schedule(tuple(until), counts)


def longer(
    schedule: Schedule,
    costs: Mapping[str, float],
    going: Collection[str],
    seconds: float,
    workers: int,
    updates_per_epoch: int,
) -> Schedule | None:
    """Add a rung for those that came out of the last one.

    Args:
        schedule: the rungs until now.
        costs: seconds of an epoch of each candidate, all its seeds, on one worker.
        going: who takes part; one at least.
        seconds: that are left for it.
        workers: processes that train at once.
        updates_per_epoch: of every candidate.

    Returns:
        All rungs; None where the time is not worth the start of a process, or does not last for an epoch of each.
    """
    behind, count, most = schedule.until[-1], len(going), MOST_UPDATES // updates_per_epoch
    share = seconds / math.ceil(count / workers) - START
    if share < max([START, *(costs[name] for name in going)]) or all(behind[name] >= most for name in going):
        return None
    ahead = {name: min(most, behind[name] + rounded(share / cost)) for name, cost in costs.items()}
    return Schedule((*schedule.until, ahead), (*schedule.places, count))


def rounded(epochs: float) -> int:
    """The largest of the ladder's steps that is no larger; 1 at least."""
    steps = [int(step * 2**power) for power in range(24) for step in LADDER]
    return max([1, *(step for step in steps if step <= epochs)])


def survivors(standings: Mapping[str, float], count: int, rising: Collection[str]) -> list[str]:
    """Those that rise before those that do not, then by their standing; of equals the one that was named first."""
    return sorted(standings, key=lambda name: (name not in rising, -standings[name]))[:count]


def risen(standings: Sequence[float]) -> bool:
    """Whether a candidate's last rung brought it above all before; true of the first."""
    return len(standings) < 2 or standings[-1] > max(standings[:-1])
