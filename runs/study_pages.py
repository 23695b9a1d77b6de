"""What the pages of the studies share: tables, curves' ends, means with Student's interval, remarks that are kept."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from micro_rl.reports.stats.few_runs import t_interval
from micro_rl.reports.stats.pairs import paired
from runs.long_runs import Cell

REMARKS = "\n## Remarks"
LAST = 10
"""Evaluations of which a run's score is the mean."""


def up_to(curve: dict[int, float], epoch: int) -> dict[int, float]:
    """What a curve {epoch: score} has up to an epoch, in order."""
    return {at: curve[at] for at in sorted(curve) if at <= epoch}


def end_of(curve: dict[int, float]) -> float:
    """A run's score: the mean of its curve's last evaluations."""
    return float(np.mean([curve[at] for at in sorted(curve)][-LAST:]))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """As Markdown."""
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def mean_and_interval(values: Sequence[float], digits: int = 0) -> str:
    """The seeds' mean and its 95 % interval, Student's; or that there is one seed, or how many diverged."""
    if lost := int(np.isnan(values).sum()):
        return f"{lost} of {len(values)} diverged"
    point, low, high = (float(end) for end in t_interval(np.asarray(values, float)[:, None]))
    if len(values) == 1:
        return f"{point:,.{digits}f} (one seed)"
    return f"{point:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def difference(ours: Sequence[float], theirs: Sequence[float], digits: int = 0) -> str:
    """Mean paired difference over the seeds, Student's interval, and the p of flipping signs; of one seed neither."""
    if np.isnan([*ours, *theirs]).any():
        return ""
    x, y = np.asarray(ours, float)[:, None], np.asarray(theirs, float)[:, None]
    words = mean_and_interval((x - y)[:, 0].tolist(), digits)
    return words if len(x) == 1 else f"{words}, p {paired(x, y).flip_p:.2f}"


def not_run(cells: Sequence[Cell], done: Container[str]) -> str:
    """The cells that are not done, by log: its entries, and which seeds of each; or "none"."""
    parts = []
    for log in dict.fromkeys(cell.log for cell in cells):
        of_log = [cell for cell in cells if cell.log == log]
        absent: dict[str, list[int]] = {}
        for cell in of_log:
            if cell.name not in done:
                absent.setdefault(cell.entry, []).append(cell.seed)
        if sum(map(len, absent.values())) == len(of_log):
            parts.append(f"all of {log}")
        elif absent:
            parts.append(f"{log}: {_with_seeds(absent)}")
    return "; ".join(parts) or "none"


def _with_seeds(absent: Mapping[str, Sequence[int]]) -> str:
    """Entries that lack the same seeds are named together."""
    by_seeds: dict[str, list[str]] = {}
    for entry, seeds in absent.items():
        by_seeds.setdefault(", ".join(map(str, sorted(seeds))), []).append(entry)
    named = by_seeds.items()
    return ", ".join(f"{', '.join(entries)} (seed{'s' * (',' in seeds)} {seeds})" for seeds, entries in named)


def write(page: Path, text: str) -> None:
    """The page; what stands below `## Remarks` is written by hand and kept."""
    kept = page.read_text().partition(REMARKS)[2] if page.exists() else ""
    page.write_text(text + (REMARKS + kept if kept else ""))


def save(figure: Figure, file: Path) -> None:
    """As SVG, the same bytes for the same figures."""
    with mpl.rc_context({"svg.hashsalt": file.stem}):
        figure.savefig(file, metadata={"Date": None})
