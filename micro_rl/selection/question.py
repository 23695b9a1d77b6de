"""What was asked of a choice, and its folder, which remembers that."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from micro_rl.core.expression import parse
from micro_rl.data import Dataset
from micro_rl.errors import UserError
from micro_rl.storage.json_files import json_round_trip, read_json, write_json
from micro_rl.trust.options import Options

FEWEST_MINUTES = 2.0
QUESTION = "question.json"


class Question(NamedTuple):
    """What may be chosen; the names are those of the command line."""

    minutes: float = 60.0
    window: str | int | None = None
    groups: str | Sequence[Any] | None = None
    limits: tuple[str, ...] = ()
    current: Any = None
    termination: str | None = None
    seed: int = 0
    plan: Path | None = None
    """The plan of another choice, to be made anew to its epochs."""

    def options(self, dataset: Dataset, folder: Path) -> Options:
        """What the judge is asked."""
        columns = [column.name for column in dataset.columns.observations]
        limits = tuple(parse(text, columns, "limits") for text in self.limits)
        for limit in limits:
            if not limit.condition:
                raise UserError(f"limits: {limit.text!r} is a number, not a condition; compare it, as in x <= 3")
        return Options(self.window, self.groups, limits, self.termination, self.seed, self.current, folder=folder)

    def kept(self, dataset: Dataset) -> dict[str, Any]:
        """What decides the outcome, as JSON."""
        return json_round_trip(
            {
                "log": dataset.sha256,
                "minutes": self.minutes,
                "window": self.window,
                "groups": self.groups if self.groups is None or isinstance(self.groups, str) else "labels",
                "limits": list(self.limits),
                "current": self.current is not None,
                "termination": self.termination,
                "seed": self.seed,
                "plan": None if self.plan is None else read_json(self.plan),
            }
        )


def check(question: Question) -> None:
    """Refuse what cannot be.

    Raises:
        UserError: in one line.
    """
    if not question.minutes >= FEWEST_MINUTES or question.minutes == float("inf"):
        raise UserError(f"minutes: {question.minutes:g} cannot be; take {FEWEST_MINUTES:g} or more")


def enter(folder: Path, question: dict[str, Any], resume: bool) -> None:
    """Makes the folder, or goes on in one that was asked the same.

    Raises:
        UserError: it is taken, or was asked something else.
    """
    path = folder / QUESTION
    if folder.exists() and any(folder.iterdir()):
        if not path.exists():
            raise UserError(f"{folder}: is not empty; choose another folder with --out")
        if not resume:
            raise UserError(f"{folder}: is not empty; go on with --resume or choose another folder with --out")
        before = read_json(path)
        changed = sorted(name for name in question if before.get(name) != question[name])
        if changed:
            raise UserError(
                f"{folder}: was asked with another {', '.join(changed)}; ask the same, or choose another folder with "
                "--out"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, question)
