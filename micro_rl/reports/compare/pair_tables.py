"""Two methods at a time: how probable it is that one beats the other, and whether seeds they share agree on it."""

from itertools import combinations

import numpy as np

from micro_rl.core.wording import number
from micro_rl.reports.compare.aggregate_tables import matrix
from micro_rl.reports.compare.comparison import Column, Comparison
from micro_rl.reports.compare.score_tables import span
from micro_rl.reports.compare.table import Entry, Table
from micro_rl.reports.stats import interval, paired, probability_of_improvement
from micro_rl.reports.stats.few_runs import FEW

FEWEST = 2
"""Seeds of each of the two on a log that is counted."""
MOST = 5
"""Methods that are compared each with each; of more, all are compared with one of them."""
FEWEST_FOR_P = 5
"""Seeds of each of the two on every log, below which the interval of P is far too narrow."""
CAPTION = (
    "P is the probability that a run of the first beats a run of the second on the same log (0.5: neither); it does "
    f"not say by how much. Its 95 % interval is shown from {FEWEST_FOR_P} seeds on, where it has a width. The paired "
    "columns compare runs of the same log and seed: the mean difference in score, with its 95 % interval (Student’s "
    f"below {FEW} pairs on a log), and the p values of Wilcoxon’s signed-rank test and of flipping the signs. They are "
    "not corrected for the number of rows."
)


def table(comparison: Comparison) -> Table | str:
    """A row for each pair with two seeds each on a common log, or why there is none."""
    if len(comparison.methods) < 2:
        return "There is only one method, so there are no pairs of methods."
    pairs, only = _pairs(comparison)
    if not pairs:
        return f"Pairs of methods are left out: no two have {FEWEST} finished, measured seeds each on one log."
    columns = ["pair", "P", "pairs of seeds", "difference", "p (Wilcoxon)", "p (signs)"]
    return Table("Pairs of methods", CAPTION + only, columns, [_row(comparison, *pair) for pair in pairs])


def _pairs(comparison: Comparison) -> tuple[list[tuple[str, str]], str]:
    """Those that have the seeds, and what is to be said: of many methods only those with the first one that has a pair.

    That one stands behind the others.
    """
    pairs = [pair for pair in combinations(comparison.methods, 2) if _logs(comparison, *pair)]
    if len({method for pair in pairs for method in pair}) <= MOST:
        return pairs, ""
    reference = pairs[0][0]
    with_it = [(other, reference) for method, other in pairs if method == reference]
    return with_it, f" With more than {MOST} methods each is compared with {reference} only."


def _logs(comparison: Comparison, method: str, other: str) -> list[Column]:
    """Those on which both have seeds enough, in one unit."""
    logs = [
        log
        for log in comparison.logs
        if min(len(comparison.scored(method, log)), len(comparison.scored(other, log))) >= FEWEST
    ]
    scored = [log for log in logs if log.unit == "score"]
    return scored or logs[:1]


def _row(comparison: Comparison, method: str, other: str) -> list[Entry]:
    logs = _logs(comparison, method, other)
    x, y = matrix(comparison, method, logs), matrix(comparison, other, logs)
    where = f"on {logs[0].name}" if len(logs) == 1 else f"on {len(logs)} logs"
    head = [
        Entry(f"{method} over {other}", where),
        _better(x, y),
    ]
    return head + _paired(x, y)


def _better(x: np.ndarray, y: np.ndarray) -> Entry:
    """P, and its interval where that says something."""
    if min((~np.isnan(scores)).sum(0).min() for scores in (x, y)) < FEWEST_FOR_P:
        return Entry(f"{float(probability_of_improvement(x, y)):.2f}")
    point, low, high = (float(end) for end in interval(probability_of_improvement, x, y))
    return Entry(f"{point:.2f}", f"{low:.2f} to {high:.2f}" if low < high else "")


def _paired(x: np.ndarray, y: np.ndarray) -> list[Entry]:
    shared = ~np.isnan(x) & ~np.isnan(y)
    columns = shared.sum(0) >= FEWEST
    if not columns.any():
        return [Entry("none"), Entry("–"), Entry("–"), Entry("–")]
    test = paired(x[:, columns], y[:, columns])
    apart = test.difference
    return [
        Entry(str(test.pairs), test.caution),
        Entry(number(float(apart.point)), span(float(apart.low), float(apart.high))),
        Entry(_p(test.wilcoxon_p)),
        Entry(_p(test.flip_p)),
    ]


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
