"""Learning that stays where the log can vouch for it: what becomes of model rows that are unlike the log's own.

Every method that learns a model can have one of these; it acts on the rows of rollouts after the method's own
`transform`. The score is the greater of two parts, each over what is usual for true transitions: how far (s, a) lies
from the log's rows, and how far s' lies beyond the log's ranges (`micro_rl.dynamics.support`). Whether the members
agree does not enter: where they are wrong together, they do.
"""

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Scalar

from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import inputs_of
from micro_rl.dynamics.support import Reference, distance, excess


class Support(eqx.Module):
    """What the log knows, and above which score a row is unknown; all are leaves, so runs of one program may differ."""

    ends_rollout: ClassVar[bool] = False
    """Whether the rollout of an unknown row ends without the episode's end."""
    known: Reference
    scales: Float[Array, " 2"]
    limit: Scalar

    def score(self, rows: Transition) -> Float[Array, " rows"]:
        """The greater of distance and excess, each over its scale."""
        far, outside = distance(self.known, inputs_of(rows)), excess(self.known, rows.next_observation)
        return jnp.maximum(far / self.scales[0], outside / self.scales[1])

    @abstractmethod
    def __call__(self, rows: Transition) -> tuple[Transition, Bool[Array, " rows"]]:
        """The rows as they are to be learned from, and which of them are unknown."""


class Halt(Support):
    """An unknown row ends the episode at the log's least reward; so does one that was terminal anyway."""

    reward: Scalar

    def __call__(self, rows: Transition) -> tuple[Transition, Bool[Array, " rows"]]:
        unknown = self.score(rows) > self.limit
        reward, discount = jnp.where(unknown, self.reward, rows.reward), jnp.where(unknown, 0.0, rows.discount)
        return rows._replace(reward=reward, discount=discount), unknown


class Truncate(Support):
    """A rollout ends with its first unknown row, whose value is bootstrapped as that of any other.

    That row is learned from: without it nothing would ever contradict what the critics make of such actions.
    """

    ends_rollout: ClassVar[bool] = True

    def __call__(self, rows: Transition) -> tuple[Transition, Bool[Array, " rows"]]:
        return rows, self.score(rows) > self.limit


class Penalise(Support):
    """The reward of an unknown row less a price for each unit of its score above the limit."""

    penalty: Scalar

    def __call__(self, rows: Transition) -> tuple[Transition, Bool[Array, " rows"]]:
        above = jnp.maximum(self.score(rows) - self.limit, 0.0)
        return rows._replace(reward=rows.reward - self.penalty * above), above > 0
