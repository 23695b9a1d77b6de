"""Where commands print."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console() -> "Console":
    """The terminal, or wide plain lines where the output is piped."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200)
