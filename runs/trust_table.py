"""The table of the trust study's page: a line for each log, what was said beside what is true."""

import numpy as np
from scipy.stats import spearmanr

from micro_rl.reports.trust.record import BETTER, WORSE
from micro_rl.trust import verdict
from micro_rl.trust.verdict import Thresholds
from runs.trust_pairs import Log, table

HEAD = [
    "log",
    "pairs",
    "window",
    "self-test explains",
    "rank correlation of the means",
    "of the ranking",
    "of the critics",
    "interval holds the truth",
    "worse, called better",
    "better, not shown",
    "called worse",
    "regret by trust",
    "by the critics",
    "of cloning",
]


def of_logs(logs: list[Log], thresholds: dict[str, Thresholds]) -> str:
    """The whole table."""
    return table(HEAD, [row(log, thresholds[log.name]) for log in logs])


def correlation(values: list[float], truth: list[float]) -> str:
    """Spearman's, to two digits."""
    return f"{spearmanr(values, truth)[0]:.2f}" if len(values) > 2 else "–"


def regret(log: Log, picked: float) -> str:
    """What a choice falls short of the best, the log's own behaviour among them, in per cent of the range."""
    values = [0.0, *(pair.truth for pair in log.pairs)]
    return f"{100 * (max(values) - picked) / (max(values) - min(values)):.0f} %"


def row(log: Log, thresholds: Thresholds) -> list[str]:
    """A log's line of the table."""
    pairs = log.pairs
    truth = [pair.truth for pair in pairs]
    said = [pair.said(thresholds) for pair in pairs]
    worse, better = ([place for place, pair in enumerate(pairs) if pair.truly == sign] for sign in (-1, 1))
    approved = [pair for pair, word in zip(pairs, said, strict=True) if word == BETTER]
    by_trust = max(approved, key=lambda pair: pair.evidence.difference.low).truth if approved else 0.0
    with_critics = [pair for pair in pairs if pair.critics is not None]
    by_critics = max(with_critics, key=lambda pair: pair.critics or 0.0).truth
    clones = [pair.truth for pair in pairs if pair.name.startswith("bc-")]
    return [
        log.name,
        f"{len(pairs)}",
        f"{log.judgement['window']}",
        f"{100 * max(0.0, log.judgement['explained']):.0f} %",
        correlation([pair.evidence.difference.mean for pair in pairs], truth),
        correlation([verdict.standing(pair.evidence.difference, log.judgement["explained"]) for pair in pairs], truth),
        correlation([pair.critics or 0.0 for pair in with_critics], [pair.truth for pair in with_critics]),
        f"{sum(pair.covered for pair in pairs)} of {len(pairs)}",
        f"{sum(said[place] == BETTER for place in worse)} of {len(worse)}",
        f"{sum(said[place] != BETTER for place in better)} of {len(better)}",
        f"{sum(word == WORSE for word in said)}",
        regret(log, by_trust),
        regret(log, by_critics),
        regret(log, float(np.mean(clones))),
    ]
