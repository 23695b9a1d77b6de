"""How a sweep looks while it goes, and at its end."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from micro_rl.cli.display import SHOWN
from micro_rl.core.metric_keys import SHOWN_SCORES
from micro_rl.core.wording import clock
from micro_rl.errors import Diverged
from micro_rl.policy import Policy
from micro_rl.reports.run import write_page
from micro_rl.storage.jsonl import Row
from micro_rl.training.callbacks import Callback
from micro_rl.training.grid import Trial
from micro_rl.training.job import Run
from micro_rl.training.sweep import SweepCallback

SCORES = SHOWN[: len(SHOWN_SCORES)]
"""What a run is followed by: the first of them that its rows have."""


class SweepDisplay(SweepCallback):
    """Watches so many runs of `epochs` epochs on a console; use it in a `with`."""

    def __init__(self, runs: int, epochs: int, console: Console):
        self._runs, self._epochs, self._console = runs, epochs, console
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._began, self._passed, self._skipped = time.monotonic(), 0, 0
        self.said: set[str] = set()
        self._fits: dict[str, Row] = {}
        self._rows: dict[str, Row] = {}
        self._beside: list[str] = []
        self._fit_epoch = 0

    def __enter__(self) -> "SweepDisplay":
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def note(self, text: str) -> None:
        """A line of its own, once."""
        if text not in self.said:
            self.said.add(text)
            self._console.print(Text("note: " + text, style="yellow"), soft_wrap=True)

    def of(self, trial: Trial) -> Callback:
        """Passes on what happens to that run; those asked for one after another are made side by side."""
        if not self._beside:
            self._fits, self._rows, self._fit_epoch = {}, {}, 0
        self._beside.append(trial.name)
        return _OfRun(trial.name, self)

    def diverged(self, name: str, text: str) -> None:
        """A run that is not waited for any more."""
        self._skipped += self._epochs - int(self._rows[name]["epoch"] if name in self._rows else 0)
        self._beside.remove(name)
        self._console.print(Text(f"{name} diverged: {text}", style="red"), soft_wrap=True)

    def finished(self, name: str) -> None:
        """A run that is over, perhaps since an earlier process."""
        if name not in self._rows:
            self._skipped += self._epochs
        self._beside.remove(name)

    def fitted(self, name: str, row: Row) -> None:
        """A run's epoch of the dynamics fit; piped, one epoch in ten is told when the next one begins."""
        if row["epoch"] > self._fit_epoch:
            if self._fit_epoch % 10 == 1 and not self._live:
                self._console.print(self._fit_line(), soft_wrap=True, highlight=False)
            self._fit_epoch = int(row["epoch"])
        self._fits[name] = row
        if self._live:
            self._live.update(Text(f"{self._fit_line()}   {clock(time.monotonic() - self._began)}"))

    def _fit_line(self) -> str:
        errors = [fit["holdout/mean"] for fit in self._fits.values()]
        spread = f"{np.mean(errors):.5f} ({min(errors):.5f} to {max(errors):.5f})"
        return f"models  epoch {self._fit_epoch:4d}   holdout error {spread}"

    def trained(self, name: str, row: Row) -> None:
        """A run's epoch."""
        if not self._passed:
            self._began = time.monotonic() - row["time/seconds"]
        if name not in self._rows:
            self._skipped += int(row["epoch"]) - 1
        self._rows[name] = row
        self._passed += 1
        if self._live:
            self._live.update(self._table())
        elif self._is_last(name):
            self._console.print(self._line(row), soft_wrap=True, highlight=False)

    def _is_last(self, name: str) -> bool:
        """Whether every other run beside this one has come as far."""
        reached = self._rows[name]["epoch"]
        return all(other in self._rows and self._rows[other]["epoch"] >= reached for other in self._beside)

    def _left(self) -> str:
        """By the epochs of all runs that are passed and to come."""
        to_come = self._runs * self._epochs - self._skipped - self._passed
        return clock((time.monotonic() - self._began) / self._passed * max(to_come, 0))

    def _line(self, row: Row) -> str:
        beside = [other for other in self._rows.values() if other["epoch"] == row["epoch"]]
        figures = [
            f"{label} {np.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})"
            for label, key, _ in SCORES
            if (values := [other[key] for other in beside if key in other])
        ]
        speed = sum(other["time/updates_per_second"] for other in beside)
        return (
            f"policy  epoch {row['epoch']:4.0f}/{self._epochs}   {len(beside)} runs   {'   '.join(figures)}   "
            f"updates per second {speed:.0f} together   {self._left()} left"
        )

    def _table(self) -> Group:
        table = Table(box=None, pad_edge=False)
        labels = [(label, key, form) for label, key, form in SHOWN if any(key in row for row in self._rows.values())]
        for label in ("run", "epoch", *(label for label, _, _ in labels)):
            table.add_column(label, justify="left" if label == "run" else "right")
        for name, row in self._rows.items():
            cells = [form.format(row[key]) if key in row else "" for _, key, form in labels]
            table.add_row(name, f"{row['epoch']:.0f}", *cells)
        done, whole = self._skipped + self._passed, self._runs * self._epochs
        told = f"{len(self._rows)} of {self._runs} runs, {self._left()} left"
        return Group(ProgressBar(total=whole, completed=done, width=60), Text(told), table)


class _OfRun(Callback):
    def __init__(self, name: str, display: SweepDisplay):
        self._name, self._display = name, display

    def note(self, text: str) -> None:
        """What was said of another run, word for word, is not said again."""
        if text not in self._display.said:
            self._display.said.add(text)
            self._display.note(f"{self._name}: {text}")

    def diverged(self, text: str) -> None:
        self._display.diverged(self._name, text)

    def finished(self, path: Path) -> None:
        write_page(path, self.note)
        self._display.finished(self._name)

    def fitted(self, row: Row) -> None:
        self._display.fitted(self._name, row)

    def trained(self, row: Row, policy: Policy) -> None:
        self._display.trained(self._name, row)


def conclude(done: Mapping[str, Run | Diverged], console: Console) -> None:
    """Each combination's scores over its seeds, and which runs diverged."""
    cells: dict[str, list[Run]] = {}
    for name, outcome in done.items():
        if isinstance(outcome, Run):
            cells.setdefault(name.rpartition("seed")[0].rstrip("-") or "all", []).append(outcome)
    table = Table(box=None, pad_edge=False)
    for column in ("", "runs", "mean", "standard deviation", "least", "most"):
        table.add_column(column, justify="left" if not column else "right")
    known_by = ""
    for cell, runs in cells.items():
        label, values = _scores(runs)
        known_by = known_by or label
        if values:
            spread = f"{np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
            table.add_row(
                cell, str(len(values)), f"{np.mean(values):.1f}", spread, f"{min(values):.1f}", f"{max(values):.1f}"
            )
    if known_by:
        console.print(f"{known_by}, each run's mean of its last evaluations", soft_wrap=True, highlight=False)
        console.print(table)
    for name, outcome in done.items():
        if isinstance(outcome, Diverged):
            console.print(f"diverged  {name}: {outcome}", soft_wrap=True, highlight=False, markup=False)


def _scores(runs: list[Run]) -> tuple[str, list[float]]:
    """What the runs are known by, and each one's."""
    for label, key, _ in SCORES:
        if all(key in run.scores for run in runs):
            return label, [run.scores[key]["mean_of_last"] for run in runs]
    return "", []
