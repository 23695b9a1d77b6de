"""What a run does about a model: the one place where methods that learn one and methods that learn none part."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from micro_rl.algorithms import log_epoch, registry
from micro_rl.algorithms.log_epoch import LogProblem
from micro_rl.core.settings import Settings
from micro_rl.core.types import Problem, Scaling
from micro_rl.data import Dataset
from micro_rl.dynamics.saved_model import FittedModel, load_model
from micro_rl.dynamics.termination import EpisodeEnds, NoRollouts, episode_ends
from micro_rl.dynamics.termination_rules import Rule
from micro_rl.errors import UserError
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training import fitting


@dataclass(frozen=True)
class ModelUse(ABC):
    """The same questions to both kinds of methods."""

    method: str

    @abstractmethod
    def ends(self, log: Dataset, termination: str | Rule | None) -> EpisodeEnds:
        """When the model's episodes end; `termination` is what was asked for."""

    @abstractmethod
    def ends_of_another(self, ends: EpisodeEnds, log: Dataset) -> EpisodeEnds:
        """The same, where another method's plan has decided it already."""

    @abstractmethod
    def problem(self, dataset: Dataset, settings: Settings, scaling: Scaling | None) -> Problem | LogProblem:
        """The log in core units, with what the method's update looks at; `scaling` where a model brings its own."""

    @abstractmethod
    def saved_model(self, run: RunFolder) -> FittedModel | None:
        """The model in a run's folder, where its method has one; `UserError` where that cannot be read."""

    @abstractmethod
    def place(self, run: RunFolder) -> Path:
        """Where a run's model lies, or the one that scores it."""

    @abstractmethod
    def refuse_refit(self) -> None:
        """`UserError` where there is nothing to fit anew."""


class LearnsModel(ModelUse):
    """The method fits the dynamics and trains on rollouts in them."""

    def ends(self, log: Dataset, termination: str | Rule | None) -> EpisodeEnds:
        return episode_ends(log, termination)

    def ends_of_another(self, ends: EpisodeEnds, log: Dataset) -> EpisodeEnds:
        return episode_ends(log, None) if isinstance(ends, NoRollouts) else ends

    def problem(self, dataset: Dataset, settings: Settings, scaling: Scaling | None) -> Problem:
        return fitting.problem_of(dataset, settings, scaling)

    def saved_model(self, run: RunFolder) -> FittedModel:
        return load_model(run.model)

    def place(self, run: RunFolder) -> Path:
        return run.model

    def refuse_refit(self) -> None:
        return None


class LogAlone(ModelUse):
    """The method learns from the log's own rows."""

    def ends(self, log: Dataset, termination: str | Rule | None) -> NoRollouts:
        return NoRollouts()

    def ends_of_another(self, ends: EpisodeEnds, log: Dataset) -> NoRollouts:
        return NoRollouts()

    def problem(self, dataset: Dataset, settings: Settings, scaling: Scaling | None) -> LogProblem:
        return log_epoch.problem_of(dataset, settings)

    def saved_model(self, run: RunFolder) -> None:
        return None

    def place(self, run: RunFolder) -> Path:
        return run.scoring_model

    def refuse_refit(self) -> None:
        raise UserError(
            f"refit: {self.method} learns no model; leave it out: --branch alone goes on with the longer log"
        )


def model_use_of(method: str) -> ModelUse:
    """What runs of a method do, by its name in the registry."""
    return LearnsModel(method) if registry.learns_model(method) else LogAlone(method)
