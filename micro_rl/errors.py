"""The two ways a run can end badly, each with the exit code the command line returns."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can mend: one line that names the file, key or row and the remedy."""

    exit_code = 2


class Diverged(Exception):
    """Training produced values that are not finite; the message says what was kept and what to try."""

    exit_code = 3


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """The nearest choice as a clause to put into a message, " (did you mean 'beta'?)"; empty where none is near."""
    near = difflib.get_close_matches(name, list(choices), n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
