"""Aggregates over logs, where there are seeds and logs enough for them; else a sentence that says why not."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from micro_rl.core.wording import number, plural
from micro_rl.reports.compare.comparison import Column, Comparison
from micro_rl.reports.compare.score_tables import span
from micro_rl.reports.compare.table import Entry, Table
from micro_rl.reports.stats import Interval, interval, iqm, mean, median, optimality_gap, performance_profile

SEEDS, LOGS = 3, 2
"""The fewest seeds of a method on a log, and logs, that are put into one number."""
STATISTICS: tuple[tuple[str, Callable[..., object], str], ...] = (
    ("IQM", iqm, "Mean of the middle half of all scores"),
    ("median", median, "Of the logs’ means"),
    ("mean", mean, "Of the logs’ means; one log can decide it"),
    ("optimality gap", optimality_gap, "What is lacking to 100; less is better"),
)


class Pool(NamedTuple):
    """Methods with enough seeds on the same logs: `scores[method]` is [seed, log], NaN where a seed is missing."""

    logs: list[Column]
    scores: dict[str, np.ndarray]
    left_out: list[str]


def pool(comparison: Comparison) -> Pool | str:
    """The choice of logs that keeps the most scores, or why there is none."""
    logs = [log for log in comparison.logs if log.unit == "score"]
    enough = {
        method: frozenset(log.key for log in logs if len(comparison.scored(method, log)) >= SEEDS)
        for method in comparison.methods
    }
    choices = {a & b for a in enough.values() for b in enough.values() if len(a & b) >= LOGS}
    if not choices:
        return (
            f"Aggregates over logs are left out: they need {SEEDS} finished, measured seeds of a method on each of "
            f"{LOGS} logs with normalised scores, and no method has them; {_most(enough, comparison)}."
        )

    def scores_kept(choice: frozenset[str]) -> int:
        return len(choice) * sum(choice <= known for known in enough.values())

    best = max(sorted(choices, key=sorted), key=scores_kept)
    chosen = [log for log in logs if log.key in best]
    methods = [method for method in comparison.methods if best <= enough[method]]
    left_out = [method for method in comparison.methods if method not in methods]
    return Pool(chosen, {method: matrix(comparison, method, chosen) for method in methods}, left_out)


def _most(enough: dict[str, frozenset[str]], comparison: Comparison) -> str:
    counts = [len(comparison.scored(method, log)) for method in comparison.methods for log in comparison.logs]
    logs = sum(log.unit == "score" for log in comparison.logs)
    return f"here are at most {plural(max(counts, default=0), 'such seed')} on a log, and {plural(logs, 'such log')}"


def seeds_of(comparison: Comparison) -> list[int]:
    """Every seed that was trained, ascending."""
    return sorted({run.seed for run in comparison.runs})


def matrix(comparison: Comparison, method: str, logs: Sequence[Column]) -> np.ndarray:
    """A method's scores[seed, log], the seeds those of all methods, so that equal rows are equal seeds."""
    seeds = seeds_of(comparison)
    values = np.full((len(seeds), len(logs)), np.nan)
    for column, log in enumerate(logs):
        for run in comparison.scored(method, log):
            if outcome := run.outcome:
                values[seeds.index(run.seed), column] = outcome.value
    return values


def intervals(pooled: Pool) -> dict[str, dict[str, Interval]]:
    """Every statistic of every method, by the statistic's name and the method."""
    return {
        name: {method: interval(statistic, values) for method, values in pooled.scores.items()}
        for name, statistic, _ in STATISTICS
    }


def profiles(pooled: Pool, thresholds: np.ndarray) -> dict[str, Interval]:
    """The share of runs above each threshold, with its interval."""
    profile = partial(performance_profile, thresholds=thresholds)
    return {method: interval(profile, values, resamples=2000) for method, values in pooled.scores.items()}


def table(estimates: dict[str, dict[str, Interval]]) -> Table:
    """Methods by statistics."""
    methods = list(next(iter(estimates.values())))
    rows = [[Entry(method), *(_entry(estimates[name][method]) for name, _, _ in STATISTICS)] for method in methods]
    return Table("Aggregates", "", ["method", *(name for name, _, _ in STATISTICS)], rows)


def _entry(estimate: Interval) -> Entry:
    return Entry(number(float(estimate.point)), span(float(estimate.low), float(estimate.high)))
