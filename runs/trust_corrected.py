"""The recorded logs as the corrected self-test would have judged them, as far as the record tells.

The record keeps every part's prediction, measurement and deviation, and of every policy its own deviation, but not what
of these the members and what the starts gave. All is taken to be the starts', which widens noise the most.
"""

import numpy as np

from micro_rl.reports.trust.record import Interval
from micro_rl.trust.evidence import decides_alone, deciding
from micro_rl.trust.options import Effort
from micro_rl.trust.self_test import self_test
from runs.trust_pairs import Log, Pair


def corrected(log: Log) -> Log:
    """The log, its test and its policies judged anew."""
    figures, effort = log.judgement, Effort()
    keys = ("predicted", "measured", "deviation")
    predicted, measured, deviation = (np.array([part[key] for part in figures["folds"]]) for key in keys)
    noise = np.sqrt(np.maximum(deviation**2 - figures["unexplained"] ** 2, 0))
    test = self_test(predicted, measured, noise * _overlap(effort.fold_starts, figures["windows"] / len(measured)))
    alone = decides_alone(test.explained, figures["fqe_explained"])
    overlap = _overlap(effort.starts, figures["windows"])

    def anew(pair: Pair) -> Pair:
        own = pair.evidence
        apart = max(0.0, own.deviation**2 - figures["unexplained"] ** 2) * overlap**2
        half, mean = test.width * float(np.hypot(np.sqrt(apart), test.unexplained)), own.model.mean
        model = Interval(mean, mean - own.unknown_cost - half, mean + own.unknown_gain + half)
        both = deciding(model, own.fqe, log.error, (test.slope, figures["fqe_slope"]), alone=alone)
        ranked = test.correlation if test.differ else None
        return pair._replace(evidence=own._replace(model=model, difference=both, correlation=ranked))

    return log._replace(
        judgement=figures | {"explained": test.explained, "alone": alone}, pairs=[anew(pair) for pair in log.pairs]
    )


def _overlap(starts: int, disjoint: float) -> float:
    """By what a mean over windows from so many starts is less certain, since so few of them do not overlap."""
    return float(np.sqrt(max(1.0, starts / max(1.0, disjoint))))
