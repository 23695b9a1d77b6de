"""Trials on their way to a task: what each has of its own as bytes, the logs that many share by reference."""

import io
import pickle
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, NamedTuple

from micro_rl.data import Dataset
from micro_rl.training.grid import Trial


class Packed(NamedTuple):
    """Trials without their logs, and references of these in the order in which the bytes count them."""

    own: bytes
    logs: tuple[Any, ...]


class Packer:
    """Packs trials; each log, and each windows of it, is put once where every node can read it.

    Args:
        ray: connected.
    """

    def __init__(self, ray: Any):
        self._ray = ray
        self._put: dict[int, tuple[Dataset, Any]] = {}

    def packed(self, trials: Sequence[Trial]) -> Packed:
        """These trials, for one task; the methods that their plans have built are built there again."""
        logs, box = list[Dataset](), io.BytesIO()
        _pickler(box, logs).dump([Trial(name, replace(plan)) for name, plan in trials])
        return Packed(box.getvalue(), tuple(self._reference(log) for log in logs))

    def _reference(self, log: Dataset) -> Any:
        if id(log) not in self._put:
            self._put[id(log)] = log, self._ray.put(log)  # the log, too, as another could get its id
        return self._put[id(log)][1]


def unpacked(packed: Packed, ray: Any) -> dict[str, Trial]:
    """The trials by name; methods of the user's must be loaded before."""
    unpickler = pickle.Unpickler(io.BytesIO(packed.own))
    logs: list[Any] = ray.get(list(packed.logs))
    unpickler.persistent_load = logs.__getitem__
    return {trial.name: trial for trial in unpickler.load()}


def _pickler(box: io.BytesIO, logs: list[Dataset]) -> Any:
    """Ray's pickler, which takes functions of the user's, too; a log is written as its number and told to `logs`."""
    numbers = dict[int, int]()

    def number_of(value: object) -> int | None:
        if not isinstance(value, Dataset):
            return None
        if id(value) not in numbers:
            numbers[id(value)] = len(logs)
            logs.append(value)
        return numbers[id(value)]

    pickler: Any = import_module("ray.cloudpickle").CloudPickler
    return type("_Pickler", (pickler,), {"persistent_id": lambda own, value: number_of(value)})(box)
