"""What was logged over the course of training, as arrays [seed, epoch] for each method and log."""

import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from micro_rl.core import arguments
from micro_rl.core.metric_keys import SHOWN_SCORES
from micro_rl.errors import UserError, did_you_mean
from micro_rl.reports.compare.compared_runs import Run, collect
from micro_rl.reports.compare.comparison import Comparison, compare
from micro_rl.reports.run.record import ABSURD, sane


class MetricCurve(NamedTuple):
    """One metric of a method's runs on one log; values are NaN where a run logged none at an epoch."""

    method: str
    log: str
    key: str
    seeds: Int[np.ndarray, " seed"]
    epochs: Int[np.ndarray, " epoch"]
    values: Float[np.ndarray, "seed epoch"]


def curves(folders: Sequence[Path | str] | Path | str, key: str | None = None) -> list[MetricCurve]:
    """Read a metric of many runs as arrays, for figures of one's own.

    Args:
        folders: A run folder, a folder that holds some (a sweep's), or a list of such.
        key: Of the metrics, such as "eval/return" or "conservative_term"; by default the first that a run of a log has
            of score, return, the model's estimate and the critics'.

    Returns:
        One entry for each method and log that has the metric, methods and logs told apart as `micro-rl report` does.
        Values are in the unit that the reference of metric keys gives. They are NaN beyond the last epoch of a
        run that is not finished, or that ended before others of its method. One `UserWarning` names such runs, and
        those that are left out, with the reasons.

    Raises:
        UserError: There are no runs, one that is named itself is damaged, or no run has the metric.
    """
    comparison = comparison_of(folders)
    of_methods = curves_in(comparison, key)
    if sentences := left_out(comparison, of_methods, "its values are NaN"):
        warnings.warn(f"curves: {'; '.join(sentences)}", stacklevel=2)
    return of_methods


def comparison_of(folders: Sequence[Path | str] | Path | str) -> Comparison:
    """Read the runs in folders, sorted into methods and logs; raises as `curves`."""
    single = isinstance(folders, str | PathLike)
    paths = [arguments.path("curves", folders)] if single else arguments.paths("curves", folders)
    if not paths:
        raise UserError("curves: no run is named; name run folders, or a folder that holds some")
    return compare(collect(paths))


def curves_in(comparison: Comparison, key: str | None, counted: bool = False) -> list[MetricCurve]:
    """The curves of runs that are read, or only of those that count in a mean; raises as `curves`."""
    if key is not None:
        arguments.text("key", key, "give one of the metrics, as in 'q/model'")
    logged = sorted({name for run in comparison.runs for row in run.record.metrics for name in row} - {"epoch"})
    if key is not None and key not in logged:
        raise UserError(f"{key}: no run has this metric{did_you_mean(key, logged)}; there are {', '.join(logged)}")
    of_methods = [
        _curve(method, log.name, chosen, counting(runs) if counted else runs)
        for log in comparison.logs
        if (chosen := key or _first_score([run for run in comparison.runs if run.column == log.key]))
        for method in comparison.methods
        if (runs := [run for run in comparison.cell(method, log) if run.record.series(chosen)])
    ]
    if not of_methods and key is not None:
        raise UserError(f"{key}: no run has a finite value of this metric; {_others(logged)}")
    if not of_methods:
        raise UserError(f"{comparison.runs[0].name}: no run was evaluated yet; {_others(logged)}")
    return of_methods


def counting(runs: list[Run]) -> list[Run]:
    """Those of a method that are finished, or all where none is."""
    return [run for run in runs if run.finished] or runs


def _others(logged: Sequence[str]) -> str:
    return f"name a metric: {', '.join(logged)}" if logged else "wait for its first epoch"


def left_out(comparison: Comparison, drawn: Sequence[MetricCurve], beyond: str) -> list[str]:
    """Say of each run that curves lack, or have a part of, which it is and why; a sentence each.

    Args:
        comparison: All runs.
        drawn: The curves of them.
        beyond: What holds beyond the last epoch of a run that is not finished, or that ended before others.

    Returns:
        The sentences; empty where nothing is missing.
    """
    ends = _ends(drawn)
    keys = {curve.log: curve.key for curve in drawn}
    copies = {run.path: twin for run, twin in comparison.copies}
    sentences = []
    for run in comparison.runs:
        log, far = comparison.log_of(run).name, f"{run.epochs_done} done"
        last, latest = ends.get((comparison.method_of(run), log, run.seed), (None, 0))
        if run.path in copies:
            sentences.append(f"{run.name} is left out: {copies[run.path].name} has its settings and its seed")
        elif last is None:
            unfinished = log in keys and run.record.series(keys[log])
            why = "other seeds are finished" if unfinished else "it has no such metric, or no finite one"
            sentences.append(f"{run.name} is left out: {why} ({run.state}, {far})")
        elif not run.finished:
            sentences.append(f"{run.name} is {run.state}, {far}: beyond that {beyond}")
        elif last < latest:
            sentences.append(f"{run.name} has no value after epoch {last:,} of {latest:,}: beyond that {beyond}")
    return sentences + [f"left out: {reason}" for reason in comparison.left_out]


def _ends(drawn: Sequence[MetricCurve]) -> dict[tuple[str, str, int], tuple[int, int]]:
    """The last epochs at which each run, and any of its curve, has a finite value; by method, log and seed."""
    ends = {}
    for curve in drawn:
        lasts = [int(curve.epochs[np.abs(row) < ABSURD].max(initial=0)) for row in curve.values]
        for seed, last in zip(curve.seeds, lasts, strict=True):
            ends[curve.method, curve.log, int(seed)] = last, max(lasts)
    return ends


def _first_score(runs: list[Run]) -> str | None:
    """What all of a log's methods are most likely to share."""
    return next((key for key in SHOWN_SCORES if any(run.record.series(key) for run in runs)), None)


def _curve(method: str, log: str, key: str, runs: list[Run]) -> MetricCurve:
    series = [
        {int(row["epoch"]): float(row[key]) for row in run.record.metrics if key in row and sane(row["epoch"])}
        for run in runs
    ]
    epochs = sorted(set().union(*series))
    values = np.array([[points.get(epoch, np.nan) for epoch in epochs] for points in series])
    return MetricCurve(method, log, key, np.array([run.seed for run in runs]), np.array(epochs), values)
