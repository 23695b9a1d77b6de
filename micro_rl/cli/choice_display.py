"""How a choice looks while it goes: a bar on a terminal, lines elsewhere; the ranking after every rung."""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from micro_rl.cli.bar import Bar
from micro_rl.cli.commands.console import say
from micro_rl.core.wording import clock, number
from micro_rl.selection.scoring import Scored
from micro_rl.selection.watching import Watcher

QUIET = 60
"""Seconds between lines of one stage where the output is piped."""


class ChoiceDisplay(Bar, Watcher):
    """Shows a choice on a console; use it in a `with`."""

    def __init__(self, console: Console):
        super().__init__(console)
        self._console, self._began = console, time.monotonic()
        self._stage, self._last = "", 0.0

    def looked(self, lines: Sequence[tuple[str, str]]) -> None:
        """Print what the log is, a line each."""
        for word, text in lines:
            say(self._console, f"{word:10}{text}")

    def note(self, text: str) -> None:
        """Print a line."""
        say(self._console, text)

    def at_work(self, what: str, left: float) -> None:
        """Move the bar; where there is none, print a line at each stage's beginning and once a minute."""
        spent, stage = time.monotonic() - self._began, what.partition(":")[0]
        share = spent / max(spent + left, 1e-9)
        after = f"{what}; about {clock(left)} left"
        if not self.move(share, after) and (stage != self._stage or spent - self._last > QUIET):
            self._stage, self._last = stage, spent
            say(self._console, f"{clock(spent)}  {100 * share:3.0f} %  {after}")

    def ranked(self, rung: int, of: int, best: Sequence[Scored]) -> None:
        """Print the ranking, the best in front."""
        say(self._console, f"after rung {rung} of {of}, by the judge's model, in the order of what may be believed:")
        table = Table(box=None, pad_edge=False)
        for name in ("candidate", "epoch", "difference a window", "interval"):
            table.add_column(name, justify="left" if name == "candidate" else "right")
        for own in best:
            table.add_row(
                Text(own.candidate), f"{own.epoch:,}", number(own.mean), f"{number(own.low)} to {number(own.high)}"
            )
        self._console.print(table)
