"""What was asked of a choice, and its folder, which remembers that."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from micro_rl.data import Dataset
from micro_rl.data.taking import content
from micro_rl.errors import UserError
from micro_rl.selection.judge_effort import thorough
from micro_rl.storage.files import saving
from micro_rl.storage.json_files import json_round_trip, read_json, write_json
from micro_rl.trust.current import actions_in
from micro_rl.trust.front import conditions
from micro_rl.trust.options import Groups, Options

FEWEST_MINUTES = 5.0
"""The judge, the shared fit and the first epochs take a few minutes of any log."""
QUESTION, READING = "question.json", "reading"
ASKED = 100
"""Rows of the log in which the current policy is asked what it does, to know it again."""


class Question(NamedTuple):
    """What may be chosen; the names are those of the command line."""

    minutes: float = 60.0
    window: str | int | None = None
    groups: Groups | None = None
    limits: tuple[str, ...] = ()
    current: Any = None
    termination: str | None = None
    seed: int = 0
    plan: Path | None = None
    """The plan of another choice, to be made anew to its epochs."""
    known_reward: str | None = None

    def options(self, dataset: Dataset, folder: Path) -> Options:
        """What the judge is asked."""
        limits = conditions(dataset, self.limits)
        effort = thorough(float(self.minutes), len(dataset))
        return Options(
            self.window,
            self.groups,
            limits,
            self.termination,
            self.seed,
            self.current,
            effort=effort,
            folder=folder,
            known_reward=self.known_reward,
        )

    def kept(self, dataset: Dataset) -> dict[str, Any]:
        """What decides the outcome, as JSON."""
        return json_round_trip(
            {
                "log": content(dataset),
                READING: reading(dataset),
                "minutes": self.minutes,
                "window": self.window,
                "groups": self.groups if self.groups is None or isinstance(self.groups, str) else list(self.groups),
                "limits": list(self.limits),
                "current": None if self.current is None else answers(self.current, dataset),
                "termination": self.termination,
                "known_reward": self.known_reward,
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
        UserError: it is a file, is taken, or was asked something else.
    """
    path = folder / QUESTION
    refuse_file(folder)
    if folder.exists() and any(folder.iterdir()):
        if not path.exists():
            raise UserError(f"{folder}: is not empty; choose another folder with --out")
        if not resume:
            raise UserError(f"{folder}: is not empty; go on with --resume or choose another folder with --out")
        before = read_json(path)
        if changed := asked_otherwise(before, question):
            raise UserError(
                f"{folder}: was asked with another {', '.join(changed)}; ask the same, or choose another folder with "
                "--out"
            )
        return
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(path, question)


def refuse_file(folder: Path) -> None:
    """Refuse a file where a folder should be; `UserError`."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; name a folder with --out")


def reading(dataset: Dataset) -> dict[str, Any]:
    """How the log's rows are understood, as JSON: what decides the outcome beside the rows themselves."""
    labels, rule = dataset.row_groups, dataset.termination
    return json_round_trip(
        {
            "action_bounds": [dataset.action_low.tolist(), dataset.action_high.tolist()],
            "columns": [[[own.name, own.unit] for own in columns] for columns in dataset.columns],
            "exogenous": dataset.exogenous,
            "groups": None if labels is None else sha256(repr(labels.tolist()).encode()).hexdigest(),
            "horizon": dataset.task.horizon,
            "step_seconds": dataset.step_seconds,
            "termination": [None if rule is None else rule.text, dataset.task.termination],
        }
    )


def asked_otherwise(before: Mapping[str, Any], question: Mapping[str, Any]) -> list[str]:
    """What differs between two questions, in words; the reading only where both tell it: older ones do not."""
    changed = [name for name in sorted(question) if name != READING and before.get(name) != question[name]]
    own, other = (asked.get(READING) for asked in (question, before))
    if isinstance(own, dict) and isinstance(other, dict):
        parts = [part for part in own if other.get(part) != own[part]]
        changed += [f"reading of the log ({', '.join(parts)})"] if parts else []
    return changed


def answers(current: Callable[[Any], Any] | Any, dataset: Dataset) -> str:
    """What a current policy does in some of the rows that can be learned from, as a SHA-256.

    Args:
        current: a function of one raw observation [obs], or actions [row, act].
        dataset: the log, single observations.

    Raises:
        UserError: it fails, or gives no finite action for each row.
    """
    usable = np.flatnonzero(dataset.usable)
    rows = usable if len(usable) else np.arange(len(dataset))
    some = rows[np.linspace(0, len(rows) - 1, min(ASKED, len(rows))).round().astype(int)]
    return sha256(actions_in(current, dataset, some).tobytes()).hexdigest()
