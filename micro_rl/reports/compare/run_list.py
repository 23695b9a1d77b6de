"""Every run in a line: where it lies, what it was, how far it went, and from what code."""

import csv
import os
from io import StringIO
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from micro_rl.core.wording import number
from micro_rl.reports.compare.compared_runs import Run
from micro_rl.reports.compare.comparison import Comparison
from micro_rl.reports.compare.cost import minutes_per_million

COLUMNS = (
    "run", "method", "log", "log_sha256", "env", "horizon", "seed", "state", "epochs", "planned_epochs",
    "unit", "score", "final", "best_evaluation", "minutes_per_million_updates", "version", "commit", "path",
)  # fmt: skip


class RunRow(NamedTuple):
    """A run as the page lists it; `link` is a path relative to the page, "" where the run has no page of its own."""

    name: str
    link: str
    facts: list[str]


OUTCOME = ("unit", "value", "final", "best")
HEAD = ("run", "method", "log, SHA-256", "seed", "epochs", "state", "score or return", "best evaluation", "code")


def run_rows(comparison: Comparison, page: Path) -> list[RunRow]:
    """In the order given."""
    return [RunRow(run.name, _link(run, page), _facts(run, comparison)) for run in comparison.runs]


def _facts(run: Run, comparison: Comparison) -> list[str]:
    outcome = run.outcome
    planned = f" of {run.planned:,}" if run.planned else ""
    value = f"{outcome.unit} {number(outcome.value)}" if outcome else "–"
    score = f"so far {value}" if outcome and not outcome.final else value
    code = f"{run.version}, {run.commit[:8]}" if run.commit else run.version
    method = comparison.method_of(run) or f"{run.method} (does not count)"
    name = comparison.log_of(run).name
    log = f"{name}, {run.log.sha256[:8]}" if run.log.sha256 else name
    seed = "–" if run.seed < 0 else str(run.seed)
    best = number(outcome.best) if outcome else "–"
    return [method, log, seed, f"{run.epochs:,}{planned}", run.state, score, best, code or "–"]


def _link(run: Run, page: Path) -> str:
    own = run.path / "report.html"
    return quote(os.path.relpath(own.resolve(), page.resolve().parent)) if own.is_file() else ""


def csv_table(comparison: Comparison) -> str:
    """CSV, a line for each run; empty where something is not known."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in comparison.runs:
        writer.writerow([_safe(value) for value in _values(run, comparison)])
    return text.getvalue()


def _values(run: Run, comparison: Comparison) -> list[object]:
    outcome, log, task = run.outcome, run.log, run.task
    return [
        run.name, comparison.method_of(run) or run.method, log.name, log.sha256,
        task.env or "", task.horizon or "", "" if run.seed < 0 else run.seed, run.state,
        run.epochs, run.planned or "", *(outcome._asdict()[name] if outcome else "" for name in OUTCOME),
        minutes_per_million(run) or "", run.version, run.commit, run.path,
    ]  # fmt: skip


def _safe(value: object) -> object:
    """A spreadsheet takes text that begins like a formula for one."""
    text = str(value) if isinstance(value, str | Path) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
