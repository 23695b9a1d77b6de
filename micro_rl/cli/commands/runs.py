"""micro-rl runs: list the runs below a folder."""

from pathlib import Path
from typing import Any

from micro_rl.cli.commands.console import console, say

EXPLANATION = "List the runs below a folder: method, log, epoch, mean of the last ten evaluations, and state."


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from rich.markup import escape
    from rich.table import Table

    from micro_rl.cli.arguments import parse, shape
    from micro_rl.storage.run_index import RunSummary, runs_below

    inputs: Any = parse("runs", arguments, shape("Runs", EXPLANATION, ("folder", Path)))
    runs, screen = runs_below(inputs.folder), console()
    table = Table(box=None, pad_edge=False)
    columns = [name for name in RunSummary._fields if name != "note"]
    for name in columns:
        table.add_column("run" if name == "name" else name, overflow="fold")
    for summary in runs:
        table.add_row(*(escape(getattr(summary, name)) for name in columns))
    screen.print(table)
    for summary in runs:
        if summary.note:
            say(screen, f"unreadable: {summary.note}")
