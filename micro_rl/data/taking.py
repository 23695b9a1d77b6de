"""Some rows of a log as a log of their own."""

from dataclasses import replace
from hashlib import sha256

import numpy as np
from jaxtyping import Bool

from micro_rl.core.tasks import Task
from micro_rl.data import episode_ends
from micro_rl.data.dataset import Dataset
from micro_rl.data.writers.rows import lacks_next


def take(dataset: Dataset, rows: Bool[np.ndarray, " row"], name: str) -> Dataset:
    """Takes rows of a log; where their successor stays behind, the episode is cut.

    Args:
        dataset: single observations.
        rows: True for those that are taken; at least one.
        name: what the part is called.

    Returns:
        The part. It names no simulator, and its SHA-256 is of the whole log's and the choice of rows.
    """
    last = rows & ~np.append(rows[1:], False) & ~dataset.terminals
    usable, following = dataset.usable.copy(), dataset.next_observations
    if lacks_next(dataset):  # then the row after the cut is the only one that told what followed
        usable[last] = False
        following = np.where(last[:, None], dataset.observations, following)
    groups = dataset.row_groups
    return replace(
        dataset,
        name=name,
        observations=dataset.observations[rows],
        actions=dataset.actions[rows],
        rewards=dataset.rewards[rows],
        next_observations=following[rows],
        terminals=dataset.terminals[rows],
        timeouts=(dataset.timeouts | last)[rows],
        usable=usable[rows],
        groups=None if groups is None else groups[rows],
        sha256=digest_of(dataset, rows),
        task=Task(horizon=dataset.task.horizon, termination=dataset.task.termination),
    )


def digest_of(dataset: Dataset, rows: Bool[np.ndarray, " row"]) -> str:
    """The SHA-256 of these rows as a log of their own: of the whole log's and the choice of rows."""
    return sha256(dataset.sha256.encode() + np.packbits(rows).tobytes()).hexdigest()


def storable(dataset: Dataset) -> Dataset:
    """The log without the rows that nobody can learn from, where a file could not tell which these are.

    A row is not usable where what followed it is not known: where the log's file marked it as missing, or where the
    logger wrote the next episode's first observation. HDF5 has no column that says so.
    """
    if dataset.usable.all() or lacks_next(dataset):
        return dataset
    return take(dataset, dataset.usable, dataset.name)


def as_read(dataset: Dataset, next_recorded: bool) -> Dataset:
    """The log with the next observations, and what can be believed of them, that a reader will find in its rows.

    Args:
        dataset: rows that were left out, cut or put together.
        next_recorded: whether it has next observations of its own.
    """
    before, terminals, timeouts = dataset.observations, dataset.terminals, dataset.timeouts
    if not len(dataset):
        return dataset
    if next_recorded:
        after = dataset.next_observations
        usable, _ = episode_ends.recorded_next(before, after, terminals, timeouts)
    else:
        after, usable, _ = episode_ends.next_rows(before, terminals, terminals | timeouts)
    read = replace(dataset, next_observations=after, usable=usable)
    return read if read.outliers is None else replace(read, usable=usable & ~read.outliers.rows)


def content(dataset: Dataset) -> str:
    """The SHA-256 of everything in a log's rows: two readings of one file have one only if these are the same.

    How rows are understood (names, bounds, exogenous columns, groups, ends by rule) is no part of it.
    """
    digest = sha256()
    for part in (
        dataset.observations,
        dataset.actions,
        dataset.rewards,
        dataset.next_observations,
        dataset.terminals,
        dataset.timeouts,
        dataset.usable,
    ):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
