"""Everything that can be said against a log: what keeps it from being used, and what a person should look at."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from micro_rl import envs, tasks
from micro_rl.data import channels, episodes, findings, loading, names, order
from micro_rl.data.dataset import Dataset
from micro_rl.data.findings import Finding
from micro_rl.data.reading import NOTHING_SAID, Reading
from micro_rl.errors import UserError

WITHOUT_ENDS = frozenset({"no-timeouts", "no-ends"})


class Inspection(NamedTuple):
    """A log with all that was found; `dataset` is None where the file cannot even be read."""

    path: Path
    dataset: Dataset | None
    findings: list[Finding]

    def count(self, level: str) -> int:
        """How many errors, or warnings."""
        return sum(one.level == level for one in self.findings)


def inspect(log: str | Path, reading: Reading = NOTHING_SAID) -> Inspection:
    """Look at a log from every side; `UserError` only where there is no file of that name.

    The errors are those for which training refuses the log, no more and no fewer.
    """
    path = names.locate(log)
    named = tasks.find(names.title(path))
    try:
        dataset, found = loading.examine(path, reading=reading, usual_horizon=named.horizon)
    except UserError as error:
        return Inspection(path, None, [findings.error("unreadable", str(error).removeprefix(f"{path}: "))])
    task = dataset.task
    found = [*found, *_against_simulator(dataset, task)]
    if any(one.kind == "no-bounds" for one in found):
        found = [one for one in found if one.kind != "bounds-differ"]  # nobody told any
    seen = presentable(dataset)
    found += order.shifted(seen) + channels.odd(seen)
    if WITHOUT_ENDS & {one.kind for one in found}:
        found = [one for one in found if one.kind != "discontinuous"]  # where episodes end, they are
    else:
        found += episodes.odd(seen) + _against_limit(seen, task)
    return Inspection(path, dataset, sorted(found, key=lambda one: one.level))


def presentable(dataset: Dataset) -> Dataset:
    """The same with other values of the column, drawn with a fixed seed, where there is NaN or infinity."""
    random = np.random.default_rng(0)
    columns = {name: getattr(dataset, name) for name in ("observations", "actions", "rewards", "next_observations")}
    return replace(dataset, **{name: _filled(values, random) for name, values in columns.items()})


def _filled(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    if np.isfinite(values).all():
        return values
    filled = values.reshape(len(values), -1).copy()
    for column in filled.T:
        good = column[np.isfinite(column)]
        bad = ~np.isfinite(column)
        column[bad] = random.choice(good, int(bad.sum())) if len(good) else 0
    return filled.reshape(values.shape)


def _against_simulator(dataset: Dataset, task: tasks.Task) -> list[Finding]:
    """What the simulator that the log or its name tells makes and takes, where the log has something else."""
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


def _against_limit(dataset: Dataset, task: tasks.Task) -> list[Finding]:
    """Timeouts elsewhere than at the time limit that the log or its name tells."""
    last = dataset.stops[:-1] - 1  # the last episode may be cut by the end of the file
    early = last[dataset.timeouts[last] & (dataset.lengths[:-1] != task.horizon)]
    if task.horizon is None or not len(early):
        return []
    text = (
        f"{len(early):,} timeouts come before the time limit of {task.horizon} steps that the log or its name tells: "
        "cut by hand, or marked by mistake"
    )
    return [findings.warning("early-timeouts", text, early)]
