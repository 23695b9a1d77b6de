"""What an export is tried on: episodes drawn over the log's ranges and far beyond them, and their true windows."""

import math
from typing import NamedTuple

import numpy as np

from micro_rl.control.guard import Guard
from micro_rl.core import windows
from micro_rl.core.shapes import Float64, Int8
from micro_rl.policy import Policy

ROWS = 1000
"""Observations, or a few more where episodes are longer."""
STEPS = 20
"""An episode's, where the history is no longer."""
REACH = (1.0, 1.0, 1.0, 1.0, 1.0, 3.0, 3.0, 30.0, 1e4, 1e25)
"""How many times its column's half range an episode's observations may be from the middle; the first is repeated."""
FURTHEST = 3e38
"""A little below the largest float32."""
ON, BEGIN, PRIME = 0, 1, 2
"""A step goes on, begins an episode, or finds its past handed over anew."""


class Trial(NamedTuple):
    """Steps in order, raw units."""

    kind: Int8[np.ndarray, " step"]
    """ON, BEGIN or PRIME."""
    observations: Float64[np.ndarray, "step obs"]
    applied: Float64[np.ndarray, "step act"]
    """The action that was really applied, whatever the policy said; unused without a history."""
    resting: Float64[np.ndarray, " act"]
    """The action that stands before an episode's first."""


def draw(policy: Policy, rows: int = ROWS, seed: int = 0, single: bool = False, guard: Guard | None = None) -> Trial:
    """Draw episodes: half within the columns' ranges, half beyond, with any actions within the bounds and beyond.

    Args:
        policy: its columns' ranges in the log count, or three standard deviations where these are wider or alone.
        rows: steps at least.
        seed: of the draws.
        single: rounds everything to single precision, so that a file in C is given the same values.
        guard: what is to score the steps. Policies without a history then have episodes too, and every second of those
            within the ranges goes as this guard expects, until a column stands still.
    """
    rng, (reaches, steps) = np.random.default_rng(seed), _episodes(policy, rows, guard is not None)
    reach, size = reaches[:, None, None], (len(reaches), steps)
    middle, half = _box(policy)
    observations = middle + reach * half * rng.uniform(-1, 1, (*size, policy.observation_size))
    far = np.minimum(reach, 3.0)
    applied = policy.action_mid + far * policy.action_half * rng.uniform(-1, 1, (*size, policy.action_size))
    if guard is not None:
        healthy = np.flatnonzero(reaches == REACH[0])[::2]
        observations[healthy] = _followed(guard, applied[healthy], rng)
    kind = np.full(size, ON, np.int8)
    kind[1::2, steps // 2] = PRIME
    kind[:, 0] = BEGIN
    rounded = _as_single if single else np.asarray
    observations, applied = (rounded(values).reshape(len(reaches) * steps, -1) for values in (observations, applied))
    return Trial(kind.ravel(), observations, applied, rounded(policy.action_mid))


def true_windows(policy: Policy, trial: Trial) -> Float64[np.ndarray, "step window"]:
    """What the policy looks at in every step, by the definition of windows."""
    if policy.history == 1:
        return trial.observations
    starts = np.flatnonzero(trial.kind == BEGIN)
    ends = [*starts[1:], len(trial.kind)]
    return np.concatenate(
        [
            windows.of_episode(trial.observations[start:end], trial.applied[start:end], trial.resting, policy.history)
            for start, end in zip(starts, ends, strict=True)
        ]
    )


def near(policy: Policy, rows: int) -> Float64[np.ndarray, "row window"]:
    """A few windows within the columns' ranges."""
    reaches, steps = _episodes(policy, ROWS, False)
    own = true_windows(policy, draw(policy, seed=1))[reaches.repeat(steps) == REACH[0]]
    return own[np.linspace(0, len(own) - 1, rows).astype(int)]


def _episodes(policy: Policy, rows: int, guarded: bool) -> tuple[Float64[np.ndarray, " episode"], int]:
    """How far each episode reaches, and the steps of an episode; few episodes where the history is long."""
    steps = max(STEPS, policy.history + 5) if policy.history > 1 or guarded else 1
    count = math.ceil(rows / steps)
    return np.resize(REACH, count) if count >= len(REACH) else np.array(REACH[::3]), steps


def _followed(
    guard: Guard, applied: Float64[np.ndarray, "episode step act"], rng: np.random.Generator
) -> Float64[np.ndarray, "episode step obs"]:
    """Observations as the guard expects them, with the residuals that it knows; the first column stands still later."""
    episodes, steps, _ = applied.shape
    unmixed = np.linalg.inv(guard.whitening)
    now = guard.references[rng.integers(len(guard.references), size=episodes)] * guard.scale + guard.center
    rows = [now]
    for step in range(1, steps):
        nowhere = np.broadcast_to(guard.center, now.shape)
        led = rng.normal(size=now.shape) @ unmixed - guard.residual(nowhere, now, applied[:, step - 1])
        following = guard.center + guard.scale * guard.residual_scale * led
        following[:, 0] = now[:, 0] if step > steps // 2 else following[:, 0]
        now = following
        rows.append(now)
    return np.stack(rows, 1)


def _box(policy: Policy) -> tuple[np.ndarray, np.ndarray]:
    """Middle and half width of each column's range in the log, or of three standard deviations where they are wider."""
    size = policy.observation_size
    mean, spread = policy.observation_mean[:size], 3 * policy.observation_std[:size]
    low, high = mean - spread, mean + spread
    for number, column in enumerate(policy.columns.observations):
        if column.low is not None and column.high is not None:
            low[number], high[number] = min(low[number], column.low), max(high[number], column.high)
    return low / 2 + high / 2, high / 2 - low / 2


def _as_single(values: np.ndarray) -> np.ndarray:
    return np.clip(values, -FURTHEST, FURTHEST).astype(np.float32).astype(np.float64)
