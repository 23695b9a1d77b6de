"""What differs between the plan a run was begun with and another one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from micro_rl.errors import UserError

PARTS = ("log", "method", "options", "settings", "task")
HARMLESS = ("path", "name", "checkpoint_every", "fit_checkpoint_seconds")
"""Where the log lies and what it is called, and how often a state is saved: none of it changes a bit of the outcome."""


def differences(kept: Mapping[str, Any], now: Mapping[str, Any], usual: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Which part differs, and how. `usual` holds the defaults: what a run lacks was not yet a choice when it began."""
    found = []
    for part in PARTS:
        before, after = _plain(kept.get(part)), _plain(now.get(part))
        if isinstance(before, dict) and isinstance(after, dict):
            known = {**_plain(usual.get(part, {})), **before}
            found += [
                (part, f"{name}: {known[name]}, now {after.get(name)}")
                for name in known
                if name not in HARMLESS and known[name] != after.get(name)
            ]
        elif before != after:
            found.append((part, f"{before}, now {after}"))
    return found


def refuse_another(kept: Mapping[str, Any], now: Mapping[str, Any], usual: Mapping[str, Any], path: Path) -> None:
    """`UserError` naming what differs, where a run in `path` is to go on with another plan."""
    found = differences(kept, now, usual)
    if found:
        first = found[0][0]
        told = ", ".join(text for part, text in found if part == first)
        raise UserError(
            f"{path}: was begun with another {first} ({told}); resume with the same, "
            "or name a new folder with --branch to go on there from the newest checkpoint"
        )


def _plain(part: Any) -> Any:
    """As JSON gives it back."""
    if isinstance(part, Mapping):
        return {key: _plain(value) for key, value in part.items()}
    return [_plain(value) for value in part] if isinstance(part, tuple | list) else part
