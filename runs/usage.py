"""The words after a script's name, or how it is used."""

import sys


def words(documentation: str | None, least: int) -> list[str]:
    """Gives the words of the command line.

    Args:
        documentation: The script's `__doc__`, which names its arguments.
        least: How many there must be.

    Returns:
        All of them.

    Raises:
        SystemExit: There are fewer: the script's text is printed, and the exit code is 2.
    """
    if len(sys.argv) <= least:
        print(documentation, file=sys.stderr)
        raise SystemExit(2)
    return sys.argv[1:]
