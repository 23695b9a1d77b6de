"""Minari's HDF5 layout, written by Minari itself: a folder whose `data` holds episodes and metadata."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from micro_rl.data.dataset import Dataset
from micro_rl.data.log_metadata import ABOUT, of
from micro_rl.data.writers.rows import follows, require_next
from micro_rl.errors import UserError, require_extra
from micro_rl.storage.files import hidden, remove, saving
from micro_rl.storage.json_files import to_jsonable


def write(path: Path, log: Dataset, provenance: Mapping[str, Any]) -> list[str]:
    """Writes a folder, whole or not at all."""
    require_extra("minari", "minari", "writing Minari sets")
    require_next(log, "Minari")
    if not follows(log):
        raise UserError(
            f"{log.path}: rows inside episodes are not followed by their next observation, and Minari keeps one row of "
            "observations for both: convert it to HDF5, NPZ, CSV or Parquet"
        )
    path = path.resolve()  # Minari doubles a relative one
    temporary = hidden(path, "tmp")
    with saving(path, temporary):
        try:
            remove(temporary)
            (temporary / "data").mkdir(parents=True)
            _fill(temporary / "data", path.name, log, provenance)
            if path.is_dir():
                shutil.rmtree(path)
            temporary.rename(path)
        except BaseException:
            remove(temporary)
            raise
    return ["Minari's files have no checksums: damage may go unnoticed"]


def _fill(data: Path, name: str, log: Dataset, provenance: Mapping[str, Any]) -> None:
    from minari.dataset.minari_storage import MinariStorage

    env = log.task.env if log.task.env in gymnasium.registry else None
    infinite = np.full(log.observations.shape[1], np.inf, np.float32)
    storage = MinariStorage.new(
        data,
        observation_space=Box(-infinite, infinite),
        action_space=Box(log.action_low, log.action_high),
        env_spec=gymnasium.spec(env) if env else None,
        data_format="hdf5",
    )
    known = {"dataset_id": name, ABOUT: to_jsonable(of(log) | dict(provenance))}
    if log.task.score_min is not None:
        known |= {"ref_min_score": log.task.score_min, "ref_max_score": log.task.score_max}
    storage.update_metadata(known)
    storage.update_episodes(_episodes(log))


def _episodes(log: Dataset) -> Iterator[Any]:
    from minari.data_collector import EpisodeBuffer

    for rows in log.episodes:
        arrays: dict[str, Any] = {
            "observations": np.concatenate([log.observations[rows], log.next_observations[rows][-1:]]),
            "actions": log.actions[rows],
            "rewards": log.rewards[rows],
            "terminations": log.terminals[rows],
            "truncations": log.timeouts[rows],
        }
        yield EpisodeBuffer(**arrays)
