"""Everything that can be said against a log: what keeps it from being used, and what a person should look at."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from micro_rl.core import tasks
from micro_rl.data import loading, log_paths
from micro_rl.data.checks import channels, episodes, findings, order
from micro_rl.data.checks.findings import Finding
from micro_rl.data.checks.presentable import presentable
from micro_rl.data.dataset import Dataset
from micro_rl.data.read_options import NO_OPTIONS, ReadOptions
from micro_rl.errors import UserError

WITHOUT_ENDS = frozenset({"no-timeouts", "no-ends"})


class Inspection(NamedTuple):
    """A log with its findings; `dataset` is None where the file cannot even be read.

    `standing` are the rows at which the file's time stands still, where it has times.
    """

    path: Path
    dataset: Dataset | None
    findings: list[Finding]
    standing: Bool[np.ndarray, " row"] | None = None

    def count(self, level: str) -> int:
        """Counts errors, or warnings."""
        return sum(finding.level == level for finding in self.findings)


def inspect(
    log: str | Path, reading: ReadOptions = NO_OPTIONS, against: Callable[[Dataset], list[Finding]] | None = None
) -> Inspection:
    """Checks a log from every side.

    Args:
        log: a path or a name, as of `micro_rl.load`.
        reading: what a table's columns are, and more.
        against: compares the log with its simulator; `micro_rl.simulation.log_check.inspect` gives it. The errors are
            then those for which training refuses the log, no more and no fewer.

    Returns:
        The log and its findings, errors first.

    Raises:
        UserError: there is no file of that name; whatever else is wrong is a finding.
    """
    path = log_paths.locate(log)
    named = tasks.find(log_paths.log_name(path))
    try:
        dataset, problems, standing = loading.examine(path, reading=reading, usual_horizon=named.horizon)
    except UserError as error:
        return Inspection(path, None, [findings.error("unreadable", str(error).removeprefix(f"{path}: "))])
    problems = [*problems, *(against(dataset) if against else [])]
    if any(problem.kind == "no-bounds" for problem in problems):
        problems = [problem for problem in problems if problem.kind != "bounds-differ"]  # nobody told any
    finite = presentable(dataset)
    problems += order.shifted(finite) + channels.odd(finite)
    if WITHOUT_ENDS & {problem.kind for problem in problems}:
        problems = [problem for problem in problems if problem.kind != "discontinuous"]  # where episodes end, they are
    else:
        problems += episodes.odd(finite)
    return Inspection(path, dataset, sorted(problems, key=lambda problem: problem.level), standing)
