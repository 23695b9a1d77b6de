"""The columns of a log as a writer stores them."""

import numpy as np
from jaxtyping import Shaped

from micro_rl.data.dataset import Dataset
from micro_rl.data.log_metadata import GROUP
from micro_rl.errors import UserError

GROUPS = "groups"
"""The array that tells who controlled."""


def columns(log: Dataset) -> dict[str, Shaped[np.ndarray, "row ..."]]:
    """Collects the columns by D4RL's names; without next observations that stem from the following rows alone."""
    arrays = {
        "observations": log.observations,
        "actions": log.actions,
        "rewards": log.rewards,
        "next_observations": log.next_observations,
        "terminals": log.terminals,
        "timeouts": log.timeouts,
    }
    return {name: values for name, values in arrays.items() if name != "next_observations" or not lacks_next(log)}


def groups(log: Dataset) -> tuple[dict[str, Shaped[np.ndarray, " row"]], dict[str, str]]:
    """Who controlled in each row, as an array of bytes by its name, and the word that names it; empty without."""
    if log.row_groups is None:
        return {}, {}
    return {GROUPS: np.char.encode(log.row_groups, "utf-8")}, {GROUP: GROUPS}


def lacks_next(log: Dataset) -> bool:
    """Whether the log has no next observations of its own: nothing is then known after an episode's last row."""
    ends = log.terminals | log.timeouts
    own = log.usable[ends].any() or not np.array_equal(log.next_observations[ends], log.observations[ends])
    return not own and follows(log)


def follows(log: Dataset) -> bool:
    """Whether every row inside an episode is followed by its next observation."""
    inside = ~(log.terminals | log.timeouts)[:-1]
    return np.array_equal(log.next_observations[:-1][inside], log.observations[1:][inside])


def require_next(log: Dataset, form: str) -> None:
    """Refuses a log where a format needs the observation after every episode's last row and the log has none."""
    if lacks_next(log):
        raise UserError(
            f"{log.path}: has no next observations, and {form} needs the one after each episode's last row: "
            "convert it to HDF5, CSV or Parquet"
        )
