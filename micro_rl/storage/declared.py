"""What a run folder may say of itself: the kinds of everything that is read from config.json and scores.json.

A folder may come from a stranger. Whoever reads one goes by this, so that a number is a number where it is used.
"""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from micro_rl.core.metric_keys import SCORE_KEYS
from micro_rl.core.settings import Settings
from micro_rl.core.tasks import Task
from micro_rl.errors import UserError

LONGEST = 1000
"""Characters of a text and parts of a list."""
OBJECTS = ("log", "task", "options", "settings", "versions")
TEXTS = ("method", "preset")
TASK = {"env": str, "horizon": int, "termination": str, "score_min": float, "score_max": float}
EVALUATED = ("mean_of_last", "std_of_last", "evaluations", "last", "best")
COUNTS = ("evaluations", "rows", "episodes")
OF_THE_LOG = ("return_mean", "return_best")


def check_config(config: Mapping[str, Any], path: Path) -> None:
    """`UserError` naming the first part that is not of its kind."""
    for name in OBJECTS:
        _require(isinstance(config.get(name, {}), dict), path, name)
        for key, value in config.get(name, {}).items():
            _require(_simple(value), path, f"{name}, {key!r:.40}")
    for name in TEXTS:
        _require(_text(config.get(name, "")), path, name)
    _require(isinstance(config.get("command", ""), str), path, "command")
    notes = config.get("notes", [])
    _require(isinstance(notes, list) and all(_text(note) for note in notes), path, "notes")
    for name in ("name", "path", "sha256", "format"):
        _require(_text(config.get("log", {}).get(name, "")), path, f"log, {name}")
    _check_task(config.get("task", {}), path)
    _check_settings(config.get("settings", {}), path)


def check_scores(scores: Mapping[str, Any], path: Path) -> None:
    """The same for scores.json."""
    for name in ("epochs", "planned_epochs"):
        _require(_number(scores.get(name, 0), int), path, name)
    for name, needed in (("log", OF_THE_LOG), *((name, EVALUATED) for name in SCORE_KEYS)):
        if name in scores:
            found = scores[name]
            _require(isinstance(found, dict) and set(needed) <= set(found), path, name)
            for key, value in found.items():
                _require(
                    _number(value, int if key in ("evaluations", "rows", "episodes") else float),
                    path,
                    f"{name}, {key!r:.40}",
                )


def _check_task(task: Mapping[str, Any], path: Path) -> None:
    """Every field of a `Task`, or none at all."""
    known = {field.name for field in fields(Task)}
    _require(not task or set(task) == known, path, "task")
    for name, value in task.items():
        kind = TASK[name]
        of_kind = _text(value) if kind is str else _number(value, kind)
        _require(value is None or (of_kind and (kind is not int or value >= 1)), path, f"task, {name}")


def _check_settings(settings: Mapping[str, Any], path: Path) -> None:
    """Those that this version knows are of the kind of their defaults."""
    for field in fields(Settings):
        if field.name not in settings:
            continue
        value, usual = settings[field.name], field.default
        if isinstance(usual, tuple):
            of_kind = isinstance(value, list) and all(_number(part, float) for part in value)
        elif usual is None:
            of_kind = value is None or _number(value, float)
        elif isinstance(usual, bool | str):
            of_kind = isinstance(value, type(usual))
        else:
            of_kind = _number(value, type(usual))
        _require(of_kind, path, f"settings, {field.name}")


def _simple(value: Any) -> bool:
    """A number, a text, nothing, or a list of those."""
    if isinstance(value, list):
        return len(value) <= LONGEST and all(not isinstance(part, list) and _simple(part) for part in value)
    return value is None or isinstance(value, bool) or _text(value) or _number(value, float)


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST


def _number(value: Any, kind: type) -> bool:
    """Whole numbers are at most as large as a counter; others may be NaN or infinite."""
    if type(value) is int:
        return abs(value) < 2**63
    return kind is float and type(value) is float


def _require(holds: bool, path: Path, name: str) -> None:
    if not holds:
        raise UserError(f"{path}: its {name} is not what a run writes there; restore it from a copy")
