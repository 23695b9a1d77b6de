"""Measure a fitted ensemble on rows of its log: how its error grows with the steps ahead, and what its intervals hold.

The rows that a fit held out are single rows, not episodes. One step is therefore judged on rows that no member saw.
A stretch of several steps begins at such a row and then runs over rows of which most were fitted, which may flatter.
"""

from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.settings import Settings
from micro_rl.core.types import Scaling, Transition
from micro_rl.data import Dataset
from micro_rl.data.scaling import to_core
from micro_rl.dynamics.ensemble import CONSTANT, Ensemble, gaussians, inputs_of, predict, standardise, targets_of
from micro_rl.dynamics.episode_holdout import fitted_rows
from micro_rl.dynamics.quality_report import INTERVAL, LARGEST, MOST_STEPS, Calibration, Horizon, ModelReport

STEPS = 10
"""Steps ahead, where training's rollouts are not longer."""
MOST_ROWS = 1000
"""Held-out rows that are looked at."""
MOST_PREDICTIONS = 10_000
"""Steps of a member that are made: long stretches begin at fewer rows."""
LEAST_SHARE = 0.1
"""Of the held-out rows that a stretch must begin at: where episodes are short, so is the stretch."""
SAMPLE = 100_000
"""Rows, evenly spaced, that tell the spread of the log's observations."""
LEVELS = (0.5, 0.8, INTERVAL, 0.95)


def report_of(
    dataset: Dataset,
    ensemble: Ensemble,
    scaling: Scaling,
    holdout: Int[Array | np.ndarray, " row"],
    settings: ModelSettings,
) -> ModelReport | None:
    """Measure a finished fit on the rows that it held out; draws no random number.

    Args:
        dataset: The log, raw units.
        ensemble: All members, best first.
        scaling: Between raw units and the ensemble's.
        holdout: Numbers of the held-out rows among those that the fit saw.
        settings: The fit's, and training's where they say how long rollouts are and how many elites make them.

    Returns:
        The report of the elites; None where there is nothing to measure.
    """
    training = settings if isinstance(settings, Settings) else Settings()  # a fit alone knows of no training
    steps = min(max(STEPS, training.rollout_length), MOST_STEPS)
    learned = np.flatnonzero(dataset.learnable(settings.keep_timeouts))[fitted_rows(dataset, settings)]
    rows = learned[np.asarray(holdout)]
    report = measure(dataset, ensemble.best(training.num_elites), scaling, rows[:MOST_ROWS], steps)
    return None if report.horizon is None and report.calibration is None else report


def measure(
    dataset: Dataset, elites: Ensemble, scaling: Scaling, rows: Int[np.ndarray, " row"], steps: int
) -> ModelReport:
    """Both measurements from these rows of the log, in random order, each with a true next observation."""
    return ModelReport(
        elites.size, horizon(dataset, elites, scaling, rows, steps), calibration(dataset, elites, scaling, rows)
    )


