"""Two methods on the same seeds: is the difference more than luck?"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from micro_rl.reports.stats.aggregates import mean
from micro_rl.reports.stats.bootstrap import Interval, interval, matched
from micro_rl.reports.stats.few_runs import FEW, t_interval
from micro_rl.reports.stats.scores import Listed, present

EXACT = 16
"""So many pairs have all their signs tried; more are drawn."""
DRAWS = 9_999


class Paired(NamedTuple):
    """Mean of x - y with its interval, two-sided p values, number of pairs, and the smallest p that they allow."""

    difference: Interval
    wilcoxon_p: float
    flip_p: float
    pairs: int
    smallest_p: float

    @property
    def caution(self) -> str:
        """What so few pairs cannot show, in words; empty where they can show a difference at 5 %."""
        alone, weak = bool(np.isnan(self.difference.low)), self.smallest_p > 0.05
        noun = "pair" if self.pairs == 1 else "pairs"
        least = f"{self.pairs} {noun}: p cannot be below {self.smallest_p:g}, however large the difference"
        return "; ".join([least] * weak + ["no interval, since a task has a single pair"] * alone)


def paired(
    x: Float[np.ndarray, "run task"] | Listed,
    y: Float[np.ndarray, "runs tasks"] | Listed,
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Paired:
    """Compare two methods run by run, where run i of a task had the same seed (log, ensemble) in both.

    A pair is a run of a task; one with a missing half is left out. `flip_p` is the test that flips the signs of the
    pairs' differences (Fisher, 1935), exact up to 16 pairs, with 9,999 random choices of signs beyond; `wilcoxon_p` is
    Wilcoxon's signed-rank test, zeros left out. With n pairs neither can be below 2 / 2^n: see `caution`. Both speak of
    these tasks alone. Where a seed's runs on several tasks hang together, it is one pair: give the means over tasks,
    x.mean(1, keepdims=True).

    Args:
        x: Scores [run, task] of the one method, NaN where a run is missing.
        y: Those of the other, of the same shape.
        confidence: Of the interval of the mean difference (mean over tasks): `t_interval` where a task has fewer than
            10 pairs, where the bootstrap's is too narrow, and else that, which draws pairs anew within each task.
        resamples: Number drawn for the interval.
        seed: Of the draws.

    Returns:
        The mean of x - y with its interval, both p values (two-sided), and how many pairs there were.

    Raises:
        UserError: The shapes differ, or scores that `scores.checked` refuses.
    """
    first, second = matched(x, y)
    differences = first - second
    complete = present(differences)
    values, pairs = differences[complete], int(complete.sum())
    if complete.sum(0).min() < FEW:
        difference = t_interval(differences, confidence=confidence)
    else:
        difference = interval(mean, differences, confidence=confidence, resamples=resamples, seed=seed)
    flip_p = _flip_p((differences / complete.sum(0))[complete], seed)
    return Paired(difference, _wilcoxon_p(values), flip_p, pairs, 2.0 ** (1 - pairs))


def _flip_p(values: Float[np.ndarray, " pair"], seed: int) -> float:
    """Share of the choices of signs whose sum lies at least as far from zero; random ones count the given one in."""
    from scipy import stats  # slow to import

    if len(values) < 2:
        return 1.0  # SciPy refuses a single pair
    choices = 2**EXACT if len(values) <= EXACT else DRAWS
    result = stats.permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=choices, batch=4096, rng=seed
    )
    return float(result.pvalue)


def _wilcoxon_p(values: Float[np.ndarray, " pair"]) -> float:
    """Two-sided; 1 where no pair differs."""
    from scipy import stats  # slow to import

    values = values[values != 0]
    if not len(values):
        return 1.0
    result: Any = stats.wilcoxon(values)
    return float(result.pvalue)
