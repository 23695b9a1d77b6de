"""The episodes of a Minari set in HDF5: one group an episode, checked before any of it is read."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np

from micro_rl.core.wording import plural
from micro_rl.data.raw_log import refuse_oversize
from micro_rl.data.readers import hdf5_storage
from micro_rl.data.readers.minari_spaces import Episode, Leaf, Spaces
from micro_rl.errors import UserError

FILE = "main_data.hdf5"
ONE_A_STEP = ("rewards", "terminations", "truncations")


def episodes(folder: Path, count: int, spaces: Spaces, layout: str) -> tuple[int, Iterator[Episode], Sequence[Path]]:
    """Opens the set: steps in all, the episodes, and the files they are in."""
    path = folder / FILE
    with h5py.File(path, "r", locking=False) as file:
        names = [name for name in map(str, file) if name.startswith("episode_")]
        if len(names) != count:
            raise UserError(
                f"{path}: its metadata says {plural(count, 'episode')}, the file holds {len(names)}: fetch it again"
            )
        lengths = [_Group(path, file, place).check(spaces) for place in range(count)]
    width = sum(leaf.width for part in spaces for leaf in part)
    refuse_oversize(path, "the set", 4 * width * sum(lengths), path.stat().st_size)
    return sum(lengths), _read(path, lengths, spaces), (path,)


def _read(path: Path, lengths: Sequence[int], spaces: Spaces) -> Iterator[Episode]:
    with h5py.File(path, "r", locking=False) as file:
        for place, length in enumerate(lengths):
            group = _Group(path, file, place)
            parts = (group.joined("observations", spaces.observations), group.joined("actions", spaces.actions))
            yield Episode(*parts, *(group.find(key)[()].reshape(length) for key in ONE_A_STEP))


class _Group:
    """One episode in the file."""

    def __init__(self, path: Path, file: h5py.File, place: int):
        self.path, self.name = path, f"episode_{place}"
        self.group = hdf5_storage.member(path, file, self.name, self.name)

    def check(self, spaces: Spaces) -> int:
        """Counts its steps; `UserError` unless every array is stored whole and of its declared shape."""
        length = (*self.find("rewards").shape, 0)[0]
        shapes: dict[tuple[str, ...], tuple[tuple[int, ...], ...]]
        shapes = {(key,): ((length,), (length, 1)) for key in ONE_A_STEP}
        for part, rows in (("observations", length + 1), ("actions", length)):
            for leaf in getattr(spaces, part):
                single = ((rows,),) if leaf.width == 1 else ()
                shapes[part, *leaf.keys] = ((rows, leaf.width), *single)
        for keys, allowed in shapes.items():
            array = self.find(*keys)
            name = "/".join((self.name, *keys))
            if array.dtype.kind not in "fiub":
                raise UserError(f"{self.path}: {name} holds no plain numbers (type {array.dtype}): store it as float32")
            if array.shape not in allowed:
                raise UserError(
                    f"{self.path}: {name} has shape {array.shape} where {allowed[0]} is due: the set disagrees with "
                    "its metadata or with itself, fetch or write it again"
                )
            hdf5_storage.check(self.path, name, array, keys[0] not in ("terminations", "truncations"))
        return length

    def find(self, *keys: str) -> h5py.Dataset:
        """Opens an array that lies in this file, reached by no link."""
        stored, label = self.group, "/".join((self.name, *keys))
        for key in keys:
            stored = hdf5_storage.member(self.path, stored, key, label)
        return hdf5_storage.whole_array(self.path, stored, label)

    def joined(self, part: str, boxes: Sequence[Leaf]) -> np.ndarray:
        """Reads the boxes of one space, side by side."""
        return np.concatenate([self.find(part, *leaf.keys)[()].reshape(-1, leaf.width) for leaf in boxes], axis=1)
