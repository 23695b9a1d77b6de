"""A run's method with all it works on: the state it begins with, an epoch, and the same epoch update by update."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from micro_rl.algorithms import epoch as loop
from micro_rl.algorithms import log_epoch
from micro_rl.algorithms.epoch import TrainState
from micro_rl.algorithms.log_epoch import LogProblem, LogState
from micro_rl.algorithms.model_free.base import ModelFreeMethod
from micro_rl.algorithms.sac import Coefficients
from micro_rl.algorithms.slots import Method
from micro_rl.core.types import Keys, Problem
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.dynamics.termination_rules import Termination
from micro_rl.training import divergence, host_log
from micro_rl.training.async_epoch import Call, Compiled
from micro_rl.training.divergence import Step
from micro_rl.training.models import termination_of
from micro_rl.training.plan import Plan


class Program(ABC):
    """A state has at least `agent` and `epoch`."""

    keys: Keys

    @property
    @abstractmethod
    def problem(self) -> Problem | LogProblem:
        """What stays the same throughout."""

    @property
    @abstractmethod
    def ends(self) -> Termination | None:
        """When the model's episodes end; None where there is no model."""

    @abstractmethod
    def fresh(self) -> Any:
        """The state before the first epoch."""

    @abstractmethod
    def epoch(self, state: Any, c: Coefficients) -> Call:
        """The compiled epoch, to be called in any thread: the state after it, and what it logged.

        The call uses up the state before it.
        """

    @abstractmethod
    def steps(self, state: Any, c: Coefficients) -> Iterator[Step]:
        """The updates of the epoch that begins with `state`, one by one."""


class OnModel(Program):
    """Updates on rows of the log and of rollouts in a model."""

    def __init__(self, plan: Plan, model: FittedModel, problem: Problem):
        method = plan.method()
        assert isinstance(method, Method)
        self.method, self.ensemble, self.temperature = method, model.ensemble, plan.settings.temperature
        self.sizes, self.keys = plan.settings.sizes(), Keys.of(plan.settings.seed)
        self._problem, self._ends = problem, termination_of(model, plan)
        self._epoch = Compiled(loop.compiled_epoch, sizes=self.sizes)
        if host_log.on_host(problem.log):  # refused with the plan already, but for memory that was taken since
            host_log.refuse_on_host(method, plan.method_name, plan.settings.log_on)

    @property
    def problem(self) -> Problem:
        """The log and its units."""
        return self._problem

    @property
    def ends(self) -> Termination:
        """The plan's rule, or the head that was learned."""
        return self._ends

    def fresh(self) -> TrainState:
        """An agent, an empty buffer, a copy of the model."""
        some = host_log.sample(self._problem)
        return loop.compiled_start(some, self.ensemble, self.method, self.sizes, self.temperature, self.keys)

    def epoch(self, state: TrainState, c: Coefficients) -> Call:
        """Rollouts and updates by turns."""
        return self._epoch.call(state, self.method, self._fed(state), c, self.keys.epochs, ends=self._ends)

    def steps(self, state: TrainState, c: Coefficients) -> Iterator[Step]:
        """With their rollouts."""
        return divergence.steps(state, self.method, self._fed(state), c, self.keys.epochs, self.sizes, self._ends)

    def _fed(self, state: TrainState) -> Problem:
        return host_log.fed(self._problem, self.keys.epochs, int(state.epoch), self.sizes)


class OnLog(Program):
    """Updates on rows of the log alone."""

    def __init__(self, plan: Plan, problem: LogProblem):
        method = plan.method()
        assert isinstance(method, ModelFreeMethod)
        self.method, self.sizes, self.temperature = method, plan.settings.sizes(), plan.settings.temperature
        self._problem, self.keys = problem, Keys.of(plan.settings.seed)
        self._epoch = Compiled(log_epoch.compiled_epoch, sizes=self.sizes)

    @property
    def problem(self) -> LogProblem:
        """The log with what followed each row, and its units."""
        return self._problem

    @property
    def ends(self) -> None:
        """No model's episodes."""
        return None

    def fresh(self) -> LogState:
        """An agent."""
        return log_epoch.compiled_start(self._problem, None, self.method, self.sizes, self.temperature, self.keys)

    def epoch(self, state: LogState, c: Coefficients) -> Call:
        """Updates on drawn rows."""
        return self._epoch.call(state, self.method, self._problem, c, self.keys.epochs)

    def steps(self, state: LogState, c: Coefficients) -> Iterator[Step]:
        """A call of the method's update counts as one."""
        return divergence.steps_on_log(state, self.method, self._problem, c, self.keys.epochs, self.sizes)
