"""What the parts of a log are made by: its order, how episodes act, or labels that tell who controlled."""

import numpy as np
from jaxtyping import Shaped

from micro_rl.data import Dataset, load
from micro_rl.errors import UserError
from micro_rl.trust.folds import Folds, by_behaviour, by_clusters, by_labels, by_time
from micro_rl.trust.options import Groups

WAYS = {"time": by_time, "behaviour": by_behaviour, "clusters": by_clusters}
"""Those that need no label."""


def folds_of(dataset: Dataset, groups: Groups | None) -> Folds:
    """The parts of a log.

    Args:
        dataset: the log, single observations.
        groups: one of `WAYS`, the name of a column, or a label for each row or each episode; by default the log's own
            group, else time.

    Raises:
        UserError: there is no such column, or too little of the log for the way.
    """
    if groups is None:
        return by_time(dataset) if dataset.groups is None else by_labels(dataset, dataset.groups.tolist())
    if not isinstance(groups, str):
        return by_labels(dataset, groups)
    if groups in WAYS:
        return WAYS[groups](dataset)
    columns = [column.name for column in (*dataset.columns.observations, *dataset.columns.actions)]
    if groups in columns:
        values = np.concatenate([dataset.observations, dataset.actions], 1)[:, columns.index(groups)]
        return by_labels(dataset, values.tolist())
    return by_labels(dataset, _of_file(dataset, groups).tolist())


def _of_file(dataset: Dataset, column: str) -> Shaped[np.ndarray, " label"]:
    """The labels in a column of the log's file that is neither observed nor an action."""
    refused = f"--groups {column}: take {', '.join(WAYS)}, or a column of the log"
    if dataset.in_memory:
        raise UserError(f"{refused}; one made in memory has no other: give a label for each row or each episode")
    try:
        again = load(dataset.path, reading=dataset.reading, usual_horizon=dataset.task.horizon, group=column)
    except UserError as error:
        raise UserError(f"{refused}; {error}") from None
    assert again.groups is not None, "asked for"
    return again.groups
