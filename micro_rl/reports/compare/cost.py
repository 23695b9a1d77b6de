"""What each method cost: time per update and per run, as far as the runs noted it."""

from collections import Counter

import numpy as np

from micro_rl.core.wording import duration, number, plural
from micro_rl.reports.compare.compared_runs import Run
from micro_rl.reports.compare.comparison import Comparison
from micro_rl.reports.compare.table import Entry, Table
from micro_rl.reports.run.record import sane

CAPTION = (
    "Minutes per million updates come from the median epoch’s speed, without evaluations; the run’s time is with "
    "evaluations and without the model’s fit, whose time no run notes. Figures from different machines, or from one "
    "that did other work beside, are no benchmark."
)


def table(comparison: Comparison) -> Table:
    """A row for each method on each log."""
    rows = []
    for method in comparison.methods:
        for log in comparison.logs:
            if runs := comparison.cell(method, log):
                rows.append(_row(method, log.name, runs))
    columns = ["method", "minutes per million updates", "time of a run"]
    return Table("Cost", f"{CAPTION} {_machines(comparison)}", columns, rows)


def _machines(comparison: Comparison) -> str:
    """Which trained how many of the runs."""
    counted = Counter(_machine(run) or "not noted" for run in comparison.runs)
    if len(counted) == 1:
        return f"Machine of all runs: {next(iter(counted))}."
    machines = (f"{machine} ({plural(count, 'run')})" for machine, count in counted.most_common(6))
    return f"Machines: {'; '.join(machines)}."


def _row(method: str, log: str, runs: list[Run]) -> list[Entry]:
    minutes = [minute for run in runs if (minute := minutes_per_million(run))]
    spent = [seconds for run in runs if (seconds := sum(_sane(run.record.series("time/seconds").values)))]
    return [
        Entry(method, log),
        Entry(_range(minutes)),
        Entry(duration(float(np.mean(spent))) if spent else "–", _epochs(runs) if spent else ""),
    ]


def minutes_per_million(run: Run) -> float | None:
    """Of updates alone, by the median epoch; None where no speed was noted."""
    speeds = [value for value in _sane(run.record.series("time/updates_per_second").values) if value > 0]
    return 1e6 / 60 / float(np.median(speeds)) if speeds else None


def _range(values: list[float]) -> str:
    """One figure, or the least and the greatest of the seeds."""
    ends = list(dict.fromkeys(number(value) for value in (min(values), max(values)))) if values else []
    return " to ".join(ends) or "–"


def _epochs(runs: list[Run]) -> str:
    epochs = sorted({run.epochs for run in runs})
    return plural(epochs[0], "epoch") if len(epochs) == 1 else f"{epochs[0]:,} to {epochs[-1]:,} epochs"


def _machine(run: Run) -> str:
    fingerprint = run.record.processes[-1].get("fingerprint") if run.record.processes else None
    if not isinstance(fingerprint, dict):
        return ""
    named = [str(fingerprint[name])[:80] for name in ("processor", "device") if name in fingerprint]
    return ", ".join([*named, *([f"{str(fingerprint['cores'])[:10]} cores"] if "cores" in fingerprint else [])])


def _sane(values: list[float]) -> list[float]:
    return [value for value in values if sane(value)]
