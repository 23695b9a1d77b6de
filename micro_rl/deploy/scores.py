"""Whether an export scores its steps as its guard does, and as closely as single precision can."""

import numpy as np

from micro_rl.control.guard import FADING, FURTHEST, LARGEST, Before, Guard
from micro_rl.core.shapes import Float, Float64
from micro_rl.deploy.equality import EPSILON, TOLERANCE, Difference, Scores
from micro_rl.deploy.trial import BEGIN, Trial
from micro_rl.errors import UserError

STEPS_OF_ROUNDING = 2
"""Units in the last place of float32 that a sum may be off, for each magnitude that it adds up."""


def compared_scores(
    guard: Guard, trial: Trial, scores: Float[np.ndarray, " step"], difference: Difference, what: str
) -> Difference:
    """Compare an export's scores with its guard's.

    A score may differ by TOLERANCE of itself, or of 1 where it is less; where rounding the inputs and sums to float32
    may move it by more, by as much.

    Args:
        guard: the guard.
        trial: the steps.
        scores: what the export gave.
        difference: that of the decisions, to which this one is added.
        what: the export, for the message.

    Raises:
        UserError: a score differs by too much.
    """
    expected, loose = _expected(guard, trial)
    scale = np.maximum(expected, 1.0)
    with np.errstate(invalid="ignore"):
        gap = np.abs(scores.astype(np.float64) - expected) / scale
    wrong = ~(gap <= TOLERANCE + loose / scale)
    if wrong.any():
        step = int(np.argmax(wrong))
        raise UserError(
            f"export: the {what} does not score as the guard does: {scores[step]:.7g} is {expected[step]:.7g} at "
            f"observation {np.array2string(trial.observations[step], threshold=6, max_line_width=10**6)}; nothing was "
            "written"
        )
    beyond = gap > TOLERANCE
    largest, of_others = (float(gap[steps].max(initial=0)) for steps in (~beyond, beyond))
    return difference._replace(scores=Scores(largest, int(beyond.sum()), of_others))


def _expected(guard: Guard, trial: Trial) -> tuple[Float64[np.ndarray, " step"], Float64[np.ndarray, " step"]]:
    """The guard's score at every step, and by how much rounding may move it in float32."""
    scores, loose = np.empty(len(trial.kind)), np.empty(len(trial.kind))
    memory, error = guard.blank, np.zeros((2, guard.observation_size))
    for step, now in enumerate(trial.observations):
        begins = trial.kind[step] == BEGIN
        before = None if begins else Before(trial.observations[step - 1], trial.applied[step - 1], memory)
        reading = guard.read(now, before)
        scores[step], memory = reading.score, reading.memory
        parts, error = _rounding(guard, now, before, np.zeros_like(error) if begins else error)
        loose[step] = (parts / guard.usual).max() + EPSILON * STEPS_OF_ROUNDING * reading.score
    return scores, loose


def _rounding(
    guard: Guard, now: np.ndarray, before: Before | None, error: Float64[np.ndarray, "2 obs"]
) -> tuple[Float64[np.ndarray, "7"], Float64[np.ndarray, "2 obs"]]:
    """By how much the parts may be off, and what is remembered of the surprise and its square.

    Args:
        guard: the guard.
        now: the observation.
        before: what the step began with.
        error: by how much what is remembered may be off before the step.
    """
    unit = STEPS_OF_ROUNDING * EPSILON
    size = np.sqrt(np.mean(_magnitude(now, guard.center, guard.scale) ** 2))
    distance = unit * (size + np.sqrt(np.max(np.mean(guard.references**2, -1))))
    outside = unit * max(_magnitude(now, limit, guard.scale).max() for limit in (guard.low, guard.high))
    if before is None:
        return np.array([distance, outside, 0, 0, 0, 0, 0]), error
    then = _magnitude(before.observation, guard.center, guard.scale)
    inputs = np.concatenate([then, _magnitude(before.action, guard.action_center, guard.action_scale)])
    terms = _magnitude(now, guard.center, guard.scale) + then + np.abs(guard.weights[0])
    residual = unit * (terms + inputs @ np.abs(guard.weights[1:])) / guard.residual_scale
    mixed = np.abs(guard.residual(now, before.observation, before.action)) @ np.abs(guard.whitening)
    joint = np.sqrt(np.mean((residual @ np.abs(guard.whitening) + unit * mixed) ** 2))
    bounded = np.minimum(residual, 2 * LARGEST) + unit * LARGEST
    error = (1 - FADING) * error + FADING * bounded * np.array([[1], [2 * LARGEST]])
    return np.array([distance, outside, residual.max(), joint, 0, error[0].max(), error[1].max()]), error


def _magnitude(values: np.ndarray, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Of the standardised values, as they are clipped."""
    with np.errstate(over="ignore"):
        return np.minimum(np.abs((values - center) / scale), FURTHEST)
