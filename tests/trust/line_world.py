"""A point on a line: x' = x + 0.2 a + noise, the reward is -|x'|. Everything about it is known."""

import numpy as np

from micro_rl import Dataset, Policy

STEP, NOISE = 0.2, 0.02


def log(
    episodes: int = 120,
    length: int = 20,
    seed: int = 0,
    gain: float | np.ndarray = 0.0,
    cliff: float | None = None,
) -> Dataset:
    """A log of a = -gain x + noise from x in [-1, 1]; `gain` may be each episode's; past `cliff` the reward is -100."""
    random = np.random.default_rng(seed)
    x = random.uniform(-1, 1, episodes)
    rows = []
    for _ in range(length):
        action = np.clip(-gain * x + 0.4 * random.normal(size=episodes), -1, 1)
        after = x + STEP * action + NOISE * random.normal(size=episodes)
        rows.append((x, action, reward(after, cliff), after))
        x = after
    x, action, rewards, after = (np.stack(part, 1).reshape(-1) for part in zip(*rows, strict=True))
    ends = np.arange(len(x)) % length == length - 1
    return Dataset.from_arrays(x[:, None], action[:, None], rewards, timeouts=ends, next_observations=after[:, None])


def reward(after: np.ndarray, cliff: float | None = None) -> np.ndarray:
    """Minus the distance, or -100 beyond the cliff."""
    return np.where(after > cliff, -100.0, -np.abs(after)) if cliff is not None else -np.abs(after)


def policy(slope: float, offset: float = 0.0) -> Policy:
    """a = tanh(slope x + offset), by one ReLU layer: x = relu(x) - relu(-x)."""
    first = np.array([[1.0, -1.0]]), np.zeros(2)
    last = np.array([[slope, 0.0], [-slope, 0.0]]), np.array([offset, -5.0])
    return Policy([first, last], observation_mean=[0.0], observation_std=[1.0], action_mid=[0.0], action_half=[1.0])


def true_return(policy: Policy, starts: np.ndarray, length: int, cliff: float | None = None) -> np.ndarray:
    """What its windows collect without noise."""
    x, total = starts.astype(np.float64), np.zeros(len(starts))
    for _ in range(length):
        x = x + STEP * policy(x[:, None])[:, 0]
        total += reward(x, cliff)
    return total
