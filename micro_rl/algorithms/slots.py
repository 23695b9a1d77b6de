"""A method: the slots in which model-based methods differ from SAC on the model, and their neutral values."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import fields, replace
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Key, PyTree, Scalar

from micro_rl.algorithms.critics import CriticRules, critic_rules
from micro_rl.algorithms.method import AnyMethod
from micro_rl.algorithms.support import Support
from micro_rl.core.networks import MLP, PRODUCTS, Network, Product, full_product
from micro_rl.core.settings import Settings
from micro_rl.core.sizes import ModelSizes
from micro_rl.core.types import Batch, Predictions, Replay, Transition
from micro_rl.dynamics.calibrated_set import CalibratedSet
from micro_rl.dynamics.ensemble import Ensemble, Models
from micro_rl.dynamics.known_reward import KnownReward
from micro_rl.dynamics.log_units import LogUnits

METHOD_STREAM = 1 << 30
"""Folded into a key, the stream of a method's own draws. `split(key, n)[i]` is `fold_in(key, i)`, so a small
number would be a stream that the loop uses already."""


Ends = Callable[[Float[Array, "rows obs"], Key[Array, ""]], Bool[Array, " rows"]]
"""Whether an episode ends at next observations in core units."""


class MethodContext(NamedTuple):
    """What a method may look at: the critics and their slow copies, the actor, the models and gamma.

    `predictions` are those stored with the rows of the model; None where the target has to make them.
    """

    critics: Network
    targets: Network
    actor: MLP
    models: Models
    discount: Scalar
    predictions: Predictions | None = None


class EpochContext(NamedTuple):
    """What a method may look at after an epoch: the networks, the log's rows, and when episodes end.

    `replay` says what rollouts take from the log and not from the model; None where no column is exogenous. `paid`
    gives rows of the model the reward that is known as a formula, where one is.
    """

    networks: MethodContext
    log: Transition
    ends: Ends
    replay: Replay | None = None
    paid: Callable[[Transition], Transition] = lambda rows: rows


class Prepare(eqx.Module):
    """Once, before training: the actor to begin with, and what the method itself must remember (`method_state`).

    Of exogenous columns the model that is handed over has no word, here and in `RolloutTransform`: `predict` leaves
    them as they are, with deviation 0.
    """

    @abstractmethod
    def __call__(self, actor: MLP, ensemble: Ensemble, log: Transition, key: Key[Array, ""]) -> tuple[MLP, PyTree]: ...

    def in_units_of(self, units: LogUnits) -> "Prepare":
        """The same with what it needs of the log's units; asked when the model is fitted."""
        return self


class RolloutTransform(eqx.Module):
    """The model's reward and discount, at rollout time."""

    @abstractmethod
    def __call__(self, ensemble: Ensemble, method_state: PyTree, rows: Transition) -> Transition: ...

    def refuse(self, sizes: ModelSizes) -> None:
        """Raise `UserError` where its options do not fit the model; asked before anything is fitted."""


class Target(eqx.Module):
    """The Bellman target y on model rows, from the soft value of the stored next observation."""

    needs_held_out: ClassVar[bool] = False
    """Whether it needs a model that kept episodes out of its fit."""

    @abstractmethod
    def noise(self, key: Key[Array, ""], rows: Transition, models: Models) -> PyTree:
        """The normal draws `__call__` needs for these rows."""

    @abstractmethod
    def __call__(
        self, rows: Transition, next_value: Float[Array, " rows"], context: MethodContext, noise: PyTree
    ) -> tuple[Float[Array, " rows"], dict[str, Array]]:
        """y [rows], and what is worth logging."""

    def refuse(self, sizes: ModelSizes) -> None:
        """Raise `UserError` where its options do not fit the model; asked before anything is fitted."""

    def stored(self, models: Models) -> Ensemble | None:
        """The members whose predictions are stored with rows of the model; None: nobody's."""
        return None

    def calibrated_by(self, measure: Callable[[float], CalibratedSet]) -> "Target":
        """The same with the set that holds a share of true next states, where it asks `measure` for one."""
        return self

    def in_units_of(self, units: LogUnits) -> "Target":
        """The same with what it needs of the log's units; asked when the model is fitted."""
        return self


class Regularize(eqx.Module):
    """What is added to the critics' loss.

    What is `logged` is looked at in every update, so that it cannot be NaN unnoticed. Methods that ship leave it out:
    one number more to give out rounds others another way, and at weight 0 they are SAC to the bit.
    """

    logged: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, critics: Network, actor: MLP, batch: Batch, key: Key[Array, ""]) -> Scalar: ...

    def refuse(self, sizes: ModelSizes) -> None:
        """Raise `UserError` where its options do not fit the critics; asked before anything is fitted."""

    @property
    def keeps_apart(self) -> str:
        """Its option that keeps the critics' gradients by the action apart; empty where none does."""
        return ""


