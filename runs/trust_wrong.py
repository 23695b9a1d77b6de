"""Where the trust study's intervals miss the truth, and why: figures for its page."""

from collections.abc import Callable

import numpy as np

from micro_rl.core.wording import number
from micro_rl.reports.trust.record import BETTER, WORSE, BaselineError, Interval, spanning
from micro_rl.trust.evidence import deciding
from micro_rl.trust.verdict import Thresholds
from runs.trust_pairs import Log, Pair, table, totals

Way = Callable[[Log, Pair], Interval]
"""What decides of a pair."""
REASONS = "too little support", "estimated no better", "too wide an interval", "another gate"
"""What keeps a policy from being called better, in the order in which it is asked."""


def _as_it_is(log: Log, pair: Pair) -> Interval:
    return pair.evidence.difference


def _by(log: Log, pair: Pair, error: BaselineError | None, *, alone: bool) -> Interval:
    slopes = log.judgement["slope"], log.judgement["fqe_slope"]
    return deciding(pair.evidence.model, pair.evidence.fqe, error, slopes, alone=alone)


def _from_measured(log: Log, pair: Pair) -> Interval:
    error, slopes = log.error, (log.judgement["slope"], log.judgement["fqe_slope"])
    own = zip((pair.evidence.model, pair.evidence.fqe), slopes, error, strict=True)
    model, fqe = (Interval(*(end + slope * beyond for end in interval)) for interval, slope, beyond in own)
    return model if log.alone else spanning(model, fqe)


def _narrowed(share: float) -> Way:
    """Intervals so much as wide, about the same estimate."""

    def way(log: Log, pair: Pair) -> Interval:
        mean, low, high = pair.evidence.difference
        return Interval(mean, mean - share * (mean - low), mean + share * (high - mean))

    return way


WAYS: dict[str, Way] = {
    "as it is": _as_it_is,
    "both estimators, always": lambda log, pair: _by(log, pair, log.error, alone=False),
    "the model's, always": lambda log, pair: _by(log, pair, log.error, alone=True),
    "as it is, but from the clones' estimate alone": lambda log, pair: _by(log, pair, None, alone=log.alone),
    "as it is, but from what was measured alone": _from_measured,
    "as it is, but three quarters as wide": _narrowed(0.75),
    "as it is, but half as wide": _narrowed(0.5),
}


def against(log: Log, way: Way) -> Log:
    """The log as if its policies had been judged another way."""
    pairs = [pair._replace(evidence=pair.evidence._replace(difference=way(log, pair))) for pair in log.pairs]
    return log._replace(pairs=pairs)


def ways(logs: list[Log], frozen: dict[str, Thresholds]) -> str:
    """What may decide, counted over the logs."""
    rows = []
    for name, way in WAYS.items():
        own = [against(log, way) for log in logs]
        sums = totals(own, frozen)
        worse = sum(pair.said(frozen[log.name]) == WORSE for log in own for pair in log.pairs)
        half = float(np.mean([log.half_width for log in own]))
        rows.append(
            [
                name,
                f"{sums.covered} of {sums.pairs}",
                f"{sums.false} of {sums.worse}",
                f"{sums.silent} of {sums.better}",
                f"{worse}",
                f"{100 * half:.0f} %",
            ]
        )
    head = ["what decides", "holds the truth", "worse, called better", "better, not shown", "called worse"]
    return table([*head, "half width"], rows)


def estimators(logs: list[Log]) -> str:
    """What the self-tests explain, and what the estimates of clones and policies miss."""
    rows = []
    for log in logs:
        error = log.judgement["baseline_error"]
        own = [median([abs(pair.too_high[place]) for pair in log.pairs]) for place in (0, 1)]
        tested = (f"{100 * max(0.0, log.judgement[key]):.0f} %" for key in ("explained", "fqe_explained"))
        measured = number(log.judgement["measured"])
        rows.append([log.name, measured, *tested, number(error["model"]), number(error["fqe"]), *own])
    head = ["log", "measured", "the model explains", "FQE explains", "clones, by the model", "by FQE"]
    return table([*head, "policies, by the model", "by FQE"], rows)


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
            least = log.judgement["window_rewards"][0]
            counts = (
                len(missed),
                sum(pair.truth < pair.evidence.difference.low for pair in missed),
                sum(not pair.vouched_for(frozen[log.name]) for pair in missed),
                sum(pair.value / log.judgement["window"] < least for pair in missed),
                sum(pair.said(frozen[log.name]) == BETTER for pair in missed),
            )
            rows.append([log.name, *map(str, counts), number(least)])
    head = ["log", "missed", "truth below", "too little support", "less a step than the log's worst window"]
    return table([*head, "called better", "of that window"], rows)


def silent(logs: list[Log], frozen: dict[str, Thresholds]) -> str:
    """Why better policies are not shown to be, each by the first of the reasons that holds, log by log."""
    rows = []
    for log in logs:
        why = [_reason(pair, frozen[log.name]) for pair in log.pairs if pair.truly > 0]
        if counted := [word for word in why if word]:
            rows.append([log.name, f"{len(counted)} of {len(why)}", *(f"{counted.count(word)}" for word in REASONS)])
    return table(["log", "better, not shown", *REASONS], rows)


def _reason(pair: Pair, thresholds: Thresholds) -> str | None:
    """What keeps a policy from being called better."""
    if pair.said(thresholds) == BETTER:
        return None
    stops = not pair.vouched_for(thresholds), pair.evidence.difference.mean <= 0, pair.evidence.difference.low <= 0
    return next((reason for reason, stop in zip(REASONS, stops, strict=False) if stop), REASONS[-1])


def median(values: list[float]) -> str:
    """As the page writes it."""
    return number(float(np.median(values)))
