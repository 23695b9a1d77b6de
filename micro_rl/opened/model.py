"""A run's model of the system, asked in raw units: what happens next, and how far its members agree."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float64

from micro_rl.core.columns import Columns
from micro_rl.dynamics.ensemble import predict
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.opened.rows import Rows, core_rows

BLOCK = 2**16
"""Rows that are predicted at once."""


class Prediction(NamedTuple):
    """What a model expects, raw units; mean and spread are those of the elites, which made the rollouts.

    `next_observation` and `reward` are the mean of the elites' means, `next_observation_spread` and `reward_spread`
    their standard deviation among themselves: how far the elites disagree. The arrays of the members hold each one's
    own mean and standard deviation, the elites first: what it takes for noise of the system.
    """

    next_observation: Float64[np.ndarray, "*row obs"]
    reward: Float64[np.ndarray, "*row"]
    next_observation_spread: Float64[np.ndarray, "*row obs"]
    reward_spread: Float64[np.ndarray, "*row"]
    member_next_observation: Float64[np.ndarray, "member *row obs"]
    member_reward: Float64[np.ndarray, "member *row"]
    member_next_observation_std: Float64[np.ndarray, "member *row obs"]
    member_reward_std: Float64[np.ndarray, "member *row"]


class RawModel:
    """The ensemble of a run; `fitted` is what the library itself works with, in core units."""

    def __init__(self, fitted: FittedModel, columns: Columns, elites: int, history: int):
        self.fitted, self.columns, self.elites, self.history = fitted, columns, elites, history

    @property
    def members(self) -> int:
        """How many networks there are."""
        return self.fitted.ensemble.size

    def predict(self, observations: Any, actions: Any) -> Prediction:
        """Predicts the next observation and the reward.

        Args:
            observations: raw units [obs] or [row, obs], or by the columns' names. With a history the rows are steps of
                one episode from its first on, in order; windows [row, window] are taken as they are.
            actions: what is done there, raw units [act] or [row, act], or by the columns' names.

        Raises:
            ValueError: another width or number of rows, other names, or values that are not finite.
        """
        rows = core_rows(observations, actions, self.fitted.scaling, self.columns, self.history)
        parts = [np.concatenate(blocks, axis=1) for blocks in zip(*self._blocks(rows), strict=True)]
        after, reward, after_std, reward_std = (rows.shaped(part, 1) for part in parts)
        best = slice(self.elites)
        return Prediction(
            after[best].mean(0),
            reward[best].mean(0),
            after[best].std(0),
            reward[best].std(0),
            after,
            reward,
            after_std,
            reward_std,
        )

    def _blocks(self, rows: Rows) -> Iterator[tuple[Float[np.ndarray, "member row *column"], ...]]:
        """Of so many rows each, what every member expects in raw units, float64."""
        scaling, width = self.fitted.scaling, rows.newest.shape[1]
        size, unit = np.asarray(scaling.observation_std, np.float64)[:width], float(scaling.reward_scale)
        for start in range(0, max(1, len(rows.newest)), BLOCK):
            block = slice(start, start + BLOCK)
            observation, action = rows.observation[block], rows.action[block]
            means, deviations = predict(self.fitted.ensemble, jnp.asarray(observation), jnp.asarray(action))
            mean, deviation = np.asarray(means, np.float64), np.asarray(deviations, np.float64)
            change = mean[..., :width] - observation[:, :width]  # of the offset, float64 keeps all digits
            yield (
                rows.newest[block] + change * size,
                mean[..., -1] * unit,
                deviation[..., :width] * size,
                (deviation[..., -1] * unit),
            )
