"""Calibrate the judge: what is usual for true transitions of folds that its members did not see."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from micro_rl.core.types import Scaling
from micro_rl.data import Dataset
from micro_rl.data.stretches import Stretches
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.support import Reference, quantile, usual
from micro_rl.trust.judge import compiled_parts, strangers
from micro_rl.trust.starts import core_rows

INSIDE = 0.99
"""Share of true transitions that the limit lets pass."""
WINDOWS_INSIDE = 0.95
"""Share of true windows that stay known."""
BLOCK = 4096


class Calibrated(NamedTuple):
    """Scales of the parts, the limit of their maximum, steps above it that a true window may have; what passes.

    `coverage` is the share of true transitions below a limit that was set without their own fold.
    """

    scales: Float[np.ndarray, " 3"]
    limit: float
    allowed: float
    coverage: float


def calibrate(
    dataset: Dataset,
    scaling: Scaling,
    ensemble: Ensemble,
    known: Reference,
    windows: Stretches,
    fold: Int[np.ndarray, " window"],
) -> Calibrated:
    """Score the true transitions of windows by members that saw none of their fold.

    Args:
        dataset: the log.
        scaling: the judge's units.
        ensemble: the members.
        known: what each measures distances to.
        windows: of the log.
        fold: of each window.
    """
    rows, there = windows.rows()
    there = there & dataset.usable[rows]
    parts = np.full((*rows.shape, 3), np.nan)
    for number in np.unique(fold):
        chosen = np.flatnonzero(fold == number)
        inside = there[chosen]
        member = strangers(int(number), ensemble.size)[0]
        scored = _scored(dataset, scaling, ensemble, known, rows[chosen][inside], member)
        block = parts[chosen]
        block[inside] = scored
        parts[chosen] = block
    return _limits(parts, there, fold)


def _limits(parts: Float[np.ndarray, "window step 3"], there: np.ndarray, fold: np.ndarray) -> Calibrated:
    scales = usual(parts[there])
    score = np.where(there, (np.where(np.isnan(parts), 0, parts) / scales).max(-1), 0.0)
    limit = _finite(quantile(score[there], INSIDE), score)
    above = (score > limit).sum(1).astype(np.float64)
    allowed = _finite(quantile(above, WINDOWS_INSIDE), above)
    passing = []
    for number in np.unique(fold):
        own = fold == number
        other = quantile(score[~own][there[~own]], INSIDE)
        passing.append(score[own][there[own]] <= other)
    return Calibrated(scales, limit, allowed, float(np.concatenate(passing).mean()))


def _finite(limit: float, values: np.ndarray) -> float:
    return limit if np.isfinite(limit) else float(values.max())


def _scored(
    dataset: Dataset, scaling: Scaling, ensemble: Ensemble, known: Reference, rows: np.ndarray, member: int
) -> Float[np.ndarray, "row 3"]:
    """The parts of the score of these rows by one member and its neighbour, block by block."""
    pair = jax.tree.map(lambda leaf: leaf[np.array([member, (member + 1) % ensemble.size])], ensemble.members.net)
    two = ensemble.__class__(
        ensemble.members.__class__(pair, ensemble.members.max_logvar, ensemble.members.min_logvar),
        ensemble.input_mean,
        ensemble.input_std,
        ensemble.target_mean,
        ensemble.target_std,
    )
    near = jax.tree.map(lambda leaf: leaf[np.array([member, member])], known)
    scored = []
    for begin in range(0, len(rows), BLOCK):
        taken = np.resize(rows[begin : begin + BLOCK], BLOCK)
        core = jax.tree.map(
            lambda part: jnp.broadcast_to(part[None], (2, *part.shape)), core_rows(dataset, taken, scaling)
        )
        scored.append(np.asarray(compiled_parts(two, near, core)[0], np.float64)[: len(rows) - begin])
    return np.concatenate(scored) if scored else np.zeros((0, 3))
