"""Errors a person can act on, each with the exit code the command line returns."""

import difflib
import signal
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType


class UserError(Exception):
    """Something the user can mend: one line that names the file, key or row and the remedy."""

    exit_code = 2


class Diverged(Exception):
    """Training produced values that are not finite; the message says what was kept and what to try."""

    exit_code = 3


class Interrupted(Exception):
    """SIGINT or SIGTERM stopped a run; the message says what was saved."""

    def __init__(self, number: int, saved: str):
        super().__init__(f"stopped by {signal.Signals(number).name}; {saved}")
        self.exit_code = 128 + number


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """The nearest choice as a clause to put into a message, " (did you mean 'beta'?)"; empty where none is near."""
    near = difflib.get_close_matches(name, list(choices), n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""


def require_extra(module: str, extra: str, purpose: str) -> ModuleType:
    """The module of an optional dependency; `UserError` with the command that installs it where it is missing."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.split(".")[0] != error.name.split(".")[0]:
            raise
        raise UserError(
            f"{purpose} needs {error.name}, which is not installed: pip install 'micro-rl[{extra}]'"
        ) from None
