"""What a compiled epoch learns with: a method, and where it has one, its model. The same two functions for both kinds.

A learner is a pytree and is passed to compiled programs as an argument, so runs whose learners differ in their leaves
alone share a program.
"""

from abc import abstractmethod
from typing import Any

import equinox as eqx
from jax import Array
from jaxtyping import Key, Scalar

from micro_rl.algorithms import epoch, log_epoch
from micro_rl.algorithms.epoch import TrainState
from micro_rl.algorithms.log_epoch import LogProblem, LogState
from micro_rl.algorithms.method import AnyMethod
from micro_rl.algorithms.model_free.base import ModelFreeMethod
from micro_rl.algorithms.sac import Coefficients
from micro_rl.algorithms.slots import Method
from micro_rl.core.sizes import Sizes
from micro_rl.core.types import Keys, Problem
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.termination_rules import Termination

EpochResult = tuple[Any, dict[str, Array], dict[str, Array]]
"""The state after an epoch, its terms' means, and the first update in which each was not finite or past its limit.

Updates count from 1; 0 stands for a term that was never bad.
"""


class Learner(eqx.Module):
    """A state has at least `agent` and `epoch`."""

    @property
    @abstractmethod
    def ends(self) -> Termination | None:
        """When the model's episodes end; None where there is no model."""

    @abstractmethod
    def start(self, problem: Any, temperature: Scalar | float, keys: Keys, *, sizes: Sizes) -> Any:
        """The state before the first epoch."""

    @abstractmethod
    def epoch(
        self,
        state: Any,
        problem: Any,
        c: Coefficients,
        key: Key[Array, ""],
        value_limit: Scalar | float,
        *,
        sizes: Sizes,
    ) -> EpochResult:
        """An epoch of rollouts and updates.

        Args:
            state: What the epoch before has left.
            problem: The log and its units.
            c: The epoch's coefficients.
            key: The run's.
            value_limit: The size of Q, in core units, past which it has exploded.
            sizes: The static sizes.
        """


class ModelLearner(Learner):
    """Learns on rows of the log and of rollouts in an ensemble."""

    method: Method
    ensemble: Ensemble
    termination: Termination

    @property
    def ends(self) -> Termination:
        """By rule or by classifier."""
        return self.termination

    def start(self, problem: Problem, temperature: Scalar | float, keys: Keys, *, sizes: Sizes) -> TrainState:
        """See `epoch.start`."""
        return epoch.start(problem, self.ensemble, self.method, sizes, temperature, keys)

    def epoch(
        self,
        state: TrainState,
        problem: Problem,
        c: Coefficients,
        key: Key[Array, ""],
        value_limit: Scalar | float,
        *,
        sizes: Sizes,
    ) -> EpochResult:
        """See `epoch.epoch`; the ensemble is the state's, which the method may have moved."""
        return epoch.epoch(state, self.method, problem, c, key, sizes=sizes, ends=self.ends, value_limit=value_limit)


class LogLearner(Learner):
    """Learns on rows of the log alone."""

    method: ModelFreeMethod

    @property
    def ends(self) -> None:
        """There are no model's episodes."""
        return None

    def start(
        self, problem: LogProblem | Problem, temperature: Scalar | float, keys: Keys, *, sizes: Sizes
    ) -> LogState:
        """See `log_epoch.start`."""
        return log_epoch.start(problem, self.method, sizes, temperature, keys)

    def epoch(
        self,
        state: LogState,
        problem: LogProblem,
        c: Coefficients,
        key: Key[Array, ""],
        value_limit: Scalar | float,
        *,
        sizes: Sizes,
    ) -> EpochResult:
        """See `log_epoch.epoch`."""
        return log_epoch.epoch(state, self.method, problem, c, key, sizes=sizes, value_limit=value_limit)


def learner_of(method: AnyMethod, ensemble: Ensemble | None, termination: Termination | None) -> Learner:
    """The method with the model that it learns in, and when that one's episodes end; without a model both are None."""
    if isinstance(method, ModelFreeMethod):
        return LogLearner(method)
    assert isinstance(method, Method) and ensemble is not None and termination is not None, "prepared before"
    return ModelLearner(method, ensemble, termination)
