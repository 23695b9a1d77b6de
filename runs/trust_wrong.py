"""Where the trust study's intervals miss the truth, and why: figures for its page."""

from collections.abc import Callable

import numpy as np

from micro_rl.core.wording import number
from micro_rl.reports.trust.record import BETTER, WORSE, Interval, spanning
from micro_rl.trust.verdict import Thresholds
from runs.trust_pairs import Log, Pair, table, totals

Held = Callable[[Interval, float], Interval]
"""A difference from the clone of what made the log, and the error of the clone's estimate, to what decides."""
WAYS: dict[str, Held] = {
    "the clone's estimate alone": lambda interval, _: interval,
    "what was measured alone": lambda interval, error: Interval(*(end + error for end in interval)),
}


def against(log: Log, held: Held) -> Log:
    """The log as if its policies had been held against something else."""
    error, slope = log.judgement["baseline_error"], log.judgement["slope"]
    pairs = []
    for pair in log.pairs:
        evidence = pair.evidence
        span = spanning(held(evidence.model, slope * error["model"]), held(evidence.fqe, error["fqe"]))
        pairs.append(pair._replace(evidence=evidence._replace(difference=span)))
    return log._replace(pairs=pairs)


def ways(groups: dict[str, list[Log]], frozen: dict[str, Thresholds]) -> str:
    """What policies may be held against, counted over groups of logs."""
    rows = []
    for name, logs in groups.items():
        for way, held in {**WAYS, "both, which is what is done": None}.items():
            own = logs if held is None else [against(log, held) for log in logs]
            sums = totals(own, frozen)
            worse = sum(pair.said(frozen[log.name]) == WORSE for log in own for pair in log.pairs)
            rows.append(
                [
                    f"{name}: {way}",
                    f"{sums.covered} of {sums.pairs}",
                    f"{sums.false} of {sums.worse}",
                    f"{sums.silent} of {sums.better}",
                    f"{worse}",
                ]
            )
    return table(["held against", "holds the truth", "worse, called better", "better, not shown", "called worse"], rows)


def baselines(logs: list[Log]) -> str:
    """What the estimates of the clone miss of the log's return, beside what those of the policies miss of theirs."""
    rows = []
    for log in logs:
        error = log.judgement["baseline_error"]
        own = [median([abs(pair.too_high[place]) for pair in log.pairs]) for place in (0, 1)]
        alone = against(log, WAYS["the clone's estimate alone"])
        holding = [sum(pair.covered for pair in each.pairs) for each in (alone, log)]
        measured = number(log.judgement["measured"])
        rows.append([log.name, measured, number(error["model"]), number(error["fqe"]), *own, *map(str, holding)])
    head = ["log", "measured", "clone, by the model", "by FQE", "policies, by the model", "by FQE"]
    return table([*head, "holds the truth, from the clone", "from both"], rows)


def misses(logs: list[Log], frozen: dict[str, Thresholds]) -> str:
    """Pairs whose interval does not hold the truth, or that were called better and are worse."""
    rows = []
    for log in logs:
        for pair in log.pairs:
            word, own = pair.said(frozen[log.name]), pair.evidence.difference
            if not pair.covered or (pair.truly < 0 and word == BETTER):
                span = f"{number(own.mean)} [{number(own.low)}, {number(own.high)}]"
                high = [number(value) for value in pair.too_high]
                truth, support = f"{number(pair.truth)} ± {number(pair.error)}", f"{100 * pair.evidence.support:.0f} %"
                rows.append([log.name, pair.name, truth, span, *high, support, word])
    head = ["log", "policy", "truth", "estimate", "too high, by the model", "by FQE", "vouched for", "verdict"]
    return table(head, rows) if rows else "Nowhere."


def kinds(logs: list[Log], frozen: dict[str, Thresholds]) -> str:
    """What the pairs that are missed have in common, log by log."""
    rows = []
    for log in logs:
        missed = [pair for pair in log.pairs if not pair.covered]
        if missed:
            least = log.judgement["reward_range"][0]
            counts = (
                len(missed),
                sum(pair.truth < pair.evidence.difference.low for pair in missed),
                sum(_unlike(pair, frozen[log.name]) for pair in missed),
                sum(pair.value / log.judgement["window"] < least for pair in missed),
                sum(pair.said(frozen[log.name]) == BETTER for pair in missed),
            )
            rows.append([log.name, *map(str, counts), number(least)])
    head = ["log", "missed", "truth below", "too little support", "less a step than the log's worst reward"]
    return table([*head, "called better", "that reward"], rows)


def _unlike(pair: Pair, thresholds: Thresholds) -> bool:
    """Whether the log vouches for too few of its steps."""
    return pair.evidence.support < thresholds.support * pair.evidence.baseline_support


def median(values: list[float]) -> str:
    """As the page writes it."""
    return number(float(np.median(values)))
