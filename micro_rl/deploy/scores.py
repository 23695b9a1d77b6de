"""Whether an export scores its steps as its guard does, and as closely as single precision can.

The guard computes in double precision, so all that rounding may do is the export's; `micro_rl.deploy.rounding` says how
it is bounded. What double precision itself loses is far below TOLERANCE.
"""

import numpy as np

from micro_rl.control.guard import FADING, FURTHEST, LARGEST, Before, Guard
from micro_rl.core.shapes import Float, Float64
from micro_rl.deploy.equality import TOLERANCE, Difference, Scores
from micro_rl.deploy.rounding import UNIT, gamma, of_standardised
from micro_rl.deploy.trial import BEGIN, Trial
from micro_rl.errors import UserError

Row = Float64[np.ndarray, " column"]
Rows = Float64[np.ndarray, "row column"]


def compared_scores(
    guard: Guard, trial: Trial, scores: Float[np.ndarray, " step"], difference: Difference, what: str
) -> Difference:
    """Compare an export's scores with its guard's.

    A score may differ by TOLERANCE of itself, or of 1 where it is less, and besides by as much as rounding the inputs,
    the tables and every sum to float32 can move it.

    Args:
        guard: the guard.
        trial: the steps.
        scores: what the export gave.
        difference: that of the decisions, to which this one is added.
        what: the export, for the message.

    Raises:
        UserError: a score differs by too much.
    """
    expected, loose = expected_scores(guard, trial)
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


def expected_scores(guard: Guard, trial: Trial) -> tuple[Float64[np.ndarray, " step"], Float64[np.ndarray, " step"]]:
    """Give the guard's score at every step, and by how much rounding to float32 can move it; episodes go side by side.

    Args:
        guard: the guard.
        trial: the steps, of which the first begins an episode, whatever it is called.
    """
    begins = (trial.kind == BEGIN) | (np.arange(len(trial.kind)) == 0)
    starts, size = np.flatnonzero(begins), guard.observation_size
    lengths = np.diff(starts, append=len(trial.kind))
    scores, loose = np.empty(len(trial.kind)), np.empty(len(trial.kind))
    memory, error = np.zeros((len(starts), 3 * size)), np.zeros((len(starts), 2, size))
    for place in range(lengths.max()):
        on = lengths > place
        steps = starts[on] + place
        now, last = trial.observations[steps], steps - 1
        before = Before(trial.observations[last], trial.applied[last], memory[on]) if place else None
        reading = guard.read(now, before)
        scores[steps], memory[on] = reading.score, reading.memory
        parts, error[on] = _rounding(guard, now, before, reading.memory, error[on])
        off = (1 + gamma(2)) * parts / guard.usual + gamma(2) * reading.parts
        loose[steps] = np.maximum(
            (reading.parts + off).max(-1) - reading.score, reading.score - (reading.parts - off).max(-1)
        )
    return scores, loose


def _rounding(
    guard: Guard,
    now: Rows,
    before: Before | None,
    memory: Float64[np.ndarray, "row memory"],
    error: Float64[np.ndarray, "row 2 obs"],
) -> tuple[Float64[np.ndarray, "row 7"], Float64[np.ndarray, "row 2 obs"]]:
    """By how much the parts can be off, and what is remembered of the surprise and its square.

    Args:
        guard: the guard.
        now: the observations.
        before: what the steps began with.
        memory: the guard's after the steps.
        error: by how much what is remembered may be off before the steps.
    """
    count, core = guard.observation_size, _core(now, guard.center, guard.scale)
    off = _size(of_standardised(core, guard.center, guard.scale))
    off += UNIT * np.sqrt(np.max(np.mean(guard.references**2, -1)))
    distance = off + gamma(count + 3) * (guard.alone(now)[:, 0] + off)
    outside = np.maximum(_beyond(guard, now, guard.high, 1), _beyond(guard, now, guard.low, -1))
    if before is None:
        return np.stack([distance, outside, *np.zeros((5, len(now)))], -1), error
    residual, mixing = guard.residual(now, before.observation, before.action), np.abs(guard.whitening)
    surprise = _of_residual(guard, now, before)
    mixed = _size(surprise @ mixing + gamma(count + 1) * ((np.abs(residual) + surprise) @ mixing))
    joint = mixed + gamma(count + 3) * (_size(residual @ guard.whitening) + mixed)
    still = gamma(count + 1) * (memory[:, :count] @ guard.still_cost)
    error = _of_memory(np.minimum(surprise, 2 * LARGEST), error)
    return np.stack([distance, outside, surprise.max(-1), joint, still, *error.max(-1).T], -1), error


def _beyond(guard: Guard, now: Rows, limit: Row, sign: int) -> Float64[np.ndarray, " row"]:
    """By how much a column can lie wrongly outside of its limits; one that is a deviation within them does not."""
    core = _core(now, limit, guard.scale)
    return np.where(sign * core > -1, of_standardised(core, limit, guard.scale), 0).max(-1)


def _of_residual(guard: Guard, now: Rows, before: Before) -> Rows:
    """By how much what the prediction leaves can be off, in its own standard deviations.

    Each of its terms, one for every input and two more, goes through as many roundings as there are terms, and
    one more; then come two of the last division, which the terms' own errors go through as well.
    """
    core, then = (_core(values, guard.center, guard.scale) for values in (now, before.observation))
    action = _core(before.action, guard.action_center, guard.action_scale)
    ends = [of_standardised(part, guard.center, guard.scale) for part in (core, then)]
    inputs = np.concatenate([ends[1], of_standardised(action, guard.action_center, guard.action_scale)], -1)
    far = np.maximum(np.abs(core), np.abs(then)) >= FURTHEST / 2
    moved = np.abs(core - then)
    movement = gamma(3) * moved + np.where(far, ends[0] + ends[1], 0)
    weights = np.abs(guard.weights)
    terms = moved + movement + weights[0] + (np.abs(np.concatenate([then, action], -1)) + inputs) @ weights[1:]
    return (movement + inputs @ weights[1:] + gamma(len(weights) + 6) * terms) / guard.residual_scale


def _of_memory(surprise: Rows, error: Float64[np.ndarray, "row 2 obs"]) -> Float64[np.ndarray, "row 2 obs"]:
    """By how much running means of a bounded surprise and of its square can be off after a step, from before it.

    The mean adds two numbers of LARGEST at most, the square three of its square at most; each new value is rounded.
    """
    square = LARGEST**2
    mean = FADING * (surprise + gamma(4) * 2 * LARGEST) + gamma(2) * LARGEST
    squared = FADING * (2 * LARGEST * surprise + gamma(6) * (2 * square + 1)) + gamma(2) * square
    return (1 - FADING) * error + np.stack([mean, squared], -2)


def _core(values: Rows, center: Row, scale: Row) -> Rows:
    """Standardised values, as they are clipped."""
    with np.errstate(over="ignore"):
        return np.clip((values - center) / scale, -FURTHEST, FURTHEST)


def _size(values: Rows) -> Float64[np.ndarray, " row"]:
    return np.sqrt(np.mean(np.square(values), -1))
