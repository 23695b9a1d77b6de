"""The plan of a choice: how far every candidate trains, made once and kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from micro_rl.errors import UserError
from micro_rl.selection import schedule, workers
from micro_rl.selection.field import Field
from micro_rl.selection.portfolio import COMMON
from micro_rl.selection.schedule import Schedule
from micro_rl.selection.watching import Watcher
from micro_rl.storage.json_files import read_json, write_json

PLAN = "plan.json"
FIRST = 2
"""Epochs that tell what one costs: the first is compiled, the second is timed."""


class Planned(NamedTuple):
    """Rungs, what an epoch of each candidate was seen to cost, how many processes train, and who failed at once."""

    schedule: Schedule
    costs: dict[str, float]
    workers: int
    failures: dict[str, str]


def make(field: Field, seconds: float, processes: int, rows: int, watcher: Watcher) -> Planned:
    """Fits the shared ensemble, trains every candidate for its first epochs, and deals out the rest of the time.

    Args:
        field: the candidates.
        seconds: for all of this and the rungs.
        processes: that train at once.
        rows: of the log that they learn from.
        watcher: sees how it goes.

    Raises:
        UserError: no candidate made an epoch.
    """
    watch = _watch(watcher, seconds)
    others = [task for task in field.training(dict.fromkeys(_names(field), FIRST)) if task.name not in _learners(field)]
    learners = [task for task in field.training(dict.fromkeys(_names(field), FIRST)) if task.name in _learners(field)]
    fit = field.fit(seconds, rows)
    failed = workers.carry_out([*fit, *others], field.folder / "tasks", processes, watch)
    if not any(failure.name == fit[0].name for failure in failed if fit):
        failed += workers.carry_out(learners, field.folder / "tasks", processes, watch)
    failures = {failure.name: failure.reason for failure in failed}
    for name, reason in failures.items():
        watcher.note(f"{name}: {reason}")
    costs = {name: field.cost(name) for name in _names(field) if field.epochs(name) >= FIRST}
    if not costs:
        raise UserError(f"choose: no candidate could be trained: {'; '.join(failures.values())}")
    begun = schedule.START * len(costs) + sum(field.seconds(name) for name in costs)
    left = max(0.0, seconds - field.fit_seconds(rows) - begun / processes)
    rungs = schedule.plan(costs, left, processes, COMMON["updates_per_epoch"])
    return Planned(rungs, costs, processes, failures)


def write(path: Path, planned: Planned) -> None:
    """Keep the plan, whole or not at all."""
    until, places = planned.schedule
    write_json(path, planned._asdict() | {"schedule": {"until": list(until), "places": list(places)}})


def read(path: Path, field: Field) -> Planned:
    """A plan that was kept.

    Raises:
        UserError: it is damaged, or of other candidates.
    """
    kept = read_json(path)
    try:
        until, places = kept["schedule"]["until"], kept["schedule"]["places"]
        rungs = Schedule(tuple({name: int(epoch) for name, epoch in row.items()} for row in until), tuple(places))
        planned = Planned(rungs, dict(kept["costs"]), int(kept["workers"]), dict(kept["failures"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: is no plan of a choice ({error!r}); make one anew in another folder") from error
    if unknown := sorted(set(planned.costs) - set(_names(field))):
        raise UserError(f"{path}: is the plan of another log or time: {unknown[0]} is no candidate here")
    return planned


def _names(field: Field) -> list[str]:
    return [candidate.name for candidate in field.candidates]


def _learners(field: Field) -> set[str]:
    return {candidate.name for candidate in field.candidates if candidate.learns_model}


def _watch(watcher: Watcher, seconds: float) -> Any:
    def watch(running: Any) -> None:
        names: Mapping[str, None] = dict.fromkeys(task.name for task in running)
        watcher.at_work(f"first epochs: {', '.join(names)}", 0.1, seconds)

    return watch
