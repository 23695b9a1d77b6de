"""How much of the noise that the members predict their rollouts take, as parts of the log that they did not see tell.

What a member says will vary is the system's own noise and what the member itself gets wrong. The latter is no noise: it
is the same wherever the same is done. Drawn anew at every step it shakes what would stand still, and a policy that
balances something collects too little. No single row tells one from the other; what whole windows return does.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from micro_rl.trust.self_test import GAIN, SelfTest, self_test

SHARES = (1.0, 0.5, 0.0)
"""That are tried, all of it first."""


class Tried(NamedTuple):
    """What rollouts with each of the shares predict of every fold, the deviation of that, and what folds returned."""

    shares: tuple[float, ...]
    predicted: Float[np.ndarray, "share fold"]
    deviation: Float[np.ndarray, "share fold"]
    measured: Float[np.ndarray, " fold"]


def settled(tried: Tried) -> tuple[float, SelfTest]:
    """The share that predicts best, and the test, in which every fold is predicted with the share the others choose."""
    shares, predicted, deviation, measured = tried
    folds = np.arange(len(measured))
    others = [_best(np.delete(predicted, fold, axis=1), np.delete(measured, fold)) for fold in folds]
    return shares[_best(predicted, measured)], self_test(predicted[others, folds], measured, deviation[others, folds])


def _best(predicted: Float[np.ndarray, "share fold"], measured: Float[np.ndarray, " fold"]) -> int:
    """The number of the share with the least squared error; all of the noise, unless it is beaten clearly."""
    squares = ((predicted - measured) ** 2).sum(1)
    best = int(squares.argmin())
    return best if squares[best] < GAIN * squares[0] else 0
