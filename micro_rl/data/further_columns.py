"""Columns of a log's table that are neither observed nor done, row by row."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from micro_rl.core.columns import in_one_line
from micro_rl.data.dataset import Dataset
from micro_rl.data.description import describe
from micro_rl.data.loading import load
from micro_rl.errors import UserError

TABLES = ("csv", "parquet")


def further_columns(dataset: Dataset, names: Sequence[str]) -> Float32[np.ndarray, "row column"]:
    """Read columns beside those of a log, in the rows that the log has.

    They are read as observations are: the same rows are left out, filled and resampled.

    Args:
        dataset: of a CSV or a Parquet, single observations.
        names: the columns, observed ones among them or not.

    Returns:
        Their values, raw units.

    Raises:
        UserError: the log is no table, or lacks a column, or a value of one.
    """
    if dataset.in_memory or dataset.format not in TABLES:
        raise UserError(f"{dataset.name}: has no columns beside its arrays: only a CSV or a Parquet has")
    asked = [in_one_line(name) for name in names]
    observed = [column.name for column in dataset.columns.observations]
    more = tuple(dict.fromkeys(name for name in asked if name not in observed))
    after = describe(dataset.path, dataset.reading).reading.next_observations
    reading = replace(
        dataset.reading, observations=(*observed, *more), next_observations=(*after, *more) if after else ()
    )
    again = load(dataset.path, reading=reading, usual_horizon=dataset.task.horizon)
    if len(again) != len(dataset):
        rows = f"{len(again)} of {len(dataset)} rows"
        raise UserError(
            f"{dataset.path}: {', '.join(asked)} can be read in {rows}: give a value in every row of the log"
        )
    places = [column.name for column in again.columns.observations]
    return again.observations[:, [places.index(name) for name in asked]]
