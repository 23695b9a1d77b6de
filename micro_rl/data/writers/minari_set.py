"""Minari's HDF5 layout, written by Minari itself: a folder whose `data` holds episodes and metadata."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from micro_rl.data.dataset import Dataset
from micro_rl.data.log_metadata import ABOUT, of
from micro_rl.data.log_paths import METADATA
from micro_rl.data.writers.rows import follows, require_next
from micro_rl.errors import UserError, require_extra
from micro_rl.storage.files import saving
from micro_rl.storage.json_files import to_jsonable


def write(path: Path, log: Dataset, provenance: Mapping[str, Any]) -> list[str]:
    """Writes a folder that is not there yet."""
    require_extra("minari", "minari", "writing Minari sets")
    require_next(log, "Minari")
    if not follows(log):
        raise UserError(
            f"{log.path}: rows inside episodes are not followed by their next observation, and Minari keeps one row of "
            "observations for both: convert it to HDF5, NPZ, CSV or Parquet"
        )
    path = path.resolve()  # Minari doubles a relative one
    with saving(path):
        (path / "data").mkdir(parents=True)
        _fill(path / "data", path.name, log, provenance)
    return ["Minari's files have no checksums: damage may go unnoticed"]


def replaceable(folder: Path) -> bool:
    """Whether a folder is empty, or holds a Minari set and nothing else."""
    if {entry.name for entry in folder.iterdir()} != {"data"} or not (folder / METADATA).is_file():
        return not any(folder.iterdir())
    return all(_of_a_set(entry) for entry in (folder / "data").iterdir())


def _of_a_set(entry: Path) -> bool:
    """Whether Minari writes an entry of that name: one file for all episodes, or a folder for each."""
    return entry.name in ("metadata.json", "main_data.hdf5") or (entry.is_dir() and entry.name.isdecimal())


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
