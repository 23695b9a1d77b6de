"""The comparison in plain words: what was compared, and how far each was trained."""

from collections import Counter

from micro_rl.core.wording import plural
from micro_rl.reports.compare.compared_runs import Run
from micro_rl.reports.compare.comparison import Column, Comparison, log_names

FAR = "How long they were trained."
"""Stands in the first line of the table for a README, and says that a report wrote it."""
NAMED = 12
"""Methods and logs that a sentence lists."""


def headline(comparison: Comparison) -> str:
    """In one line."""
    seeds = sorted({len(runs) for runs in comparison.cells.values()})
    each = plural(seeds[0], "seed") if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
    logs = plural(len(log_names(comparison.runs)), "log")
    return f"{plural(len(comparison.methods), 'method')} on {logs}, {each} each."


def paragraphs(comparison: Comparison) -> list[str]:
    """Names, then how far the runs on each log went."""
    logs = _listed([log.name for log in comparison.logs])
    what = f"{plural(len(comparison.runs), 'run')} of {_listed(comparison.methods)}, on {logs}."
    return [what, f"{FAR} {' '.join(_far(comparison, log) for log in comparison.logs)}"]


def _listed(names: list[str]) -> str:
    """'a, b and c'; commas within a name turn the separators into semicolons."""
    shown = names[:NAMED] + ([f"{len(names) - NAMED} more"] if len(names) > NAMED else [])
    between = "; " if any("," in name for name in shown) else ", "
    return shown[0] if len(shown) == 1 else f"{between.join(shown[:-1])} and {shown[-1]}"


def _far(comparison: Comparison, log: Column) -> str:
    runs = [run for run in comparison.runs if run.column == log.key]
    counts = [f"{plural(count, 'run')} for {epochs}" for epochs, count in Counter(map(_epochs, runs)).most_common()]
    return f"On {log.name}: {', '.join(counts)}."


def _epochs(run: Run) -> str:
    """'50 of 100 epochs', 'all of 25 epochs', '19 of 3,000 epochs (not finished)'."""
    if run.planned and run.epochs >= run.planned:
        return f"all of {plural(run.planned, 'epoch')}"
    still = "" if run.finished else " so far, not finished"
    return run.epochs_done + still
