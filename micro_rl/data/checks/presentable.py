"""A log that figures can be made of: nothing in it is NaN, infinity or a value that no measurement gives."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float32

from micro_rl.data.dataset import Dataset

FIELDS = ("observations", "actions", "rewards", "next_observations")


def presentable(dataset: Dataset) -> Dataset:
    """Puts other values of the column, drawn with a fixed seed, where there is NaN, infinity or an outlier."""
    random = np.random.default_rng(0)
    odd = dataset.outliers
    cells = [None] * 4 if odd is None else list(odd)
    filled = {name: _filled(getattr(dataset, name), bad, random) for name, bad in zip(FIELDS, cells, strict=True)}
    return dataset if all(filled[name] is getattr(dataset, name) for name in FIELDS) else replace(dataset, **filled)


def _filled(
    values: Float32[np.ndarray, "row ..."], odd: Bool[np.ndarray, "row column"] | None, random: np.random.Generator
) -> Float32[np.ndarray, "row ..."]:
    if odd is None and np.isfinite(values).all():
        return values
    filled = values.reshape(len(values), -1).copy()
    bad = ~np.isfinite(filled) if odd is None else ~np.isfinite(filled) | odd
    for column, wrong in zip(filled.T, bad.T, strict=True):
        good = column[~wrong]
        column[wrong] = random.choice(good, int(wrong.sum())) if len(good) else 0
    return filled.reshape(values.shape)
