"""Whether an export decides as its policy does, and as closely as single precision can."""

from typing import NamedTuple

import numpy as np

from micro_rl.core.numpy_network import standardised
from micro_rl.core.shapes import Float, Float64
from micro_rl.deploy.trial import Trial, true_windows
from micro_rl.errors import UserError
from micro_rl.policy import Policy

TOLERANCE = 1e-5
"""The largest difference of an action, in widths of its range; of a mean or log standard deviation in its own units."""
EPSILON = float(np.finfo(np.float32).eps)
SPREAD = 3
"""Standard deviations of the rounding that are taken for its bound."""
LARGEST = 1e37
"""Sums beyond this may overflow float32, in the policy too."""


class Decisions(NamedTuple):
    """What a policy or its export gave, step by step."""

    action: Float[np.ndarray, "step act"]
    mean: Float[np.ndarray, "step act"]
    log_std: Float[np.ndarray, "step act"]
    score: Float[np.ndarray, " step"] | None = None
    """The guard's, where there is one."""


class Scores(NamedTuple):
    """How far scores are from the guard's, as shares of them, or of 1 where they are less."""

    largest: float
    """Of all steps but the next."""
    beyond: int
    """Steps that differ by more than the tolerance, for rounding to float32 may move their score by as much."""
    largest_beyond: float
    """Of those steps."""


class Difference(NamedTuple):
    """How far an export is from its policy, in widths of the action's range."""

    rows: int
    largest: float
    """Of all rows but the next."""
    unsettled: int
    """Rows with an action that float32 leaves open by more than the tolerance; these are held to what it settles."""
    largest_unsettled: float
    """Of those rows."""
    scores: Scores | None = None
    """The guard's, where there is one."""


def pure(policy: Policy) -> Policy:
    """The same policy as a function of its window, which it takes for an observation: it remembers nothing."""
    return Policy(
        policy.layers,
        observation_mean=policy.observation_mean,
        observation_std=policy.observation_std,
        action_mid=policy.action_mid,
        action_half=policy.action_half,
    )


def compared(policy: Policy, trial: Trial, decisions: Decisions, what: str) -> Difference:
    """Compare an export with its policy.

    An action may differ by TOLERANCE of its range. Sums of large terms that cancel leave float32 fewer digits, in the
    policy as in its export: where that alone may move an action by more, it may differ by as much.

    Args:
        policy: the policy.
        trial: the steps.
        decisions: what the export gave.
        what: the export, for the message.

    Returns:
        The largest difference of an action.

    Raises:
        UserError: it is too large somewhere.
    """
    seen, function = true_windows(policy, trial), pure(policy)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = Decisions(function(seen), *function.distribution(seen))
        loose = _loose(policy, seen)
        action, allowed = _in_ranges(policy, expected, decisions.action, loose[:, : policy.action_size])
        gaps = [(action, allowed)] + [
            (np.abs(own - other), np.maximum(TOLERANCE, loose[:, part]))
            for own, other, part in (
                (decisions.mean, expected.mean, slice(0, policy.action_size)),
                (decisions.log_std, expected.log_std, slice(policy.action_size, None)),
            )
        ]
    finite = (loose < EPSILON * LARGEST).all(-1)
    for name, (gap, limit) in zip(("action", "mean", "log_std"), gaps, strict=True):
        wrong = ~(gap <= limit).all(-1) & finite
        if wrong.any():
            row = int(np.argmax(wrong))
            raise UserError(
                f"export: the {what} does not decide as the policy does: {name} differs by {np.max(gap[row]):.1e} at "
                f"observation {np.array2string(trial.observations[row], threshold=6, max_line_width=10**6)}; nothing "
                "was written"
            )
    settled = (allowed <= TOLERANCE).all(-1) & finite
    largest, of_others = (float(np.nan_to_num(action[rows]).max(initial=0)) for rows in (settled, ~settled))
    return Difference(len(action), largest, int((~settled).sum()), of_others)


def _in_ranges(
    policy: Policy, expected: Decisions, action: np.ndarray, loose: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """By how much actions differ, and may, in widths of their ranges."""
    width = 2 * policy.action_half
    gap = np.abs(action.astype(np.float64) - expected.action) / width
    mean, rounding = expected.mean.astype(np.float64), np.spacing(np.abs(expected.action)) / width
    open_ = np.abs(np.tanh(mean + loose) - np.tanh(mean - loose)) / 2
    return gap, np.maximum(TOLERANCE, open_ + rounding)


def _loose(policy: Policy, seen: Float64[np.ndarray, "step window"]) -> Float64[np.ndarray, "step out"]:
    """By how much rounding in float32 may move the last layer's outputs: SPREAD standard deviations of it.

    Every input and every unit is off by a step of float32, times the sum of all magnitudes that it adds up. These
    errors are independent, and reach the outputs through the weights of the units behind them that are active.
    """
    hidden = standardised(seen, policy.observation_mean, policy.observation_std).astype(np.float64)
    own, active = [EPSILON * np.abs(hidden)], [np.ones(hidden.shape, bool)]
    for weight, bias in policy.layers:
        own.append(EPSILON * (np.abs(hidden) @ np.abs(weight) + np.abs(bias)))
        hidden = np.maximum(hidden @ weight + bias, 0)
        active.append(hidden > 0)
    variance = np.square(own.pop())
    reach = np.broadcast_to(np.eye(variance.shape[1]), (len(seen), *2 * variance.shape[1:]))
    for (weight, _), error, on in zip(policy.layers[::-1], own[::-1], active[-2::-1], strict=True):
        reach = (reach @ weight.T.astype(np.float64)) * on[:, None, :]
        variance = variance + (np.square(reach) @ np.square(error)[..., None])[..., 0]
    return SPREAD * np.sqrt(variance)
