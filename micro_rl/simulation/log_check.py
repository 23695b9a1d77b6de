"""A log held against the simulator that it, or its name, tells."""

from pathlib import Path

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
    if dataset.task.env is None:
        return []
    sizes = dataset.observation_size, dataset.actions.shape[1]
    names = [column.name for column in dataset.columns.observations]
    try:
        match = envs.check_matches(dataset.task.env, *sizes, (dataset.action_low, dataset.action_high), names)
    except UserError as error:
        return [findings.error("simulator", str(error))]
    return [findings.warning("bounds-differ", match.bounds)] if match.bounds else []
