"""What a sweep on a cluster left in its folders, as a sweep on this machine gives it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from micro_rl.cluster.sweep import carry_out
from micro_rl.cluster.tasks import DIVERGED, FAILED, STOPPED, Outcome
from micro_rl.cluster.watching import Watcher
from micro_rl.core.wording import plural
from micro_rl.errors import Diverged, UserError
from micro_rl.policy import Policy
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.grid import Trial
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.job import Run


def results(folder: Path, outcomes: Mapping[str, Outcome]) -> dict[str, Run | Diverged]:
    """Each run, read from its folder, or the error of one that diverged; those that failed are not among them."""
    there = {name: own for name, own in outcomes.items() if own.end not in (FAILED, STOPPED)}
    return {name: Diverged(own.line) if own.end == DIVERGED else run_in(folder / name) for name, own in there.items()}


def refuse_failures(outcomes: Mapping[str, Outcome]) -> None:
    """Raise for the runs that came to nothing without having diverged; those beside them that did are named, too.

    Raises:
        UserError: names the first of each kind, and why. Its exit code outranks that of diverged runs, which says that
            all others are done.
    """
    bad = [own for own in outcomes.values() if own.end in (FAILED, STOPPED)]
    wild = [own for own in outcomes.values() if own.end == DIVERGED]
    if bad:
        line = f"{len(bad)} of {plural(len(outcomes), 'run')} came to nothing ({bad[0].name}: {bad[0].line})"
        more = f", {len(wild)} diverged ({wild[0].name}: {wild[0].line})" if wild else ""
        raise UserError(f"{line}{more}, the others are done")


def run_in(path: Path) -> Run:
    """The finished run of a folder."""
    run = RunFolder.open(path)
    return Run(run.path, Policy.load(run.path / "policy.safetensors"), run.scores(), run.metrics())


def sweep_on_cluster(trials: Sequence[Trial], folder: Path, where: str, **more: Any) -> dict[str, Run | Diverged]:
    """Carry a sweep out on a cluster without a word, and read what it left.

    Args:
        trials: its runs.
        folder: of all runs' folders.
        where: the cluster.
        more: as `cluster.sweep.carry_out` takes it.

    Raises:
        UserError: a run came to nothing without having diverged; the others are done.
    """
    outcomes = carry_out(trials, folder, where, watcher=Watcher(), interrupts=Interrupts(), **more)
    refuse_failures(outcomes)
    return results(folder, outcomes)
