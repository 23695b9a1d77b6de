"""Trials on their way to a task: what each has of its own as bytes, the logs that many share by reference.

Simulators that were objects travel as what makes them; a method that was registered cannot.
"""

import io
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, NamedTuple

from micro_rl.algorithms import registry
from micro_rl.data import Dataset
from micro_rl.errors import UserError
from micro_rl.simulation import env_objects
from micro_rl.simulation.envs import Env
from micro_rl.training.grid import Trial


class Packed(NamedTuple):
    """Trials without their logs, what makes their simulators, and the logs' references, as the bytes count them."""

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
        """These trials, for one task; the methods that their plans have built are built there again.

        Raises `UserError` where what makes a simulator cannot be sent.
        """
        logs, box = list[Dataset](), io.BytesIO()
        own = [Trial(name, replace(plan)) for name, plan in trials]
        _pickler(box, logs).dump((own, _makers(trials)))
        return Packed(box.getvalue(), tuple(self._reference(log) for log in logs))

    def _reference(self, log: Dataset) -> Any:
        if id(log) not in self._put:
            self._put[id(log)] = log, self._ray.put(log)  # the log, too, as another could get its id
        return self._put[id(log)][1]


def unpacked(packed: Packed, ray: Any) -> dict[str, Trial]:
    """The trials by name, their simulators known from now on; methods of the user's must be loaded before."""
    unpickler = pickle.Unpickler(io.BytesIO(packed.own))
    logs: list[Any] = ray.get(list(packed.logs))
    unpickler.persistent_load = logs.__getitem__
    trials, makers = unpickler.load()
    env_objects.remember(makers)
    return {trial.name: trial for trial in trials}


def refuse_registered(trials: Sequence[Trial]) -> None:
    """`UserError` for a method that this process alone knows."""
    for name in dict.fromkeys(trial.plan.method_name for trial in trials):
        if registry.is_registered(name):
            raise UserError(
                f"on: method {name} was registered in this process, and no node knows it: name its file or "
                "module:definition in its place, which every node has"
            )


def _makers(trials: Sequence[Trial]) -> dict[str, Callable[[], Env]]:
    """What makes the simulators that were given as objects."""
    makers = env_objects.factories({trial.plan.task.env for trial in trials if trial.plan.task.env is not None})
    for name, maker in makers.items():
        try:
            _pickler(io.BytesIO(), []).dump(maker)
        except Exception as error:  # whatever its parts raise
            raise UserError(
                f"on: simulator '{name}' cannot be sent to nodes ({error}): give a function at the top of a module"
            ) from error
    return makers


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
