"""What the pages of the studies share: tables, curves' ends, means with Student's interval, remarks that are kept."""

from collections.abc import Container, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from micro_rl.reports.stats.few_runs import t_interval
from micro_rl.reports.stats.pairs import paired
from runs.long_runs import Cell
from runs.records import recorded

REMARKS = "\n## Remarks"
ANSWER = "**Answer.**"
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
    """The seeds' mean and its 95 % interval, Student's; one seed has none; or how many diverged."""
    if lost := int(np.isnan(values).sum()):
        return f"{lost} of {len(values)} diverged"
    point, low, high = (float(end) for end in t_interval(np.asarray(values, float)[:, None]))
    if len(values) == 1:
        return f"{point:,.{digits}f}"
    return f"{point:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def difference(ours: Sequence[float], theirs: Sequence[float], digits: int = 0) -> str:
    """Mean paired difference over the seeds, Student's interval, and the p of flipping signs; of one seed neither."""
    if np.isnan([*ours, *theirs]).any():
        return ""
    x, y = np.asarray(ours, float)[:, None], np.asarray(theirs, float)[:, None]
    words = mean_and_interval((x - y)[:, 0].tolist(), digits)
    return words if len(x) == 1 else f"{words}, p {paired(x, y).flip_p:.2f}"


def not_run(cells: Sequence[Cell], done: Container[str]) -> str:
    """The cells that are not done, by log; a log of which nothing is done is named alone; or "none"."""
    begun = {cell.log for cell in cells if cell.name in done}
    parts = [f"all of {log}" for log in dict.fromkeys(cell.log for cell in cells) if log not in begun]
    absent = [cell for cell in cells if cell.log in begun and cell.name not in done]
    return "; ".join([*([named(absent)] if absent else []), *parts]) or "none"


def named(cells: Sequence[Cell]) -> str:
    """Cells by log: its entries, those of the same seeds together."""
    parts = []
    for log in dict.fromkeys(cell.log for cell in cells):
        seeds: dict[str, list[str]] = {}
        for cell in cells:
            if cell.log == log:
                seeds.setdefault(cell.entry, []).append(str(cell.seed))
        entries: dict[str, list[str]] = {}
        for entry, of in seeds.items():
            entries.setdefault(", ".join(of), []).append(entry)
        of_log = (f"{', '.join(those)} (seed{'s' * (',' in of)} {of})" for of, those in entries.items())
        parts.append(f"{log}: {', '.join(of_log)}")
    return "; ".join(parts)


def earlier(cells: Sequence[Cell], study: str) -> str:
    """A sentence on those of which no more than the curve was recorded; empty where there is none."""
    known = recorded(study)
    old = [cell for cell in cells if cell.name in known and "commit" not in known[cell.name]]
    return f" Recorded before day and commit were, on earlier ensembles of their seeds: {named(old)}." if old else ""


def by_processor(cells: Sequence[Cell], study: str) -> str:
    """A sentence on which cells each processor but the commonest has recorded; empty where there is one."""
    known = recorded(study)
    of: dict[str, list[Cell]] = {}
    for cell in cells:
        if processor := known.get(cell.name, {}).get("processor"):
            of.setdefault(processor, []).append(cell)
    others = sorted(of, key=lambda processor: -len(of[processor]))[1:]
    return "".join(f" By {processor}, with ensembles of its own: {named(of[processor])}." for processor in others)


def answer_on(page: Path) -> str:
    """The page's answer, one paragraph, which is written by hand and kept; or that there is none."""
    paragraphs = page.read_text().split("\n\n") if page.exists() else []
    return next((each for each in paragraphs if each.startswith(ANSWER)), f"{ANSWER} Not written yet.")


def write(page: Path, text: str) -> None:
    """The page; what stands below `## Remarks` is written by hand and kept."""
    kept = page.read_text().partition(REMARKS)[2] if page.exists() else ""
    page.write_text(text + (REMARKS + kept if kept else ""))


def save(figure: Figure, file: Path) -> None:
    """As SVG, the same bytes for the same figures."""
    with mpl.rc_context({"svg.hashsalt": file.stem}):
        figure.savefig(file, metadata={"Date": None})
