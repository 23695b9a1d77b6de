"""What a fit is worth on episodes that it never saw: one step, the score of the unknown, and the plain set X(s, a).

The score's scales and limits are set on half of the held-out episodes and counted on the others (split-conformal
prediction). X(s, a) is MICRO's: a next state drawn by each elite; a true next state counts as inside where it lies
between the least and the greatest of them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.settings import Settings
from micro_rl.core.types import Scaling, Transition
from micro_rl.data import Dataset
from micro_rl.data.scaling import to_core
from micro_rl.dynamics.calibrated_set import judged_columns, measured, mix_of, size_of, unit_of
from micro_rl.dynamics.ensemble import Ensemble, inputs_of, predict, predicted_part
from micro_rl.dynamics.episode_holdout import fitted_rows, held_out_episodes
from micro_rl.dynamics.log_units import target_units
from micro_rl.dynamics.measure import horizon
from micro_rl.dynamics.quality_report import COVERED, EpisodeCoverage
from micro_rl.dynamics.support import Reference, disagreement, distance, excess, quantile, reference, usual

BLOCK = 4096
"""Rows that are scored at once."""
MOST_ROWS = 20_000
"""Held-out rows that are looked at, evenly through them."""


class _Rows(NamedTuple):
    """Held-out rows: their numbers in the log, and which of them calibrate."""

    number: Int[np.ndarray, " row"]
    calibrates: Bool[np.ndarray, " row"]


def coverage_of(
    dataset: Dataset, ensemble: Ensemble, scaling: Scaling, settings: ModelSettings
) -> EpisodeCoverage | None:
    """Measure a finished fit on the episodes that it kept out.

    Args:
        dataset: the log, raw units.
        ensemble: all members, best first.
        scaling: between raw units and the ensemble's.
        settings: the fit's, and training's where they say how many elites there are.

    Returns:
        The measurement; None where no episode was held out, none of a half can be learned from, or no column that is
        judged varies in them.
    """
    rows = _held_out(dataset, settings)
    if rows is None:
        return None
    training = settings if isinstance(settings, Settings) else Settings()
    elites = ensemble.best(training.num_elites)
    learned = np.flatnonzero(dataset.learnable(settings.keep_timeouts))[fitted_rows(dataset, settings)]
    fitted = to_core(dataset.rows(learned), scaling)
    known = reference(fitted, np.arange(len(learned)))
    log = to_core(dataset.rows(rows.number), scaling)
    inside, unit = between_draws(dataset, elites, log), unit_of(elites, fitted, judged_columns(dataset))
    if not inside.shape[1]:
        return None
    levels, coverage = covered(scored(elites, known, log, target_units(elites, fitted)), rows.calibrates)
    ahead = horizon(dataset, elites, scaling, rows.number[~rows.calibrates], 1)
    return EpisodeCoverage(
        episodes=len(held_out_episodes(dataset, settings.holdout_episodes)),
        rows=int((~rows.calibrates).sum()),
        error=ahead.error[0] if ahead else None,
        unchanged=ahead.unchanged[0] if ahead else None,
        levels=levels,
        coverage=coverage,
        inside=float(inside.all(1).mean()),
        inside_columns=float(inside.mean()),
        of_sets=covered_by_sets(measured(elites, known, unit, log), rows.calibrates, levels),
    )


def covered(parts: Float[np.ndarray, "row 3"], calibrates: Bool[np.ndarray, " row"]) -> tuple[list[float], list[float]]:
    """The levels for which there are enough rows, and the share of the other rows within the limit of each."""
    score = (parts / usual(parts[calibrates])).max(-1)
    limits = [quantile(score[calibrates], level) for level in COVERED]
    known = [(level, limit) for level, limit in zip(COVERED, limits, strict=True) if np.isfinite(limit)]
    return [level for level, _ in known], [float((score[~calibrates] <= limit).mean()) for _, limit in known]


def covered_by_sets(
    parts: Float[np.ndarray, "row 3"], calibrates: Bool[np.ndarray, " row"], levels: list[float]
) -> list[float]:
    """The share of the other rows whose next state is in the set that the calibrating half gives for each level."""
    ratio = parts[:, 0] / size_of(parts, mix_of(parts[calibrates]))
    return [float((ratio[~calibrates] <= quantile(ratio[calibrates], level)).mean()) for level in levels]


def scored(
    elites: Ensemble, known: Reference, log: Transition, unit: Float[np.ndarray, " out"]
) -> Float[np.ndarray, "row 3"]:
    """Distance, excess and disagreement of the two best elites, of true transitions in core units.

    Disagreement is in `unit`, that of each target.
    """
    count = len(np.asarray(log.reward))
    blocks = []
    for begin in range(0, count, BLOCK):
        taken = np.minimum(np.arange(begin, begin + BLOCK), count - 1)
        rows = Transition(*(jnp.asarray(np.asarray(part)[taken]) for part in log))
        blocks.append(np.asarray(_compiled_parts(elites, known, rows, jnp.asarray(unit)), np.float64)[: count - begin])
    return np.concatenate(blocks)


def between_draws(dataset: Dataset, elites: Ensemble, log: Transition) -> Bool[np.ndarray, "row column"]:
    """Whether each column of the true next state lies between the elites' draws; columns that vary, not exogenous."""
    following = np.asarray(log.next_observation)[:, : dataset.observation_size]
    mean, std = (np.asarray(part) for part in _compiled_predict(elites, *map(jnp.asarray, log[:2])))
    noise = np.random.default_rng(0).standard_normal(mean.shape)
    drawn = (mean + std * noise)[..., : dataset.observation_size]
    varies = np.ptp(following, axis=0) > 0
    varies[list(dataset.exogenous)] = False
    return ((drawn.min(0) <= following) & (following <= drawn.max(0)))[:, varies]


def _held_out(dataset: Dataset, settings: ModelSettings) -> _Rows | None:
    """The rows of the held-out episodes, of which every other one calibrates; None where a half is empty."""
    episodes = held_out_episodes(dataset, settings.holdout_episodes)
    episode = np.repeat(np.arange(len(dataset.stops)), dataset.lengths)
    held_out = np.flatnonzero(dataset.learnable(settings.keep_timeouts) & np.isin(episode, episodes))
    number = held_out[np.linspace(0, len(held_out) - 1, min(len(held_out), MOST_ROWS)).round().astype(int)]
    calibrates = np.isin(episode[number], episodes[::2])
    return _Rows(number, calibrates) if 0 < calibrates.sum() < len(number) else None


@jax.jit
def _compiled_parts(
    elites: Ensemble, known: Reference, rows: Transition, unit: Float[jax.Array, " out"]
) -> Float[jax.Array, "row 3"]:
    mean, _ = predict(elites, rows.observation, rows.action)
    first, second = (predicted_part(elites, mean[place]) for place in (0, min(1, elites.size - 1)))
    return jnp.stack(
        [
            distance(known, inputs_of(rows)),
            excess(known, rows.next_observation),
            disagreement(first, second, unit),
        ],
        axis=-1,
    )


_compiled_predict = jax.jit(predict)
