"""What differs between the plan a run was begun with and another one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from micro_rl.errors import UserError
from micro_rl.storage.json_files import json_round_trip

PARTS = ("log", "method", "method_source", "options", "settings", "task")
HARMLESS = ("path", "name", "reference", "checkpoint_every", "fit_checkpoint_seconds")
"""Where the log or the method lies, what the log is called, how often a state is saved: no bit hangs on them."""
SCORES = ("score_min", "score_max")
"""A run that had them may go on without: episodes of another time limit than the task's had scores once."""

RULE = "termination_rule"
"""What a Python function that ends episodes says of the log's rows; earlier runs do not tell."""
BRANCH = "name a new folder with --branch to go on there from the newest checkpoint"
"""The way on of `micro-rl train` under another plan."""


def differences(
    saved: Mapping[str, Any], current: Mapping[str, Any], defaults: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Compare two configurations part by part, as JSON holds them.

    Args:
        saved: the configuration that a run was begun with.
        current: the one that it is to go on with.
        defaults: what a setting has that `saved` lacks, for it was not yet a choice when the run began; of one that
            is a table, what each of its entries has that either lacks.

    Returns:
        Pairs of the part that differs (one of `PARTS`, or `RULE`) and how, in words.
    """
    changes = []
    for part in PARTS:
        before, after = json_round_trip(saved.get(part)), json_round_trip(current.get(part))
        if isinstance(before, dict) and isinstance(after, dict):
            usual = json_round_trip(defaults.get(part, {}))
            known = {name: {} if isinstance(value, dict) else value for name, value in usual.items()} | before
            changes += [
                (part, f"{name}: {known[name]}, now {after.get(name)}")
                for name in known
                if _differs(name, known[name], after.get(name), usual.get(name))
            ]
        elif before != after:
            changes.append((part, f"{before}, now {after}"))
    return changes + _other_rule(saved.get(RULE), current.get(RULE), changes)


def _other_rule(before: Any, after: Any, changes: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What another function of the same name is told by, on the same log."""
    if before is None or after is None or before == after or any(part == "log" for part, _ in changes):
        return []
    return [(RULE, f"{before}, now {after}")]


def _differs(name: str, before: Any, after: Any, usual: Any) -> bool:
    """Whether a run must not go on with the one in the place of the other."""
    if name in HARMLESS or (name in SCORES and after is None):
        return False
    if isinstance(usual, dict) and isinstance(before, dict) and isinstance(after, dict):
        return usual | before != usual | after
    return before != after


def require_same_config(
    saved: Mapping[str, Any], current: Mapping[str, Any], defaults: Mapping[str, Any], path: Path, way: str = BRANCH
) -> None:
    """Refuse to go on in a run folder with another plan.

    Args:
        saved, current, defaults: as in `differences`.
        path: the run folder, for the error.
        way: what to do where the plan is meant to be another one.

    Raises:
        UserError: where the configurations differ; it names the first part that does.
    """
    changes = differences(saved, current, defaults)
    if changes:
        first = changes[0][0]
        other = "other" if first in ("options", "settings") else "another"
        listing = ", ".join(text for part, text in changes if part == first)
        raise UserError(
            f"{path}: was begun with {other} {first.replace('_', ' ')} ({listing}); resume with the same, or {way}"
        )
