"""An interval of the mean that stays honest with three runs, at the price of assuming a normal distribution."""

import numpy as np
from jaxtyping import Float

from micro_rl.errors import UserError
from micro_rl.reports.stats.aggregates import mean
from micro_rl.reports.stats.bootstrap import Interval
from micro_rl.reports.stats.scores import Listed, checked, present, task_means

FEW = 10
"""Runs of a task from which on the bootstrap's interval is about as wide as it says: docs/guides/statistics.md."""


def t_interval(scores: Float[np.ndarray, "run task"] | Listed, *, confidence: float = 0.95) -> Interval:
    """Student's interval of `mean(scores)`, each task with a variance of its own; for x - y of pairs too.

    The standard error is sqrt(sum(s^2 / n)) / tasks over the tasks' variances s^2, the degrees of freedom are those of
    Welch (1947) and Satterthwaite (1946).

    Args:
        scores: Array [run, task], NaN where a run is missing.
        confidence: Share of data sets whose interval should hold the truth, in (0, 1).

    Returns:
        Point and ends, in the unit of the scores; both ends are NaN where a task has a single run.

    Raises:
        UserError: Scores that `scores.checked` refuses, or a confidence not in (0, 1).
    """
    if not 0 < confidence < 1:
        raise UserError(f"confidence {confidence}: between 0 and 1 needed")
    from scipy.special import stdtrit  # slow to import

    scores, point = checked(scores), mean(scores)
    runs = present(scores).sum(0)
    if runs.min() < 2:
        return Interval(point, np.nan, np.nan)
    apart = np.where(present(scores), scores - task_means(scores), 0.0)
    shares = (apart**2).sum(0) / (runs - 1) / runs
    if not shares.any():
        return Interval(point, point, point)
    freedom = shares.sum() ** 2 / (shares**2 / (runs - 1)).sum()
    reach = stdtrit(freedom, (1 + confidence) / 2) * np.sqrt(shares.sum()) / scores.shape[1]
    return Interval(point, point - reach, point + reach)
