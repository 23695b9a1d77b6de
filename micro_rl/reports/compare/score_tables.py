"""What each method scores on each log: the mean of its seeds, and how far it can be trusted."""

from math import isfinite
from typing import NamedTuple

import numpy as np

from micro_rl.core.metric_keys import WINDOW_DIFFERENCE
from micro_rl.core.wording import number, plural
from micro_rl.reports.compare.compared_runs import Outcome, Run
from micro_rl.reports.compare.comparison import Column, Comparison
from micro_rl.reports.compare.table import Entry, Table
from micro_rl.reports.run.record import sane
from micro_rl.reports.stats import Interval, interval, mean, t_interval
from micro_rl.reports.stats.few_runs import FEW

OPINION = (
    "The gain a window over the log is the opinion of the run’s own model or the one that scores it, in the mean over "
    "seeds and from the least to the most; it is usually too high. "
)


class Score(NamedTuple):
    """A method on a log: `values` of its finished seeds, their mean and its 95 % interval (NaN below two seeds)."""

    method: str
    log: Column
    runs: list[Run]
    values: list[float]
    mean: float
    low: float
    high: float


def scores(comparison: Comparison) -> list[Score]:
    """Of every method and log with a finished run that a simulator measured, in their order."""
    return [
        _score(method, log, runs)
        for method in comparison.methods
        for log in comparison.logs
        if (runs := comparison.scored(method, log))
    ]


def _score(method: str, log: Column, runs: list[Run]) -> Score:
    values = [estimate.value for run in runs if (estimate := run.outcome)]
    estimate = over_seeds(values)
    return Score(method, log, runs, values, float(estimate.point), float(estimate.low), float(estimate.high))


def over_seeds(values: list[float]) -> Interval:
    """Mean and 95 % interval: Student's of few seeds, where the bootstrap's is far too narrow; NaN ends below two."""
    column = np.array(values)[:, None]
    return t_interval(column) if len(values) < FEW else interval(mean, column)


def span(low: float, high: float) -> str:
    """An interval in words, "" where there is none."""
    return f"{number(low)} to {number(high)}" if isfinite(low) and isfinite(high) else ""


def table(comparison: Comparison) -> Table:
    """Methods by logs; the log's own episodes in the last two rows, and the best evaluation nowhere."""
    known = {(score.method, score.log.key): score for score in scores(comparison)}
    rows = [
        [
            Entry(method),
            *(_entry(known.get((method, log.key)), comparison.cell(method, log), log) for log in comparison.logs),
        ]
        for method in comparison.methods
    ]
    for name, values in (
        ("log’s mean", [log.mean for log in comparison.logs]),
        ("log’s best episode", _bests(comparison)),
    ):
        rows.append([Entry(name), *(Entry("–" if value is None else number(value)) for value in values)])
    columns = ["method", *(log.name if log.unit == "score" else f"{log.name} (return)" for log in comparison.logs)]
    return Table("Scores", _caption(comparison), columns, rows)


def _bests(comparison: Comparison) -> list[float | None]:
    return [log.best for log in comparison.logs]


def _entry(score: Score | None, runs: list[Run], log: Column) -> Entry:
    """The score, or why there is none."""
    if score:
        seeds = plural(len(score.values), "seed")
        return Entry(number(score.mean), ", ".join(filter(None, [span(score.low, score.high), seeds, far(score.runs)])))
    if not runs:
        return Entry("–")
    measured = [_apart(run, outcome, log) for run in runs if (outcome := run.outcome)]
    if not measured:
        return Entry("not measured" if any(run.finished for run in runs) else "–", _why_not(runs) or _opinion(runs))
    return Entry("–", "; ".join(measured))


def _apart(run: Run, outcome: Outcome, log: Column) -> str:
    """What a run reached that is in no mean: it is not finished, or its figure has another unit than the column's."""
    value = number(outcome.value) if outcome.unit == log.unit else f"{outcome.unit} {number(outcome.value)}"
    return value if outcome.final else f"so far {value}, {far([run])}"


def _why_not(runs: list[Run]) -> str:
    if any(run.state == "diverged" for run in runs):
        return "diverged"
    return "" if any(run.finished for run in runs) else "not finished"


def _opinion(runs: list[Run]) -> str:
    """What models say of runs that no simulator measured: their mean, and how far the seeds lie apart."""
    gains = [
        value
        for run in runs
        if WINDOW_DIFFERENCE in run.record.scores
        and sane(value := float(run.record.scores[WINDOW_DIFFERENCE]["mean_of_last"]))
    ]
    if not gains:
        return ""
    ends = f", {number(min(gains))} to {number(max(gains))}" if len(gains) > 1 else ""
    return f"gain a window, by a model’s opinion: {number(sum(gains) / len(gains))}{ends}, {plural(len(gains), 'seed')}"


def far(runs: list[Run]) -> str:
    """How long they were trained, where that is not what was planned for all of them."""
    trained = sorted({run.epochs for run in runs})
    planned = sorted({run.planned for run in runs})
    if trained == planned or not trained:
        return ""
    text = " to ".join(dict.fromkeys(f"{epochs:,}" for epochs in (trained[0], trained[-1])))
    return f"{text} of {plural(planned[-1], 'epoch')}" if planned[-1] else f"{text} epochs"


def _caption(comparison: Comparison) -> str:
    units = {log.unit for log in comparison.logs}
    what = "Normalised scores: 0 is a random policy, 100 an expert." if "score" in units else "Returns."
    asked = {run.column for run in comparison.runs if run.outcome}
    if any(log.key not in asked for log in comparison.logs):
        gain = any(WINDOW_DIFFERENCE in run.record.scores for run in comparison.runs)
        judged = f"micro-rl trust judges these policies by their log. {OPINION if gain else ''}"
        what = f"Not measured: no simulator was asked; {judged}{what}"
    return (
        f"{what} A run’s score is the mean of its last ten evaluations, never the best one; shown is the mean over "
        f"seeds, with its 95 % interval where there are two seeds or more: Student’s below {FEW} seeds, which is wide "
        "because so few seeds tell little, and the bootstrap’s from there on."
    )
