"""Statistics of scores[run, task]: aggregates, profiles, intervals, comparisons. See docs/guides/statistics.md."""

from micro_rl.reports.stats.aggregates import iqm, mean, median, optimality_gap, probability_of_improvement
from micro_rl.reports.stats.bootstrap import Interval, interval
from micro_rl.reports.stats.curves import efficiency_curve
from micro_rl.reports.stats.few_runs import t_interval
from micro_rl.reports.stats.pairs import Paired, paired
from micro_rl.reports.stats.profiles import average_score_profile, performance_profile
from micro_rl.reports.stats.ranks import average_rank, rank_distribution
from micro_rl.reports.stats.risk import area_under_curve, cvar
from micro_rl.reports.stats.scores import takes_batches

__all__ = [
    "Interval",
    "Paired",
    "area_under_curve",
    "average_rank",
    "average_score_profile",
    "cvar",
    "efficiency_curve",
    "interval",
    "iqm",
    "mean",
    "median",
    "optimality_gap",
    "paired",
    "performance_profile",
    "probability_of_improvement",
    "rank_distribution",
    "t_interval",
    "takes_batches",
]
