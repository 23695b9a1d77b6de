"""What flows through the compiled core: transitions, batches and the units they are measured in."""

from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int, Key


class Transition(NamedTuple):
    """Rows of experience in core units (see `Scaling`).

    `discount` is 0 where the episode terminated and 1 elsewhere: a time limit is not a termination.
    """

    observation: Float[Array, "*rows obs"]
    action: Float[Array, "*rows act"]
    reward: Float[Array, "*rows"]
    next_observation: Float[Array, "*rows obs"]
    discount: Float[Array, "*rows"]


class LogRows(NamedTuple):
    """Rows of a log with what was done next in it.

    `continued` is 1 where the log holds the next step, and 0 where it does not: `next_action` then means nothing.
    """

    now: Transition
    next_action: Float[Array, "*rows act"]
    continued: Float[Array, "*rows"]


class Predictions(NamedTuple):
    """The next observations that members expect of rows, and their standard deviations, in core units."""

    mean: Float[Array, "*rows member obs"]
    std: Float[Array, "*rows member obs"]


class Batch(NamedTuple):
    """One update's rows: from the log, where the standard target holds, and from the model.

    `predictions` are those that were stored with the model's rows; None where each update predicts anew.
    """

    real: Transition
    model: Transition
    predictions: Predictions | None = None


class Rollout(NamedTuple):
    """Rows made by the model; rows after a termination are computed but not valid.

    `unknown` rows are unlike the log's; None where nobody asks. So with `predictions`.
    """

    rows: Transition
    valid: Bool[Array, "*rows"]
    unknown: Bool[Array, "*rows"] | None = None
    predictions: Predictions | None = None


class Scaling(NamedTuple):
    """Between raw units (logs, simulators, people) and core units (networks).

    core observation = (raw - observation_mean) / observation_std;
    core action = (raw - action_mid) / action_half, in [-1, 1]; core reward = raw / reward_scale.
    """

    observation_mean: Float[Array | np.ndarray, " obs"]
    observation_std: Float[Array | np.ndarray, " obs"]
    action_mid: Float[Array | np.ndarray, " act"]
    action_half: Float[Array | np.ndarray, " act"]
    reward_scale: Float[Array | np.ndarray, ""]

    def raw_observation(self, observation: Float[Array, "rows obs"]) -> Float[Array, "rows obs"]:
        """Core to raw units."""
        return observation * self.observation_std[None] + self.observation_mean[None]

    def raw_action(self, action: Float[Array, "rows act"]) -> Float[Array, "rows act"]:
        """Core to raw units."""
        return action * self.action_half[None] + self.action_mid[None]


class GatheredRows(NamedTuple):
    """Of a log that is not here, the rows that will be drawn: their sorted numbers, and how many rows the log has."""

    rows: Transition
    numbers: Int[Array, " row"]
    count: Int[Array, ""]  # pyright: ignore[reportIncompatibleMethodOverride]


class Replay(NamedTuple):
    """What rollouts take from the log and not from the model: the exogenous columns, for as long as the log goes on.

    `continued` is true where the next row to learn from is the next step; `columns` is true for exogenous ones.
    """

    continued: Bool[Array, " row"]
    columns: Bool[Array, " obs"]


class Problem(NamedTuple):
    """What stays the same throughout: the log's rows in core units, and those units.

    Of a log on the host (NumPy arrays, see `training.host_log`) an epoch is given the rows that it draws.
    `replay` is None where no column is exogenous.
    """

    log: Transition | GatheredRows
    scaling: Scaling
    replay: Replay | None = None


class Keys(NamedTuple):
    """One stream for each purpose, all from the run's seed."""

    fit: Key[Array, ""]
    agent: Key[Array, ""]
    prepare: Key[Array, ""]
    epochs: Key[Array, ""]
    judge: Key[Array, ""]

    @classmethod
    def of(cls, seed: int | Int[Array, ""]) -> "Keys":
        """The streams of a seed."""
        return cls(*jax.random.split(jax.random.key(seed), 5))
