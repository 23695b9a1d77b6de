"""The runs below a folder, each in one line, read from their folders while they may still be going on."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from micro_rl.core.metric_keys import SHOWN_SCORES, metric_label
from micro_rl.core.settings import SCORED_EVALUATIONS
from micro_rl.core.wording import figure
from micro_rl.errors import UserError
from micro_rl.storage.jsonl import Row
from micro_rl.storage.locks import is_locked
from micro_rl.storage.run_folder import RunFolder


class RunSummary(NamedTuple):
    """One run in words; `state` is running, done, stopped, diverged or unreadable, and `note` says why."""

    name: str
    method: str = ""
    log: str = ""
    epoch: str = ""
    score: str = ""
    state: str = "unreadable"
    note: str = ""


def runs_below(folder: Path) -> list[RunSummary]:
    """Summarise every run in or below a folder, also those that cannot be read.

    Returns:
        One summary a run, in the order of their paths.

    Raises:
        UserError: where there is no such folder, or no run.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder; give one that holds runs")
    runs = [_summary(path, folder) for path in sorted(run_folders(folder))]
    if not runs:
        raise UserError(f"{folder}: holds no runs; give the folder that was named with --out, or one above it")
    return runs


def run_folders(folder: Path) -> Iterator[Path]:
    """Yield the folders with a config.json; nothing is looked for inside a run, nor behind a link."""
    for path, below, files in os.walk(folder):
        if "config.json" in files:
            below.clear()
            yield Path(path)


def _summary(path: Path, below: Path) -> RunSummary:
    name = str(path.relative_to(below)) if path != below else path.resolve().name
    try:
        run = RunFolder.open(path)
        config, rows = run.config(), run.metrics()
        epochs = config.get("settings", {}).get("epochs")
        method, log = config.get("method", ""), str(config.get("log", {}).get("name", ""))
        return RunSummary(name, method, log, _epoch(run, rows, epochs), _score(rows), state(run, rows, epochs))
    except UserError as error:
        return RunSummary(name, note=str(error))


def state(run: RunFolder, rows: list[Row], epochs: object) -> str:
    """Tell whether a run is running, diverged, done or stopped.

    Args:
        run: the run's folder.
        rows: its metrics.
        epochs: how many the plan has, where that is known.
    """
    if is_locked(run.lock):
        return "running"
    if run.diverged.exists():
        return "diverged"
    return "done" if run.sealed and rows and rows[-1]["epoch"] == epochs else "stopped"


def _epoch(run: RunFolder, rows: list[Row], epochs: object) -> str:
    if rows:
        return f"{rows[-1]['epoch']:.0f}" + (f" of {epochs}" if isinstance(epochs, int) else "")
    fit = run.fit()
    return f"fit {fit[-1]['epoch']:.0f}" if fit else "0"


def _score(rows: list[Row]) -> str:
    """The mean of the last ten evaluations, as the run itself will report it."""
    for key in SHOWN_SCORES:
        values = [row[key] for row in rows if key in row]
        if values:
            last = values[-SCORED_EVALUATIONS:]
            return f"{metric_label(key)} {figure(sum(last) / len(last))}"
    return ""
