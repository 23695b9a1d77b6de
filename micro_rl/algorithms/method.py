"""What runs ask of any method, whether it learns a model (`slots.Method`) or not (`ModelFreeMethod`)."""

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx

from micro_rl.core.settings import Settings
from micro_rl.core.sizes import ModelSizes


class AnyMethod(eqx.Module):
    """A method with its coefficients, which are its leaves. What trains with it is a `learner.Learner`."""

    learns_model: ClassVar[bool]
    """Whether it fits the dynamics and trains on rollouts in them."""
    least_rows: ClassVar[int]
    """Rows of a log that it needs."""
    steps: eqx.AbstractVar[int]
    """Updates of the critics in one call; the updates of an epoch are a multiple."""

    def configured(self, settings: Settings) -> "AnyMethod":
        """The same with what the general settings say of its networks; without a model, nothing."""
        return self

    @abstractmethod
    def rows_kept(self, settings: Settings) -> int:
        """Rows of rollouts that a run of it holds at once."""

    @abstractmethod
    def filled_slots(self) -> tuple[str, ...]:
        """Names of the functions that are its own, the others being those of soft actor-critic on the model."""

    def refuse(self, sizes: ModelSizes) -> None:
        """Raise `UserError` where an option does not fit the model or the critics; asked before anything is fitted."""

    @property
    def keeps_apart(self) -> str:
        """What of its settings keeps the critics' gradients by the action apart; empty where nothing does."""
        return ""

    @property
    def needs_held_out(self) -> bool:
        """Whether it needs a model that kept episodes out of its fit."""
        return False

    @property
    def needs_device(self) -> str:
        """Why the log must be on the device, in words; empty where it may stay on the host."""
        return ""
