"""How a run looks while it goes, a live table on a terminal and one line an epoch elsewhere; and at its end."""

import time
from pathlib import Path
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from micro_rl.core.metric_keys import CRITICS_RETURN, EVAL_RETURN, EVAL_SCORE, MODEL_RETURN, SHOWN_SCORES, metric_label
from micro_rl.core.wording import clock
from micro_rl.policy import Policy
from micro_rl.reports.run import write_page
from micro_rl.reports.run.story import out_of_range_warning
from micro_rl.storage.jsonl import Row
from micro_rl.training.callbacks import Callback
from micro_rl.training.job import Run

SHOWN = tuple(
    (metric_label(key), key, form)
    for key, form in (
        *((key, "{:.1f}") for key in SHOWN_SCORES),
        ("q/model", "{:.2f}"),
        ("conservative_term", "{:.3f}"),
        ("loss/critic", "{:.3g}"),
        ("loss/actor", "{:.3g}"),
        ("temperature", "{:.3f}"),
        ("time/updates_per_second", "{:.0f}"),
    )
)


class Display(Callback):
    """Watches a run of `epochs` epochs on a console; use it in a `with`."""

    def __init__(self, epochs: int, console: Console):
        self._epochs, self._console = epochs, console
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._began = time.monotonic()
        self._first: int | None = None
        self._holdout: float | None = None
        self._latest: Row = {}

    def __enter__(self) -> "Display":
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def note(self, text: str) -> None:
        """Above the table, or a line of its own."""
        self._console.print(Text("note: " + text, style="yellow"), soft_wrap=True)

    def given(self, holdout: float) -> None:
        """The error of a model that was fitted before."""
        self._holdout = holdout
        if not self._live:
            self._console.print(f"model   holdout error {holdout:.5f}", soft_wrap=True, highlight=False)

    def fitted(self, row: Row) -> None:
        """The model's error so far."""
        self._holdout = row["holdout/mean"]
        text = f"model   epoch {row['epoch']:4.0f}   holdout error {row['holdout/mean']:.5f}"
        if self._live:
            self._live.update(Text(f"{text}   {clock(time.monotonic() - self._began)}"))
        elif row["epoch"] % 10 == 1:
            self._console.print(text, soft_wrap=True, highlight=False)

    def measured(self, text: str) -> None:
        """Above the table, or a line of its own."""
        self._console.print(f"model   {text}", soft_wrap=True, highlight=False)

    def trained(self, row: Row, policy: Policy) -> None:
        """An epoch's figures and the time left."""
        if self._first is None:
            self._first, self._began = int(row["epoch"]) - 1, time.monotonic() - row["time/seconds"]
        self._latest = self._latest | row
        if self._live:
            self._live.update(self._table())
        else:
            self._console.print(self._line(row), soft_wrap=True, highlight=False)

    def finished(self, path: Path) -> None:
        """The run's page."""
        write_page(path, self.note)

    def _left(self) -> str:
        done = self._latest["epoch"] - (self._first or 0)
        spent = time.monotonic() - self._began
        return clock(spent / done * (self._epochs - self._latest["epoch"]))

    def _figures(self, row: Row) -> list[tuple[str, str]]:
        return [(label, form.format(row[key])) for label, key, form in SHOWN if key in row]

    def _line(self, row: Row) -> str:
        figures = "   ".join(f"{label} {value}" for label, value in self._figures(row))
        return f"policy  epoch {row['epoch']:4.0f}/{self._epochs}   {figures}   {self._left()} left"

    def _table(self) -> Group:
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_row("epoch", f"{self._latest['epoch']:.0f} of {self._epochs}, {self._left()} left")
        if self._holdout is not None:
            table.add_row("model's holdout error", f"{self._holdout:.5f}")
        for label, value in self._figures(self._latest):
            table.add_row(label, value)
        return Group(ProgressBar(total=self._epochs, completed=self._latest["epoch"], width=60), table)


def conclude(done: Run, console: Console) -> None:
    """The score beside the log's own, and where to look."""
    log = done.scores["log"]
    table, scored = Table(box=None, pad_edge=False), "normalised_return_mean" in log
    for column in ("", "return", "score") if scored else ("", "return"):
        table.add_column(column, justify="left" if not column else "right")

    def row(label: str, value: float, score: float | None) -> None:
        table.add_row(label, f"{value:.1f}", *([] if score is None else [f"{score:.1f}"]))

    row("the log's episodes, mean", log["return_mean"], log.get("normalised_return_mean"))
    row("the log's best episode", log["return_best"], log.get("normalised_return_best"))
    evaluated, score = done.scores.get(EVAL_RETURN), done.scores.get(EVAL_SCORE, {})
    if evaluated:
        count = evaluated["evaluations"]
        label = f"mean of its last {count} evaluations" if count > 1 else "its only evaluation"
        row(f"the policy, {label}", evaluated["mean_of_last"], score.get("mean_of_last"))
    elif MODEL_RETURN in done.scores:
        estimated = done.scores[MODEL_RETURN]
        of = f"mean of its last {estimated['evaluations']}" if estimated["evaluations"] > 1 else "its only one"
        row(f"the policy, by the model's own estimate ({of}), not measured", estimated["mean_of_last"], None)
    elif CRITICS_RETURN in done.scores:
        value = done.scores[CRITICS_RETURN]["last"]
        row("the policy, discounted, by its critics' own estimate", value, None)
    console.print(table)
    if MODEL_RETURN in done.scores and not evaluated:
        remark = out_of_range_warning(log, done.scores[MODEL_RETURN]["mean_of_last"])
        if remark:
            console.print(remark, soft_wrap=True, highlight=False)
    console.print(f"page    {done.path / 'report.html'}", soft_wrap=True, highlight=False, markup=False)
    console.print(f"policy  {done.path / 'policy.safetensors'}", soft_wrap=True, highlight=False, markup=False)
