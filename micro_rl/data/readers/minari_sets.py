"""Minari's data sets, in its HDF5, Arrow and Parquet layouts.

Minari itself reads the metadata. The arrays are read here, since its own reading builds the simulator that the metadata
name where a space is missing, allocates what a file declares, follows links out of it and unpacks whatever else was
logged. No simulator is built and nothing that the metadata name is imported.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.core.columns import Column, Columns, distinct
from micro_rl.core.tasks import Task
from micro_rl.core.wording import plural
from micro_rl.data import log_metadata
from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding
from micro_rl.data.narrowing import Narrowing
from micro_rl.data.raw_log import RawLog, damage_refused
from micro_rl.data.readers import minari_arrow, minari_hdf5
from micro_rl.data.readers.minari_spaces import Leaf, Spaces, leaves
from micro_rl.errors import UserError, require_extra

FORMAT = "minari"
KEYS = {
    "observations": "observations",
    "next_observations": "observations",
    "actions": "actions",
    "rewards": "rewards",
    "terminals": "terminations",
    "timeouts": "truncations",
}
LAYOUTS = {"hdf5": minari_hdf5.episodes, "arrow": minari_arrow.episodes, "parquet": minari_arrow.episodes}
LARGEST_METADATA = 2**26

_ROBOTS = (
    "HalfCheetah",
    "Hopper",
    "Walker2d",
    "Ant",
    "Swimmer",
    "InvertedPendulum",
    "InvertedDoublePendulum",
    "Reacher",
)
SIMULATORS = frozenset(
    [f"{robot}-v{version}" for robot in _ROBOTS for version in (4, 5)] + ["Pendulum-v1", "MountainCarContinuous-v0"]
)
"""Ids that are Gymnasium's own: only by them may a file name a simulator."""


def read(path: Path) -> RawLog:
    """Reads the set in that folder, which holds `data/metadata.json`."""
    require_extra("minari", "minari", "reading Minari sets")
    from minari.dataset.minari_storage import MinariStorage

    folder = path / "data"
    with damage_refused(path, "a Minari set"):
        if (folder / "metadata.json").stat().st_size > LARGEST_METADATA:
            raise UserError(f"{path}: its metadata.json is larger than {LARGEST_METADATA:,} bytes: fetch the set again")
        metadata = MinariStorage.read_raw_metadata(folder)
        raw, own = _Set(path, metadata).log(), metadata.get(log_metadata.ABOUT)
    return log_metadata.apply(path, raw, own) if isinstance(own, dict) else raw


class _Set:
    """One set on its way to arrays."""

    def __init__(self, path: Path, metadata: Any):
        if not isinstance(metadata, dict):
            raise UserError(f"{path}: its metadata.json is no table: fetch or write the set again")
        self.path, self.metadata = path, metadata
        self.spaces = Spaces(*(leaves(path, f"{part}_space", metadata) for part in ("observation", "action")))
        self.layout = metadata.get("data_format", "hdf5")
        if not isinstance(self.layout, str) or self.layout not in LAYOUTS:
            raise UserError(f"{path}: data_format {str(self.layout)[:40]!r} is none of {', '.join(LAYOUTS)}")

    def log(self) -> RawLog:
        """Joins all episodes, one after another, each with its last observation as the last next one."""
        steps, episodes, files = LAYOUTS[self.layout](
            self.path / "data", self._count("total_episodes"), self.spaces, self.layout
        )
        if steps != self._count("total_steps"):
            raise UserError(
                f"{self.path}: its metadata says {plural(self._count('total_steps'), 'step')}, its data {steps}: "
                "fetch it again"
            )
        if not steps:
            raise UserError(f"{self.path}: holds no rows: write the set again")
        widths = [sum(leaf.width for leaf in part) for part in self.spaces]
        columns = {
            "observations": Narrowing(steps, widths[0]),
            "next_observations": Narrowing(steps, widths[0]),
            "actions": Narrowing(steps, widths[1]),
            "rewards": Narrowing(steps),
        }
        flags: dict[str, list[np.ndarray]] = {"terminals": [], "timeouts": []}
        unmarked, end = [], -1
        for episode in episodes:
            end += len(episode.rewards)
            if len(episode.rewards) and not (episode.terminations[-1] or episode.truncations[-1]):
                episode = episode._replace(truncations=np.append(episode.truncations[:-1], True))
                unmarked.append(end)
            columns["observations"].add(episode.observations[:-1])
            columns["next_observations"].add(episode.observations[1:])
            columns["actions"].add(episode.actions)
            columns["rewards"].add(episode.rewards)
            flags["terminals"].append(episode.terminations)
            flags["timeouts"].append(episode.truncations)
        raw = self._raw(columns, {field: np.concatenate(parts) for field, parts in flags.items()}, files)
        return raw._replace(findings=_unmarked(unmarked, len(flags["timeouts"])))

    def _raw(self, columns: dict[str, Narrowing], flags: dict[str, np.ndarray], files: Sequence[Path]) -> RawLog:
        low, high = (np.concatenate([getattr(leaf, side) for leaf in self.spaces.actions]) for side in ("low", "high"))
        bounded = bool(np.isfinite(low).all() and np.isfinite(high).all())
        return RawLog(
            arrays={field: column.values() for field, column in columns.items()} | flags,
            keys=KEYS,
            action_low=low if bounded else None,
            action_high=high if bounded else None,
            columns=Columns(*(_columns(part) for part in self.spaces)),
            task=self._task(),
            overflow={field: column.overflow for field, column in columns.items()},
            blurred={field: columns[field].blurred() for field in ("observations", "actions", "rewards")},
            files=(self.path / "data" / "metadata.json", *files),
        )

    def _count(self, key: str) -> int:
        count = self.metadata.get(key)
        if type(count) is not int or count < 0:
            raise UserError(f"{self.path}: its metadata has no {key}: fetch or write the set again")
        return count

    def _task(self) -> Task:
        """The simulator, where the file names one of Gymnasium's own, and the scores that count as 0 and 100."""
        scores = [self.metadata.get(f"ref_{side}_score") for side in ("min", "max")]
        low, high = (float(score) if isinstance(score, int | float) else math.nan for score in scores)
        known = math.isfinite(low) and math.isfinite(high) and low < high
        spec = self.metadata.get("env_spec")
        named = next((env for env in SIMULATORS if isinstance(spec, str) and f'"id": "{env}"' in spec), None)
        return Task(named, score_min=low if known else None, score_max=high if known else None)


def _columns(part: Sequence[Leaf]) -> tuple[Column, ...]:
    """The columns of boxes side by side, by names of their own."""
    return tuple(map(Column, distinct([name for leaf in part for name in leaf.names])))


def _unmarked(ends: Sequence[int], episodes: int) -> tuple[Finding, ...]:
    """Warns of episodes whose last steps, those rows, had no flag."""
    if not ends:
        return ()
    where = f"the last step of {len(ends):,} of {plural(episodes, 'episode')}"
    text = f"{where} is neither terminated nor truncated in the file: it counts as a timeout"
    return (findings.warning("end-unmarked", text, ends),)
