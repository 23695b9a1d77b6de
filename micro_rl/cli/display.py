"""How runs look while they go: a live table on a terminal, one line an epoch elsewhere."""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from micro_rl.cli.commands.console import say
from micro_rl.cli.fit_time import FitTime
from micro_rl.cli.time_left import TimeLeft
from micro_rl.core.metric_keys import SHOWN_SCORES, metric_label
from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.wording import clock, figure, plural
from micro_rl.policy import Policy
from micro_rl.reports.run import write_page
from micro_rl.storage.jsonl import Row
from micro_rl.training.callbacks import Callback
from micro_rl.training.grid import Trial
from micro_rl.training.sweep import SweepCallback

SHOWN = tuple(
    (metric_label(key), key, form)
    for key, form in (
        *((key, figure) for key in SHOWN_SCORES),
        ("q/model", "{:.2f}".format),
        ("conservative_term", "{:.3f}".format),
        ("loss/critic", "{:.3g}".format),
        ("loss/actor", "{:.3g}".format),
        ("temperature", "{:.3f}".format),
        ("time/updates_per_second", "{:.0f}".format),
    )
)
SCORES = SHOWN[: len(SHOWN_SCORES)]
"""What a run is followed by: the first of them that its rows have."""


class Display(SweepCallback):
    """Shows `runs` runs of `epochs` epochs on a console; use it in a `with`.

    One run is shown with all its figures, many by their scores and a table of runs. `own`: the epochs of each run by
    its name, where a sweep's runs differ in them.
    """

    def __init__(self, runs: int, epochs: int, console: Console, own: Mapping[str, int] | None = None):
        self._runs, self._epochs, self._console, self._own = runs, epochs, console, own or {}
        self._whole = sum(own.values()) if own else runs * epochs
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._began = time.monotonic()
        self._time = TimeLeft(runs, self._whole)
        self._fit_epoch = 0
        self._fits: dict[str, Row] = {}
        self._fit_times: dict[str, FitTime] = {}
        self._rows: dict[str, Row] = {}
        self._beside: list[str] = []
        self._notes: set[str] = set()

    def __enter__(self) -> "Display":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def note(self, text: str, run: str = "") -> None:
        """Print a line of its own, above the table; what was said of all, or of one of many, is not repeated."""
        if text in self._notes:
            return
        if self._runs > 1 or not run:
            self._notes.add(text)
        prefix = f"{run}: " if run and self._runs > 1 else ""
        self._console.print(Text(f"note: {prefix}{text}", style="yellow"), soft_wrap=True)

    def of(self, trial: Trial) -> Callback:
        """The callback of one of a sweep's runs."""
        return self.of_run(trial.name, trial.plan.settings)

    def of_run(self, name: str = "run", settings: ModelSettings | None = None) -> Callback:
        """The callback of one run; those asked for one after another train side by side.

        By its settings the time that its fit may take is told.
        """
        if not self._beside:
            self._fits, self._rows, self._fit_times, self._fit_epoch = {}, {}, {}, 0
        if settings is not None:
            self._fit_times[name] = FitTime(settings)
        self._time.begin(new_program=not self._beside)
        self._beside.append(name)
        return _RunDisplay(name, self)

    def describe_model(self, text: str) -> None:
        """Print a line on the one run's model; those of many are not described."""
        if self._runs == 1:
            say(self._console, f"model   {text}")

    def show_given_model(self, run: str, holdout: float) -> None:
        """Show the holdout error of a model that was fitted before."""
        self._fits[run] = {"holdout/mean": holdout}
        if not self._live:
            self.describe_model(f"holdout error {holdout:.5f}")

    def show_fit(self, run: str, row: Row) -> None:
        """Show a run's epoch of the dynamics fit; one epoch in ten where the output is piped.

        Many are printed when the next epoch begins and all are known.
        """
        if row["epoch"] > self._fit_epoch and self._runs > 1:
            self._print_fit()
        self._fit_epoch = int(row["epoch"])
        self._fits[run] = row
        if run in self._fit_times:
            self._fit_times[run].see(row)
        if self._live:
            self._live.update(Text(f"{self._fit_line()}   {clock(time.monotonic() - self._began)} so far"))
        elif self._runs == 1:
            self._print_fit()

    def show_epoch(self, run: str, row: Row) -> None:
        """Show a run's epoch of policy training and the time left."""
        self._time.see(row, first=run not in self._rows)
        self._rows[run] = self._rows.get(run, {}) | row
        if self._live:
            self._live.update(self._table())
        elif self._is_last(run):
            say(self._console, self._line(run, row))

    def end(self, run: str, divergence: str = "") -> None:
        """Wait for a run no more: it is over, perhaps since an earlier process, or it diverged."""
        if divergence and self._runs > 1:
            self._console.print(Text(f"{run} diverged: {divergence}", style="red"), soft_wrap=True)
        if divergence or run not in self._rows:
            self._time.skipped += self._epochs_of(run) - int(self._rows[run]["epoch"] if run in self._rows else 0)
        self._beside.remove(run)

    def _epochs_of(self, run: str) -> int:
        return self._own.get(run, self._epochs)

    def _print_fit(self) -> None:
        if self._fit_epoch % 10 == 1 and not self._live:
            say(self._console, self._fit_line())

    def _fit_line(self) -> str:
        errors = [fit["holdout/mean"] for fit in self._fits.values()]
        spread = "" if len(errors) == 1 else f" ({min(errors):.5f} to {max(errors):.5f})"
        kind = "model " if self._runs == 1 else "models"
        line = f"{kind}  epoch {self._fit_epoch:4d}   holdout error {np.mean(errors):.5f}{spread}"
        latest = max(self._fit_times.values(), key=FitTime.order, default=None)
        return "   ".join(filter(None, (line, latest.left() if latest else "")))

    def _is_last(self, run: str) -> bool:
        """Whether every other run beside this one has come as far."""
        reached = self._rows[run]["epoch"]
        return all(other in self._rows and self._rows[other]["epoch"] >= reached for other in self._beside)

    def _left(self) -> str:
        return f"{clock(self._time.seconds())} left"

    def _line(self, run: str, row: Row) -> str:
        """The epoch's figures: all of one run, mean and range of the scores of many."""
        beside = [other for other in self._rows.values() if other["epoch"] == row["epoch"]]
        if self._runs == 1:
            figures = [f"{label} {form(row[key])}" for label, key, form in SHOWN if key in row]
        else:
            figures = [plural(len(beside), "run")]
            for label, key, _ in SCORES:
                if key in row:
                    values = [other[key] for other in beside if key in other]
                    spread = f" ({figure(min(values))} to {figure(max(values))})" if len(values) > 1 else ""
                    figures.append(f"{label} {figure(float(np.mean(values)))}{spread}")
            speed = sum(other["time/updates_per_second"] for other in beside)
            figures.append(f"updates per second {speed:.0f} together")
        return "   ".join([f"policy  epoch {row['epoch']:4.0f}/{self._epochs_of(run)}", *figures, self._left()])

    def _table(self) -> Group:
        done = self._time.skipped + self._time.passed
        bar = ProgressBar(total=self._whole, completed=done, width=60)
        if self._runs == 1:
            return Group(bar, self._table_of_one())
        return Group(bar, Text(f"{len(self._rows)} of {self._runs} runs, {self._left()}"), self._table_of_many())

    def _table_of_one(self) -> Table:
        """The latest value of every figure; an epoch without an evaluation keeps the last one."""
        table = Table(box=None, show_header=False, pad_edge=False)
        for run, row in self._rows.items():
            table.add_row("epoch", f"{row['epoch']:.0f} of {self._epochs_of(run)}, {self._left()}")
            if run in self._fits:
                table.add_row("model's holdout error", f"{self._fits[run]['holdout/mean']:.5f}")
            for label, key, form in SHOWN:
                if key in row:
                    table.add_row(label, form(row[key]))
        return table

    def _table_of_many(self) -> Table:
        """A row for each run."""
        table = Table(box=None, pad_edge=False)
        columns = [column for column in SHOWN if any(column[1] in row for row in self._rows.values())]
        for label in ("run", "epoch", *(label for label, _, _ in columns)):
            table.add_column(label, justify="left" if label == "run" else "right")
        for run, row in self._rows.items():
            cells = [form(row[key]) if key in row else "" for _, key, form in columns]
            table.add_row(run, f"{row['epoch']:.0f}", *cells)
        return table


class _RunDisplay(Callback):
    """Passes the events of one run on to the display."""

    def __init__(self, name: str, display: Display):
        self._name, self._display = name, display

    def note(self, text: str) -> None:
        self._display.note(text, self._name)

    def given(self, holdout: float) -> None:
        self._display.show_given_model(self._name, holdout)

    def measured(self, text: str) -> None:
        self._display.describe_model(text)

    def fitted(self, row: Row) -> None:
        self._display.show_fit(self._name, row)

    def trained(self, row: Row, policy: Policy) -> None:
        self._display.show_epoch(self._name, row)

    def diverged(self, text: str) -> None:
        self._display.end(self._name, text)

    def finished(self, path: Path) -> None:
        write_page(path, self.note)
        self._display.end(self._name)
