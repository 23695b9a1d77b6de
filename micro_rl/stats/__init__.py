"""Statistics of scores[run, task]: aggregates, profiles, intervals, comparisons. See docs/statistics.md."""

from micro_rl.stats.aggregates import iqm, mean, median, optimality_gap, probability_of_improvement
from micro_rl.stats.bootstrap import Interval, interval
from micro_rl.stats.pairs import Paired, paired
from micro_rl.stats.profiles import average_score_profile, performance_profile
from micro_rl.stats.robustness import area_under_curve, cvar

__all__ = [
    "Interval",
    "Paired",
    "area_under_curve",
    "average_score_profile",
    "cvar",
    "interval",
    "iqm",
    "mean",
    "median",
    "optimality_gap",
    "paired",
    "performance_profile",
    "probability_of_improvement",
]