class ModelUpdate(eqx.Module):
    """What happens to the model, and to the method's own state, after an epoch."""

    @abstractmethod
    def __call__(
        self, ensemble: Ensemble, method_state: PyTree, context: EpochContext, key: Key[Array, ""]
    ) -> tuple[Ensemble, PyTree]: ...

    def refuse(self, sizes: ModelSizes) -> None:
        """Raise `UserError` where its options do not fit the model; asked before anything is fitted."""


def bellman(rows: Transition, value: Float[Array, " rows"], discount: Scalar) -> Float[Array, " rows"]:
    """y = r + gamma d V(s')."""
    return rows.reward + discount * rows.discount * value


class RemembersNothing(Prepare):
    """The fresh actor, and no state beside the agent's."""

    def __call__(self, actor: MLP, ensemble: Ensemble, log: Transition, key: Key[Array, ""]) -> tuple[MLP, PyTree]:
        return actor, ()


class AsPredicted(RolloutTransform):
    """Rewards and terminations as the model predicts them."""

    def __call__(self, ensemble: Ensemble, method_state: PyTree, rows: Transition) -> Transition:
        return rows


class SoftTarget(Target):
    """SAC's: the same on model rows as on the log's."""

    def noise(self, key: Key[Array, ""], rows: Transition, models: Models) -> PyTree:
        return ()

    def __call__(
        self, rows: Transition, next_value: Float[Array, " rows"], context: MethodContext, noise: PyTree
    ) -> tuple[Float[Array, " rows"], dict[str, Array]]:
        return bellman(rows, next_value, context.discount), {}


class NoPenalty(Regularize):
    """The critics' loss as it is."""

    logged: ClassVar[bool] = False

    def __call__(self, critics: Network, actor: MLP, batch: Batch, key: Key[Array, ""]) -> Scalar:
        return jnp.zeros(())


class ModelStays(ModelUpdate):
    """The model is not touched after its fit."""

    def __call__(
        self, ensemble: Ensemble, method_state: PyTree, context: EpochContext, key: Key[Array, ""]
    ) -> tuple[Ensemble, PyTree]:
        return ensemble, method_state


class Method(AnyMethod):
    """The five slots; as it stands, SAC on the model.

    `product` multiplies the matrices of the networks that rollouts and `target` see: nobody learns through those.
    `reward` is what rows of rollouts pay, where that is known as a formula; None: what the model predicts.
    `support` says what becomes of rows of rollouts that are unlike the log's; None: nothing.
    `critics` says which target critics count, and what keeps the critics apart.
    """

    prepare: Prepare = RemembersNothing()
    transform: RolloutTransform = AsPredicted()
    target: Target = SoftTarget()
    regularize: Regularize = NoPenalty()
    update_model: ModelUpdate = ModelStays()
    product: Product = eqx.field(static=True, default=full_product)
    steps: int = eqx.field(static=True, default=1)
    reward: KnownReward | None = None
    support: Support | None = None
    critics: CriticRules = CriticRules()
    learns_model: ClassVar[bool] = True
    least_rows: ClassVar[int] = 2
    """One is kept back, for the model to be measured on."""

    def filled_slots(self) -> tuple[str, ...]:
        neutral = Method()
        return tuple(slot for slot in SLOTS if type(getattr(self, slot)) is not type(getattr(neutral, slot)))

    def configured(self, settings: Settings) -> "Method":
        return replace(self, product=PRODUCTS[settings.precision], critics=critic_rules(settings))

    def paid_by(self, reward: KnownReward | None) -> "Method":
        """The same where a formula says what a step pays."""
        return replace(self, reward=reward)

    def supported_by(self, support: Support | None) -> "Method":
        """The same with another answer to rows that are unlike the log's."""
        return replace(self, support=support)

    def calibrated_by(self, measure: Callable[[float], CalibratedSet]) -> "Method":
        """The same with the set of next states that its target asks for, if it does."""
        return replace(self, target=self.target.calibrated_by(measure))

    def in_units_of(self, units: LogUnits) -> "Method":
        """The same with what its slots need of the log's units."""
        return replace(self, prepare=self.prepare.in_units_of(units), target=self.target.in_units_of(units))

    def refuse(self, sizes: ModelSizes) -> None:
        self.transform.refuse(sizes)
        self.target.refuse(sizes)
        self.regularize.refuse(sizes)
        self.update_model.refuse(sizes)

    def rows_kept(self, settings: Settings) -> int:
        return settings.rollout_batch_size * settings.rollout_length * settings.rollouts_kept

    @property
    def keeps_apart(self) -> str:
        return self.regularize.keeps_apart or ("" if self.critics.diversity is None else "critic_diversity")

    @property
    def needs_held_out(self) -> bool:
        return self.target.needs_held_out

    @property
    def needs_device(self) -> str:
        rows_suffice = isinstance(self.prepare, RemembersNothing) and isinstance(self.update_model, ModelStays)
        return "" if rows_suffice else "looks at the whole log"


SLOTS = tuple(
    field.name for field in fields(Method) if field.name not in ("product", "steps", "reward", "support", "critics")
)
