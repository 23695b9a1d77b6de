"""A ridge regression that bends: quick to fit to thousands of rows, and good enough to see what depends on what."""

import numpy as np
from jaxtyping import Float64

WIDEST = 24
"""Quantities whose products are taken; more are first turned to so many principal directions."""
RIDGE = 1e-4
FARTHEST = 5
"""Standard deviations at which a quantity is cut off, since its square would outweigh all others."""
BENDS = 200
"""Random rectified directions among the features."""


def features(quantities: Float64[np.ndarray, "row quantity"]) -> Float64[np.ndarray, "row feature"]:
    """Makes features of quantities: standardised, their products, random bends, and a one."""
    spread = quantities.std(0)
    scaled = ((quantities - quantities.mean(0)) / np.where(spread > 0, spread, 1))[:, spread > 0]
    scaled = np.clip(scaled, -FARTHEST, FARTHEST)
    base = scaled
    if scaled.shape[1] > WIDEST:
        _, turn = np.linalg.eigh(scaled.T @ scaled)
        base = scaled @ turn[:, -WIDEST:]
    left, right = np.triu_indices(base.shape[1])
    random = np.random.default_rng(0)
    directions = random.normal(size=(scaled.shape[1], BENDS)) / np.sqrt(scaled.shape[1])
    bent = np.maximum(0, scaled @ directions + random.uniform(-1, 1, BENDS))
    return np.concatenate([np.ones((len(scaled), 1)), scaled, base[:, left] * base[:, right], bent], axis=1)


def predicted(
    features: Float64[np.ndarray, "row feature"],
    targets: Float64[np.ndarray, "row target"],
    others: Float64[np.ndarray, "other feature"],
) -> Float64[np.ndarray, "other target"]:
    """Fits a ridge regression and predicts with it, never past the targets: a single far row would otherwise decide.

    Args:
        features: rows to fit, as `features` makes them.
        targets: what is to be predicted in these rows.
        others: the features of the rows to predict.

    Returns:
        The predictions, clipped to the range of each target.
    """
    centre = targets.mean(0)
    gram = features.T @ features
    gram[np.diag_indices_from(gram)] += RIDGE * len(features)
    weights = np.linalg.solve(gram, features.T @ (targets - centre))
    return np.clip(centre + others @ weights, targets.min(0), targets.max(0))
