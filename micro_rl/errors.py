"""The two ways a run can end badly, each with the exit code the command line returns."""


class UserError(Exception):
    """Something the user can mend: one line that names the file, key or row and the remedy."""

    exit_code = 2


class Diverged(Exception):
    """Training produced values that are not finite; the message says what was kept and what to try."""

    exit_code = 3
