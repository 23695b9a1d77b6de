"""What the nearest rows tell: how far an action is decided by the observation, and how densely a log is filled."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int
from scipy.spatial.distance import cdist

from micro_rl.reports.log.sample import FOLDS, Sample, few

QUERIES = 2_000
KNOWN = 8_000
BLOCK = 500
"""Rows asked at once: the table of their distances stays small."""
COUNTS = (1, 5, 20)
"""Numbers of neighbours that are tried; the best is reported."""


class Closeness(NamedTuple):
    """Median distance of a row (observation and action) to its nearest, over that of two rows drawn at random.

    `other` has the nearest among other episodes, `half` in a random half of the log, its own episode included.
    """

    other: float
    half: float


def nearest(
    queries: Float64[np.ndarray, "query column"], known: Float64[np.ndarray, "known column"], count: int
) -> tuple[Float64[np.ndarray, "query near"], Int[np.ndarray, "query near"]]:
    """Distances to the nearest known rows, and which they are, nearest first."""
    count = min(count, len(known))
    distances, places = [], []
    for start in range(0, len(queries), BLOCK):
        apart = cdist(queries[start : start + BLOCK], known)
        near = np.argpartition(apart, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(apart, near, 1), axis=1)
        places.append(np.take_along_axis(near, order, 1))
        distances.append(np.take_along_axis(apart, places[-1], 1))
    return np.concatenate(distances), np.concatenate(places)


def determinism(sample: Sample) -> float | None:
    """Share of the actions' variance (R²) that the nearest observations of other episodes tell; None if untellable.

    Near 1 the behaviour is a function of the observation, near 0 it is noise or depends on what was not observed.
    """
    every_query = few(sample, QUERIES)
    if len(sample.rows) < 2 * FOLDS or not sample.actions.shape[1] or not sample.observations.shape[1]:
        return None
    missed = dict.fromkeys(COUNTS, 0.0)
    for fold in range(FOLDS):
        queries = every_query[sample.fold[every_query] == fold]
        known = few(sample, KNOWN, sample.fold != fold)
        if not len(queries) or not len(known):
            continue
        _, places = nearest(sample.observations[queries], sample.observations[known], max(COUNTS))
        for count in COUNTS:
            predicted = sample.actions[known][places[:, :count]].mean(1)
            missed[count] += float(np.square(sample.actions[queries] - predicted).sum())
    total = float(np.square(sample.actions[every_query] - sample.actions[every_query].mean(0)).sum())
    return 1 - min(missed.values()) / total if total else None


def closeness(sample: Sample) -> Closeness | None:
    """How near the nearest rows are; None where there is too little to compare."""
    if len(sample.rows) < 2 * FOLDS or not sample.observations.shape[1] + sample.actions.shape[1]:
        return None
    joint = _joint(sample)
    random = np.random.default_rng(2)
    pairs = random.integers(len(joint), size=(2, QUERIES))
    typical = float(np.median(np.linalg.norm(joint[pairs[0]] - joint[pairs[1]], axis=1)))
    if not typical:
        return None
    half = random.random(len(joint)) < 0.5
    return Closeness(_median(sample, joint, sample.fold < 2) / typical, _median(sample, joint, half) / typical)


def _median(sample: Sample, joint: np.ndarray, queries: np.ndarray) -> float:
    """Of the distances from the rows `queries` selects to the nearest of the others."""
    chosen, known = few(sample, QUERIES, queries), few(sample, KNOWN, ~queries)
    return float(np.median(nearest(joint[chosen], joint[known], 1)[0])) if len(chosen) and len(known) else np.inf


def _joint(sample: Sample) -> Float64[np.ndarray, "row column"]:
    """Observation and action side by side, each weighing the same whatever its width."""
    parts = [part / np.sqrt(part.shape[1]) for part in (sample.observations, sample.actions) if part.shape[1]]
    return np.concatenate(parts, axis=1)