def horizon(
    dataset: Dataset, elites: Ensemble, scaling: Scaling, rows: Int[np.ndarray, " row"], steps: int
) -> Horizon | None:
    """Each elite follows the log's actions from the same starts by its own mean predictions, at most so many steps.

    The stretch is the longest that a tenth of the rows can begin inside their episodes.
    """
    spread = _spread(dataset)
    if not len(rows) or not spread.any():
        return None
    lasting = lasts(dataset, rows, steps)
    steps = int(np.quantile(lasting, 1 - LEAST_SHARE, method="inverted_cdf"))
    starts = rows[lasting >= steps][: max(1, MOST_PREDICTIONS // steps)]
    path = starts[None] + np.arange(steps)[:, None]  # [step, start]
    log = to_core(dataset.rows(path.reshape(-1)), scaling)
    width = dataset.observation_size
    first, actions, truth = (
        np.asarray(part).reshape(*path.shape, -1)
        for part in (log.observation, log.action, np.asarray(log.next_observation)[:, :width])
    )
    after = outside = None
    if dataset.exogenous:
        after = jnp.asarray(np.asarray(log.next_observation).reshape(*path.shape, -1))
        outside = jnp.asarray(np.isin(np.arange(after.shape[-1]), dataset.exogenous))
    predicted = np.asarray(_compiled_follow(elites, first[0], actions, after, outside))[..., :width]
    with np.errstate(all="ignore"):  # a model that runs away overflows
        return _errors(predicted, truth, first[0, :, :width], np.asarray(scaling.observation_std)[:width], spread)


def lasts(dataset: Dataset, rows: Int[np.ndarray, " row"], most: int) -> Int[np.ndarray, " row"]:
    """Steps from each row, at most so many, that the log holds one after the other in the same episode."""
    ended, last = dataset.terminals | dataset.timeouts, len(dataset) - 1
    alive, steps = dataset.usable[rows], np.zeros(len(rows), np.int64)
    for ahead in range(most):
        steps += alive
        at = np.minimum(rows + ahead, last)
        after = np.minimum(at + 1, last)
        foretold = (dataset.next_observations[at] == dataset.observations[after]).all(1)
        alive = alive & foretold & ~ended[at] & dataset.usable[after]
    return steps


def calibration(
    dataset: Dataset, elites: Ensemble, scaling: Scaling, rows: Int[np.ndarray, " row"]
) -> Calibration | None:
    """Shares of the true changes and rewards within the central intervals of the elites' Gaussians."""
    if not len(rows):
        return None
    raw, width = dataset.rows(rows), dataset.observation_size
    outcome = np.concatenate([raw.next_observation - raw.observation, raw.reward[:, None]], -1, dtype=np.float64)
    outcome = np.delete(outcome, np.s_[width : dataset.observations.shape[1]], 1)
    varies = outcome.std(0) > CONSTANT * np.abs(outcome).max(0) + 1e-12
    varies[list(dataset.exogenous)] = False
    distance = np.abs(np.asarray(_compiled_deviations(elites, to_core(raw, scaling))))  # [member, row, out]
    if not varies.any() or not np.isfinite(distance).all():
        return None
    limits = [NormalDist().inv_cdf((1 + level) / 2) for level in LEVELS]
    parts = distance[..., :-1][..., varies[:-1]], distance[..., -1:][..., varies[-1:]]
    observation, reward = ([float((part <= limit).mean()) for limit in limits] if part.size else [] for part in parts)
    return Calibration(len(rows), list(LEVELS), observation, reward)


def _errors(
    predicted: Float[np.ndarray, "step member start obs"],
    truth: Float[np.ndarray, "step start obs"],
    first: Float[np.ndarray, "start obs"],
    units: Float[np.ndarray, " obs"],
    spread: Float[np.ndarray, " obs"],
) -> Horizon | None:
    """All in core units, of which `units` are as large as so much raw; columns without spread do not count."""
    varies = spread > 0
    to_spread = (units[varies] / spread[varies]).reshape(1, 1, 1, -1)
    predicted, truth, first = (part[..., varies].astype(np.float64) for part in (predicted, truth, first))
    error = np.sqrt((((predicted - truth[:, None]) * to_spread) ** 2).mean((2, 3))).mean(1)
    unchanged = np.sqrt((((first[None] - truth) * to_spread[0]) ** 2).mean((1, 2)))
    disagreement = np.sqrt(((predicted * to_spread).var(1)).mean((1, 2)))
    sane = np.isfinite(error) & (error < LARGEST) & (unchanged < LARGEST) & (disagreement < LARGEST)
    steps = len(sane) if sane.all() else int(np.argmin(sane))
    if not steps:
        return None
    curves = (error, unchanged, disagreement if predicted.shape[1] > 1 else disagreement[:0])
    return Horizon(len(first), *(curve[:steps].tolist() for curve in curves))


def _spread(dataset: Dataset) -> Float[np.ndarray, " obs"]:
    """Standard deviation of every observed column; 0 for one that is constant but for rounding, or exogenous."""
    every = max(1, len(dataset) // SAMPLE)
    sample = dataset.observations[::every, : dataset.observation_size].astype(np.float64)
    std = sample.std(0)
    std[list(dataset.exogenous)] = 0.0
    return np.where(std > CONSTANT * np.abs(sample).max(0) + 1e-12, std, 0.0)


def _follow(
    elites: Ensemble,
    first: Float[Array, "start obs"],
    actions: Float[Array, "step start act"],
    after: Float[Array, "step start obs"] | None,
    outside: Bool[Array, " obs"] | None,
) -> Float[Array, "step member start obs"]:
    """Where each member's mean predictions lead it; in exogenous columns, as in rollouts, what the log observed."""

    def step(observation: Array, inputs: tuple[Array, Array | None]) -> tuple[Array, Array]:
        action, observed = inputs
        mean, _ = predict(elites, observation, jnp.broadcast_to(action, (elites.size, *action.shape)))
        following = mean[..., :-1]
        if outside is not None and observed is not None:
            following = jnp.where(outside, observed, following)
        return following, following

    _, path = jax.lax.scan(step, jnp.broadcast_to(first, (elites.size, *first.shape)), (actions, after))
    return path


def _deviations(elites: Ensemble, rows: Transition) -> Float[Array, "member row out"]:
    """How far the outcome lies from each member's mean, in that member's standard deviations."""
    mean, variance = gaussians(elites.members, standardise(inputs_of(rows), elites.input_mean, elites.input_std))
    targets = targets_of(rows, elites.target_mean.shape[0] - 1)
    return (standardise(targets, elites.target_mean, elites.target_std)[None] - mean) / jnp.sqrt(variance)


_compiled_follow, _compiled_deviations = jax.jit(_follow), jax.jit(_deviations)
