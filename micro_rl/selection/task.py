"""One process's work: fit the ensemble that candidates share, or train a candidate up to an epoch.

`python -m micro_rl.selection.task FILE` does what the JSON file says, and ends when whoever began it is gone.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

REFUSED = 74
"""Exit code where the disk refused a save: no fault of the task, which must not count as one that came to nothing."""


class Task(NamedTuple):
    """What a process does.

    `until` is None for a fit. `choices` are the keywords of `make_plan`, or the settings of a fit.
    """

    name: str
    log: str
    out: str
    method: str
    choices: dict[str, Any]
    seeds: tuple[int, ...]
    until: int | None


def main() -> None:
    """Carry out the task that a file holds; the exit code is the command line's, or `REFUSED`."""
    from micro_rl.errors import Diverged, Interrupted, UserError
    from micro_rl.storage.files import CannotWrite

    parent = int(sys.argv[2])
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    try:
        carry_out(read(Path(sys.argv[1])))
    except CannotWrite as error:
        print(error, file=sys.stderr)
        sys.exit(REFUSED)
    except (UserError, Diverged, Interrupted) as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def read(path: Path) -> Task:
    """The task in a file."""
    task = Task(**json.loads(path.read_text()))
    choices = {name: tuple(value) if isinstance(value, list) else value for name, value in task.choices.items()}
    return task._replace(choices=choices, seeds=tuple(task.seeds))


def carry_out(task: Task) -> None:
    """Do it; what is done already is not done again.

    Raises:
        UserError: the task cannot be done.
        Diverged: the fit, or every seed of the candidate, blew up.
        Interrupted: a signal came, and all is saved.
    """
    from micro_rl.training.interrupts import Interrupts

    with Interrupts() as interrupts:
        if task.until is None:
            _fit(task, interrupts)
        else:
            _train(task, interrupts)


def _fit(task: Task, interrupts: Any) -> None:
    from micro_rl.algorithms.registry import resolve
    from micro_rl.data import load
    from micro_rl.training.callbacks import Callback
    from micro_rl.training.model_fit import fit_to_folder

    if Path(task.out).exists():
        return
    settings, _ = resolve(task.method, task.choices["preset"], {k: v for k, v in task.choices.items() if k != "preset"})
    fit_to_folder(Path(task.out), load(task.log), settings, task.seeds[0], True, Callback(), interrupts, "choose")


def _train(task: Task, interrupts: Any) -> None:
    from micro_rl.errors import Diverged
    from micro_rl.training.grid import trials
    from micro_rl.training.plan import make_plan
    from micro_rl.training.sweep import carry_out

    plan = make_plan(task.log, task.method, seed=task.seeds[0], **task.choices)
    outcomes = carry_out(
        trials(plan, len(task.seeds), {}),
        Path(task.out),
        resume=True,
        until=task.until,
        interrupts=interrupts,
        command="choose",
    )
    errors = [outcome for outcome in outcomes.values() if isinstance(outcome, Diverged)]
    if len(errors) == len(outcomes):
        raise errors[0]


def _leave_with(parent: int) -> None:
    """End at once when the process that began this one was killed: nobody would collect what it makes."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
