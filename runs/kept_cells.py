"""Cells of a study that are made once: recorded (`runs.records`) with day, commit, processor and what they took.

Run folders may be lost; what is recorded counts as done, and the pages are made from it.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from benchmarks.machine import code, describe
from micro_rl.core.wording import plural
from runs.records import record, recorded

DIGITS = 5
"""Significant ones of every figure."""


def kept(study: str, cell: str, make: Callable[[], Any]) -> Any:
    """The cell's figures, from the record, or made and recorded at once.

    Args:
        study: The name of the record.
        cell: Its name there.
        make: What makes the figures, which JSON can hold.
    """
    if cell not in recorded(study):
        add(study, lambda: {cell: make()})
    return recorded(study)[cell]["figures"]


def add(study: str, make: Callable[[], dict[str, Any]]) -> None:
    """Make the figures of several cells at once and record them; each is said to have taken an equal share.

    Args:
        study: The name of the record.
        make: Returns figures by cell.
    """
    began = _processor_time()
    measured = rounded(make())
    each = round((_processor_time() - began) / len(measured), 1)
    for name, figures in measured.items():
        record(study, name, {"figures": figures} | origin() | {"seconds": each})


def _processor_time() -> float:
    """Seconds of this process and of those that it began and that have ended."""
    return sum(os.times()[:4])


def origin() -> dict[str, str]:
    """When, by which code and where a figure is made."""
    return {"date": f"{date.today()}", "commit": code(), "processor": describe()["processor"]}


def rounded(figures: Any) -> Any:
    """Every number in lists and dictionaries to `DIGITS` significant ones."""
    if isinstance(figures, dict):
        return {name: rounded(value) for name, value in figures.items()}
    if isinstance(figures, list | tuple):
        return [rounded(value) for value in figures]
    return float(f"{figures:.{DIGITS}g}") if isinstance(figures, float) else figures


def origins(cells: Sequence[Mapping[str, Any]]) -> str:
    """Days, commits and processor of recorded cells, in words."""
    days, commits, processors = (sorted({cell[key] for cell in cells}) for key in ("date", "commit", "processor"))
    shared = f"on two cores that other work shared ({', '.join(processors)})"
    return f"{' and '.join(days)}, commit {', '.join(commits)}, {shared}"


def made_by(study: str, command: str, *more: str) -> str:
    """The last line of a page: command, days, commits, processor, and what the cells took together.

    Args:
        study: The name of the record.
        command: What made it.
        more: Other records that it made.
    """
    cells = [cell for name in (study, *more) for cell in recorded(name).values()]
    if not cells:
        return f"`{command}` was not run yet."
    seconds = [cell["seconds"] for cell in cells if "seconds" in cell]
    took = f", {sum(seconds) / 60:.0f} minutes of processor time" if len(seconds) == len(cells) else ""
    return (
        f"Made by `{command}`, {origins(cells)}: {plural(len(cells), 'cell')}{took}. Raw figures:"
        f" {' and '.join(f'`docs/results/data/{name}.json`' for name in (study, *more))};"
        " a cell that stands there is not run again."
    )
