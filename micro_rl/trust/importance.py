"""Weighted per-decision importance sampling over the log's windows, and how many windows it rests on.

The log holds no propensities. The behaviour is a clone with Gaussian noise; the policy is its mode with the same
noise, since a deterministic policy has no density. The effective sample size (sum w)^2 / sum w^2 tells what is left of
the windows after so many steps: where it is a handful, there is no estimate.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

LARGEST = 30.0
"""Log-ratios of a window are cut here: beyond, one window is all the weight in any case."""


class Weighted(NamedTuple):
    """The estimated return of a window, raw units, and the effective sample size after its first and its last step."""

    value: float
    first: float
    last: float


def log_ratios(
    action: Float[np.ndarray, "window step act"],
    policy: Float[np.ndarray, "window step act"],
    behaviour: Float[np.ndarray, "window step act"],
    noise: Float[np.ndarray, " act"],
) -> Float[np.ndarray, "window step"]:
    """log pi(a|s) - log b(a|s) of two Gaussians with these means and one deviation."""
    variance = 2 * np.maximum(noise, 1e-3) ** 2
    return (((action - behaviour) ** 2 - (action - policy) ** 2) / variance).sum(-1)


def estimate(
    ratios: Float[np.ndarray, "window step"],
    rewards: Float[np.ndarray, "window step"],
    there: Bool[np.ndarray, "window step"],
) -> Weighted:
    """The estimate from windows of equal length.

    Args:
        ratios: logarithms, as `log_ratios` gives them.
        rewards: raw units.
        there: false after a terminal, where nothing is collected and the weight stays as it is.
    """
    total = np.clip(np.cumsum(np.where(there, ratios, 0.0), axis=1), -LARGEST, LARGEST)
    weights = np.exp(total - total.max(0))
    sums = weights.sum(0)
    value = ((weights * np.where(there, rewards, 0.0)).sum(0) / sums).sum()
    effective = sums**2 / (weights**2).sum(0)
    return Weighted(float(value), float(effective[0]), float(effective[-1]))
