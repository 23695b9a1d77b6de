"""Where commands print."""

import os
import shlex
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def print_always() -> None:
    """Let no character that a console lacks, and no console that is not there, end the work.

    Python's own choice for stdout is to raise; what a user chose otherwise (PYTHONIOENCODING=ascii:backslashreplace)
    stays. Its stderr never raises.
    """
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if stream is None:  # closed before Python began
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
        elif getattr(stream, "errors", "") in ("strict", "surrogateescape") and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def print_for_machines(text: str, end: str = "\n") -> None:
    """Print tables and JSON in UTF-8, whatever the console's own letters are; a name that is no text has `?` there."""
    sys.stdout.flush()
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        print(text, end=end)
        return
    buffer.write((text + end).encode("utf-8", "replace"))
    buffer.flush()


def typed() -> str:
    """The command line as it was given."""
    return shlex.join(["micro-rl", *sys.argv[1:]])


def console() -> "Console":
    """The terminal, or wide plain lines where the output is piped."""
    from rich.console import Console

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            raise  # and `main` ends the command; rich would, with 1

    return Piped(width=None if sys.stdout.isatty() else 200)


def say(screen: "Console", text: str) -> None:
    """Print one line as it stands: not wrapped, not coloured, brackets no markup."""
    screen.print(text, soft_wrap=True, highlight=False, markup=False)
