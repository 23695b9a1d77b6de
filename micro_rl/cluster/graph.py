"""What a sweep is cut into: fits that several runs share, and chunks of runs that one program makes, each a task."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from micro_rl.errors import UserError
from micro_rl.training import memory
from micro_rl.training.grid import Trial, chunks, groups
from micro_rl.training.plan import Plan
from micro_rl.training.sweep import what_is_fitted

SHARE = 0.8
"""Of a node's memory that runs may take."""
LOWER = "lower batch_size, rollout_batch_size or rollout_length, or "
"""What helps where who asks has chosen these."""


class Chunk(NamedTuple):
    """Runs of one program, and for each the run in whose folder its fit is made; None: it needs none, or makes it."""

    trials: tuple[Trial, ...]
    fits: tuple[str | None, ...]
    bytes: int

    @property
    def name(self) -> str:
        """Of its first run, with the number of the others."""
        first, more = self.trials[0].name, len(self.trials) - 1
        return f"{first} and {more} more" if more else first


class Graph(NamedTuple):
    """All tasks: runs whose fits others wait for, too, and chunks."""

    fits: tuple[Trial, ...]
    chunks: tuple[Chunk, ...]

    @property
    def trials(self) -> list[Trial]:
        """Of all chunks."""
        return [trial for chunk in self.chunks for trial in chunk.trials]


def graph(trials: Sequence[Trial], exact: bool, width: int | None, cores: int, node_memory: int) -> Graph:
    """Cut a sweep into tasks.

    Args:
        trials: its runs.
        exact: each run alone, to the bits of a single one.
        width: at most so many runs in a chunk; by default as many as leave every core a chunk, and fit a node.
        cores: of the cluster.
        node_memory: bytes that the largest node offers; 0 where that is not known.

    Raises:
        UserError: no node has the memory for a run.
    """
    owners: dict[Any, Trial] = {}
    for trial in trials:
        if trial.plan.fits_model:
            owners.setdefault(what_is_fitted(trial.plan), trial)
    cut: list[Chunk] = []
    for group in groups(trials):
        each = _bytes(group[0].name, group[0].plan, node_memory)
        for chunk in chunks(group, 1 if exact else _width(len(group), width, cores, each, node_memory)):
            names = [owners[what_is_fitted(own.plan)].name if own.plan.fits_model else None for own in chunk]
            cut.append(Chunk(tuple(chunk), tuple(names), len(chunk) * each))
    return Graph(tuple(owners.values()), tuple(cut))


def bytes_asked(name: str, plan: Plan, runs: int, node_memory: int) -> int:
    """Memory of runs in one program, as many of them as a node holds at once.

    Args:
        name: of the first, for the message.
        plan: of each.
        runs: that one program could make.
        node_memory: bytes that the largest node offers; 0 where that is not known.

    Raises:
        UserError: no node has the memory for one.
    """
    each = _bytes(name, plan, node_memory, "")
    return each * min(runs, _fitting(runs, each, node_memory))


def _bytes(name: str, plan: Plan, node_memory: int, lower: str = LOWER) -> int:
    each = memory.bytes_of_run(plan)
    if node_memory and each > SHARE * node_memory:
        raise UserError(
            f"{name}: takes about {each / 2**20:,.0f} MiB, and no node offers more than "
            f"{SHARE * node_memory / 2**20:,.0f} for runs; {lower}add a larger node "
            "(ray start --memory=BYTES tells what it has)"
        )
    return each


def _width(runs: int, most: int | None, cores: int, each: int, node_memory: int) -> int:
    widest = -(-runs // max(1, cores)) if most is None else min(most, runs)
    return max(1, min(widest, _fitting(widest, each, node_memory)))


def _fitting(runs: int, each: int, node_memory: int) -> int:
    """How many of these runs the largest node holds at once."""
    return int(SHARE * node_memory // each) if node_memory else runs
