"""How a sweep on a cluster looks: one bar over all epochs of all runs; lines where the output is piped."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from micro_rl.cli.bar import Bar
from micro_rl.cli.commands.console import say
from micro_rl.cluster.tasks import Outcome
from micro_rl.cluster.watching import Watcher
from micro_rl.core.metric_keys import SHOWN_SCORES, metric_label
from micro_rl.core.wording import clock, figure, plural
from micro_rl.errors import UserError
from micro_rl.storage.json_files import parse_json
from micro_rl.training.grid import Trial

SECONDS = 2.0
"""Between looks into the runs' folders."""
QUIET = 30.0
"""Seconds between lines where the output is piped."""
SHOWN = 4
"""Runs at work that are named in a line."""


class ClusterDisplay(Bar, Watcher):
    """Shows a sweep on a console; use it in a `with`."""

    def __init__(self, trials: Sequence[Trial], until: int | None, console: Console, heading: str):
        super().__init__(console)
        self._heading = heading
        self._console, self._began = console, time.monotonic()
        self._ends = {own.name: min(until or own.plan.settings.epochs, own.plan.settings.epochs) for own in trials}
        self._curves = {own.name: _Curve() for own in trials}
        self._before: float | None = None
        self._looked = self._printed = self._began

    def begins(self) -> None:
        """Print what is begun."""
        say(self._console, self._heading)

    def note(self, text: str) -> None:
        """Print a line."""
        self._console.print(Text(f"note: {text}", style="yellow"), soft_wrap=True)

    def ended(self, outcome: Outcome) -> None:
        """Print how a run ended."""
        line = f": {outcome.line}" if outcome.line else ""
        say(self._console, f"{outcome.end:8}{outcome.name}{line}")

    def look(self, folder: Path, outcomes: Mapping[str, Outcome]) -> None:
        """Read how far the runs are, and move the bar, or print a line now and then."""
        now = time.monotonic()
        if now - self._looked < SECONDS:
            return
        self._looked = now
        going = [name for name in self._ends if name not in outcomes]
        rows = {name: self._curves[name].newest(folder / name / "metrics.jsonl") for name in going}
        epochs = {name: int(row.get("epoch", 0)) for name, row in rows.items()}
        done = sum(self._ends[name] for name in self._ends if name in outcomes) + sum(epochs.values())
        self._before = done if self._before is None else self._before
        share = done / max(1, sum(self._ends.values()))
        line = f"{len(outcomes)} of {plural(len(self._ends), 'run')} over{self._at_work(rows)}{self._left(done, now)}"
        if not self.move(share, line) and now - self._printed > QUIET:
            self._printed = now
            say(self._console, f"{clock(now - self._began)}  {100 * share:3.0f} %  {line}")

    def _at_work(self, rows: Mapping[str, dict[str, float]]) -> str:
        going = [f"{name} {int(row['epoch'])}/{self._ends[name]}{_score(row)}" for name, row in rows.items() if row]
        more = f" and {len(going) - SHOWN} more" if len(going) > SHOWN else ""
        return f"; {', '.join(going[:SHOWN])}{more}" if going else ""

    def _left(self, done: int, now: float) -> str:
        """By the pace since the beginning."""
        gone = done - (self._before or 0)
        total = sum(self._ends.values())
        return f"; about {clock((now - self._began) / gone * (total - done))} left" if gone > 0 else ""


class _Curve:
    """A run's metrics while it is at work, of which every look reads what is new alone."""

    def __init__(self) -> None:
        self._read, self._last = 0, dict[str, float]()

    def newest(self, path: Path) -> dict[str, float]:
        """The newest row with what the last evaluation said; empty where there is none."""
        with suppress(OSError):  # not there yet
            size = path.stat().st_size
            if size < self._read:  # begun again from an older checkpoint
                self._read, self._last = 0, {}
            if size > self._read:
                with path.open("rb") as file:
                    file.seek(self._read)
                    self._take(file.read())
        return self._last

    def _take(self, text: bytes) -> None:
        *lines, torn = text.split(b"\n")
        self._read += len(text) - len(torn)
        for line in lines:
            with suppress(UserError):  # whoever opens the run is told
                row = parse_json(line, "metrics.jsonl")
                self._last |= {key: float(row[key]) for key in ("epoch", *SHOWN_SCORES) if key in row}


def _score(row: Mapping[str, float]) -> str:
    key = next((key for key in SHOWN_SCORES if key in row), None)
    return "" if key is None else f" ({metric_label(key)} {figure(row[key])})"
