"""Where commands print."""

import shlex
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def typed() -> str:
    """The command line as it was given."""
    return shlex.join(["micro-rl", *sys.argv[1:]])


def console() -> "Console":
    """The terminal, or wide plain lines where the output is piped."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200)


def say(screen: "Console", text: str) -> None:
    """Print one line as it stands: not wrapped, not coloured, brackets no markup."""
    screen.print(text, soft_wrap=True, highlight=False, markup=False)
