"""The plan of a choice: how far every candidate trains, made when it is known and kept."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import PositiveFloat, PositiveInt, TypeAdapter, ValidationError

from micro_rl.errors import UserError
from micro_rl.selection import schedule
from micro_rl.selection.clock import Clock
from micro_rl.selection.field import MODEL, Field
from micro_rl.selection.portfolio import COMMON
from micro_rl.selection.question import asked_otherwise
from micro_rl.selection.schedule import Schedule
from micro_rl.selection.task import Task
from micro_rl.selection.watching import Watcher
from micro_rl.selection.workers import Failure
from micro_rl.storage.json_files import read_json, write_json

PLAN = "plan.json"
ANEW = "make one anew in another folder"
FIRST = 2
"""Epochs that tell what one costs: the first is compiled, the second is timed."""


class Planned(NamedTuple):
    """Rungs, what an epoch of each candidate was seen to cost, how many processes train, and who failed at once.

    `asked` is what it is the plan of: the log and how it is read, the minutes and the seed. No rung is added to a plan
    that is final.
    """

    schedule: Schedule
    costs: dict[str, PositiveFloat]
    workers: PositiveInt
    failures: dict[str, str]
    asked: dict[str, Any]
    final: bool = False


def begin(field: Field, minutes: float, processes: int, rows: int, watcher: Watcher, clock: Clock) -> dict[str, str]:
    """Fits the shared ensemble and trains every candidate for its first epochs, as far as that is not done.

    Args:
        field: the candidates.
        minutes: that everything may take.
        processes: that train at once.
        rows: of the log that they learn from.
        watcher: sees how it goes.
        clock: tells how much is left.

    Returns:
        Why candidates came to nothing, by name.
    """

    def watch(running: Sequence[Task]) -> None:
        names = ", ".join(task.name for task in running)
        watcher.at_work(f"first epochs: {names}", max(0.0, 60 * minutes - clock.seconds))

    first = field.training({name: FIRST for name in field.names if field.epochs(name) < FIRST})
    learners = {candidate.name for candidate in field.candidates if candidate.learns_model}
    fit = field.fit(60 * minutes, rows)
    failed = field.crew.carry_out(
        [*fit, *(task for task in first if task.name not in learners)], field.folder / "tasks", processes, watch
    )
    broken = [failure for failure in failed if failure.name == MODEL]
    if broken:
        failed += [Failure(name, f"its model: {broken[0].reason}") for name in sorted(learners)]
    else:
        after_fit = [task for task in first if task.name in learners]
        failed += field.crew.carry_out(after_fit, field.folder / "tasks", processes, watch)
    return {failure.name: failure.reason for failure in failed if failure.name != MODEL}


def make(
    field: Field, seconds: float, processes: int, rows: int, failures: dict[str, str], asked: dict[str, Any]
) -> Planned:
    """Deals out the time by what the first epochs cost.

    Args:
        field: the candidates, begun.
        seconds: for fit, first epochs and rungs.
        processes: that train at once.
        rows: of the log that they learn from.
        failures: who came to nothing.
        asked: what it is the plan of.

    Raises:
        UserError: no candidate made an epoch.
    """
    costs = {name: field.cost(name) for name in field.names if field.epochs(name) >= FIRST and name not in failures}
    if not costs:
        raise UserError(f"choose: no candidate could be trained: {'; '.join(failures.values())}")
    begun = schedule.START * len(costs) + sum(field.first_seconds(name, FIRST) for name in costs)
    left = max(0.0, seconds - field.fit_seconds(rows) - begun / processes)
    rungs = schedule.plan(costs, left, processes, COMMON["updates_per_epoch"])
    return Planned(rungs, costs, processes, failures, asked)


def further(planned: Planned, going: Sequence[str], rising: Sequence[str], spare: float) -> Planned:
    """Add a rung where somebody still rises and there is time for it; else the plan is final.

    Args:
        planned: the plan, of which all rungs are over.
        going: who came out of the last one.
        rising: those of them that it brought above all before.
        spare: seconds that are left for training.
    """
    about = (planned.schedule, planned.costs, going, spare, planned.workers, COMMON["updates_per_epoch"])
    longer = schedule.longer(*about) if rising else None
    return planned._replace(final=True) if longer is None else planned._replace(schedule=longer)


def write(path: Path, planned: Planned) -> None:
    """Keep the plan, whole or not at all."""
    until, places = planned.schedule
    write_json(path, planned._asdict() | {"schedule": {"until": list(until), "places": list(places)}})


def read(path: Path, names: Sequence[str], asked: dict[str, Any]) -> Planned:
    """A plan that was kept.

    Args:
        path: its file.
        names: of the candidates that there are.
        asked: what it should be the plan of.

    Raises:
        UserError: it is damaged, of another question, or of other candidates.
    """
    planned = _checked(path, read_json(path))
    if changed := asked_otherwise(planned.asked, asked):
        raise UserError(f"{path}: is the plan of another {' and '.join(changed)}; ask the same, or leave --plan out")
    if unknown := sorted(set(planned.costs) - set(names)):
        raise UserError(f"{path}: {unknown[0]} is no candidate here; leave --plan out")
    if lacking := [name for row in planned.schedule.until for name in planned.costs if name not in row]:
        raise UserError(f"{path}: is no plan of a choice (a rung tells no epochs of {lacking[0]}); {ANEW}")
    return planned


def _checked(path: Path, kept: dict[str, Any]) -> Planned:
    """What a file holds as a plan; one that does not say whether it is final is an old one, and is."""
    try:
        known = {name: value for name, value in kept.items() if name in Planned._fields}
        planned = TypeAdapter(Planned).validate_python({"final": True} | known)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(key) for key in first["loc"])
        raise UserError(f"{path}: is no plan of a choice ({where}: {first['msg']}); {ANEW}") from error
    until, places = planned.schedule
    if not planned.costs or not until or len(until) != len(places):
        raise UserError(f"{path}: is no plan of a choice (no candidate, or no places for each rung); {ANEW}")
    return planned
