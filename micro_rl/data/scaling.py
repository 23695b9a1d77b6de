"""From a log's raw units to the core units of the networks (see `micro_rl.core.types.Scaling`)."""

from typing import Any, cast

import numpy as np
from jaxtyping import Float32, Float64

from micro_rl.core import windows
from micro_rl.core.types import Scaling, Transition
from micro_rl.data.dataset import Dataset
from micro_rl.data.log_parts import RawTransitions

# A column that varies by less than this many float32 roundings of its own size is called constant.
ROUNDINGS = 4


def fit_scaling(dataset: Dataset, standardise: bool, scale_reward: bool) -> Scaling:
    """Measures the scaling for a log, in float64 over all its rows but those whose value no measurement gives.

    Actions always map from their bounds to [-1, 1]. In windows every observation has the newest one's units and every
    action the actions', so that in core units too the next window holds copies of this one's parts.

    Args:
        dataset: the log.
        standardise: whether observations get mean 0 and standard deviation 1 (a constant column keeps its unit);
            else they stay raw.
        scale_reward: whether rewards are divided by their root mean square. They are never shifted, since adding a
            constant changes which policy is best wherever episodes end.

    Returns:
        The scaling, as float32 NumPy arrays.
    """
    width = dataset.observation_size
    mean, std = _moments(dataset.measured_observations.astype(np.float64)) if standardise else (0.0, 1.0)
    low, high = dataset.action_low.astype(np.float64), dataset.action_high.astype(np.float64)
    mid, half = ((high + low) / 2).astype(np.float32), ((high - low) / 2).astype(np.float32)
    return Scaling(
        observation_mean=np.concatenate(windows.first(np.full(width, mean, np.float32), mid, dataset.history)),
        observation_std=np.concatenate(windows.first(np.full(width, std, np.float32), half, dataset.history)),
        action_mid=mid,
        action_half=half,
        reward_scale=np.asarray(reward_size(dataset) if scale_reward else 1.0, np.float32),
    )


def _moments(
    observations: Float64[np.ndarray, "row obs"],
) -> tuple[Float64[np.ndarray, " obs"], Float64[np.ndarray, " obs"]]:
    """Mean and standard deviation per column; 1 for a column that is constant but for rounding."""
    mean, std = observations.mean(0), observations.std(0)
    limits = np.finfo(np.float32)
    least = np.maximum(ROUNDINGS * limits.eps * np.abs(observations).max(0), limits.tiny)
    return mean, np.where(std > least, std, 1.0)


def reward_size(dataset: Dataset) -> float:
    """Computes the root mean square of a log's rewards without outliers, raw units; 1 where all are 0."""
    odd = dataset.outliers
    rewards = dataset.rewards if odd is None else dataset.rewards[~odd.rewards.any(1)]
    size = float(np.sqrt(np.mean(rewards.astype(np.float64) ** 2)))
    return size if size > np.finfo(np.float32).tiny else 1.0


def to_core(rows: RawTransitions, scaling: Scaling) -> Transition:
    """Converts raw rows to core units.

    Subtracts and divides in float64, so that a column with a large offset keeps what float32 recorded of it.

    Args:
        rows: rows in raw units.
        scaling: the scaling of their log.

    Returns:
        The rows in core units, as float32 NumPy arrays on the host.
    """
    mean, std, reward = (
        np.asarray(part, np.float64)
        for part in (scaling.observation_mean, scaling.observation_std, scaling.reward_scale)
    )
    core = (
        (rows.observation - mean) / std,
        core_action(rows.action, scaling),
        rows.reward / reward,
        (rows.next_observation - mean) / std,
        rows.discount,
    )
    # The type names device arrays; NumPy's stand in for them until the first compiled call moves them.
    return Transition(*(cast(Any, part.astype(np.float32)) for part in core))


def core_action(action: Float32[np.ndarray, "row act"], scaling: Scaling) -> Float64[np.ndarray, "row act"]:
    """Maps raw actions from their bounds to [-1, 1]; at a bound the division may round to just past 1, and is cut."""
    mid, half = np.asarray(scaling.action_mid, np.float64), np.asarray(scaling.action_half, np.float64)
    return np.clip((action - mid) / half, -1, 1)
