"""A log held against the simulator that it, or its name, tells."""

from pathlib import Path

import numpy as np

from micro_rl.data.checks import findings, inspection
from micro_rl.data.checks.findings import Finding
from micro_rl.data.checks.inspection import Inspection
from micro_rl.data.dataset import Dataset
from micro_rl.data.read_options import NO_OPTIONS, ReadOptions
from micro_rl.errors import UserError
from micro_rl.simulation import envs


def inspect(log: str | Path, reading: ReadOptions = NO_OPTIONS) -> Inspection:
    """Inspect a log from every side, its simulator among them.

    Args:
        log: a file, or the name of a log.
        reading: how the log is read.

    Raises:
        UserError: where there is no file of that name.
    """
    return inspection.inspect(log, reading, against_simulator)


def against_simulator(dataset: Dataset) -> list[Finding]:
    """What the simulator that the log or its name tells makes and takes, where the log has something else."""
    task = dataset.task
    if task.env is None:
        return []
    sizes = dataset.observations.shape[1], dataset.actions.shape[1]
    try:
        envs.check_matches(task.env, *sizes)
    except UserError as error:
        return [findings.error("simulator", str(error))]
    env = envs.make(task.env)
    low, high = envs.action_bounds(env)
    env.close()
    if np.allclose(low, dataset.action_low) and np.allclose(high, dataset.action_high):
        return []
    text = (
        f"the actions' bounds are [{_some(dataset.action_low)}, {_some(dataset.action_high)}] but {task.env} takes "
        f"[{_some(low)}, {_some(high)}]: give those of the system that made the log (--action-bounds LOW HIGH)"
    )
    return [findings.warning("bounds-differ", text)]


def _some(values: np.ndarray) -> str:
    """One number where all are the same."""
    return f"{values[0]:g}" if (values == values[0]).all() else ", ".join(f"{value:g}" for value in values)
