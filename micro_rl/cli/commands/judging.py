"""What may be said about how policies are judged, by every verb that judges some."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from micro_rl.errors import UserError, in_words


@dataclass(frozen=True)
class Judging:
    """By what to judge."""

    window: str | None = None
    """Steps of a window, or a time such as 8h or 1d; by default as many as leave enough windows."""
    groups: str | None = None
    """Parts of the log that the judge is tested on: time, behaviour, clusters, or a column of the file that names them;
    by default the group that its TOML names, else time."""
    limits: tuple[str, ...] = ()
    """Conditions on the raw observations that should hold, such as "o8 <= 3.2"."""
    current_policy: str | None = None
    """What acts today, to be beaten: FILE.py:FUNCTION, from one raw observation to an action, or the columns of the
    log's table that hold what it would do, one for each action, with commas between."""
    termination: str | None = None
    """When episodes end, as for training; by default as the log tells."""
    known_reward: str | None = None
    """What a step pays, where a formula is known, as for training."""
    seed: int = 0
    """Of everything random."""


def current_policy(reference: str | None) -> Any:
    """What FILE.py:FUNCTION names, the columns of the log as they are, None where there is no reference.

    Raises:
        UserError: the file cannot be run, or defines no such function.
    """
    import runpy

    if reference is None:
        return None
    path, _, name = reference.rpartition(":")
    if ".py" not in (Path(path).suffix, Path(reference).suffix):
        return reference
    if not Path(path).is_file():
        raise UserError(f"--current-policy {reference}: name a file and a function in it, as in mine.py:pi")
    try:
        names = runpy.run_path(path)
    except (Exception, SystemExit) as error:
        raise UserError(f"--current-policy {path}: {in_words(error)}") from error
    if not callable(names.get(name)):
        raise UserError(f"--current-policy {reference}: {path} defines no function {name!r}")
    return names[name]
