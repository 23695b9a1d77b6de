"""Whether an export decides as its policy does, and as closely as single precision can."""

from typing import NamedTuple

import numpy as np

from micro_rl.core.shapes import Float
from micro_rl.deploy import rounding
from micro_rl.deploy.trial import Trial, true_windows
from micro_rl.errors import UserError
from micro_rl.policy import Policy

TOLERANCE = 1e-5
"""The largest difference of an action, in widths of its range; of a mean or log standard deviation in its own units."""
FEW = 0.1
"""Share of rows that rounding may move by more than is expected; an output passes three deviations once in 370."""
LARGEST = 1e30
"""A bound beyond this is of sums that may overflow float32, in the policy too."""


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
    overflowing: int = 0
    """Rows whose sums may overflow float32, in the policy too: held to a finite action within its range."""
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
    policy as in its export. Where that alone is expected to move an action by more, it may besides differ by as much as
    rounding can (`micro_rl.deploy.rounding`), but in few rows by more than is expected. Where sums may overflow float32
    nothing bounds a difference: there both are held to a finite action within its range.

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
        hardly = rounding.expected(policy, seen)
        loose = np.where(hardly > TOLERANCE, rounding.bound(policy, seen), 0)
        gaps = _gaps(policy, expected, decisions)
        limits, usual = (_open(policy, expected, rounded) for rounded in (loose, hardly))
    finite = (loose < LARGEST).all(-1)
    for name, gap, more, enough in zip(("action", "mean", "log_std"), gaps, limits, usual, strict=True):
        unusual = ~(gap <= TOLERANCE + enough).all(-1) & finite
        wrong = ~(gap <= TOLERANCE + more).all(-1) & finite | (unusual & (unusual.mean() > FEW))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise UserError(
                f"export: the {what} does not decide as the policy does: {name} differs by {np.max(gap[row]):.1e} "
                f"{_at(trial, row)}"
            )
    for whose, action in ((f"the {what}", decisions.action), ("the policy itself", expected.action)):
        _check_range(policy, action, trial, whose)
    settled = (limits[0] <= TOLERANCE).all(-1)
    largest, of_others = (float(gaps[0][rows & finite].max(initial=0)) for rows in (settled, ~settled))
    return Difference(len(seen), largest, int((~settled & finite).sum()), of_others, int((~finite).sum()))


def _check_range(policy: Policy, action: np.ndarray, trial: Trial, whose: str) -> None:
    """Refuse an action that is not finite, or beyond its bounds."""
    astray = ~((action >= policy.action_low) & (action <= policy.action_high)).all(-1)
    if astray.any():
        row = int(np.argmax(astray))
        words = np.array2string(action[row], threshold=6, max_line_width=10**6)
        raise UserError(f"export: {whose} gives the action {words}, beyond its range, {_at(trial, row)}")


def _at(trial: Trial, row: int) -> str:
    """Where an export is refused, at the end of the message."""
    words = np.array2string(trial.observations[row], threshold=6, max_line_width=10**6)
    return f"at observation {words}; nothing was written"


def _gaps(policy: Policy, expected: Decisions, decisions: Decisions) -> list[np.ndarray]:
    """By how much actions differ, in widths of their ranges, then means and log standard deviations."""
    pairs = zip(decisions[:3], expected[:3], (2 * policy.action_half, 1, 1), strict=True)
    return [np.abs(own.astype(np.float64) - other) / width for own, other, width in pairs]


def _open(policy: Policy, expected: Decisions, rounded: np.ndarray) -> list[np.ndarray]:
    """What these roundings of the last layer's outputs leave open of the same."""
    of_means, of_deviations = np.split(rounded, 2, axis=-1)
    mean, width = expected.mean.astype(np.float64), 2 * policy.action_half
    of_actions = np.abs(np.tanh(mean + of_means) - np.tanh(mean - of_means)) / 2
    return [of_actions + np.spacing(np.abs(expected.action)) / width, of_means, of_deviations]
