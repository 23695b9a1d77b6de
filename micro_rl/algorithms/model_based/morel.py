"""MOReL (arXiv 2005.05951): model rows on which the members disagree too much end the episode at a bad reward."""

from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, Scalar

from micro_rl.algorithms.slots import Method, Prepare, RolloutTransform
from micro_rl.core.networks import MLP
from micro_rl.core.setting import Setting, check_values
from micro_rl.core.sizes import ModelSizes
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Ensemble, predict
from micro_rl.dynamics.log_units import LogUnits
from micro_rl.errors import UserError

SUMMARY = "episodes of the model halt, at a bad reward, where the members disagree"
PAPER = "arXiv 2005.05951"
BLOCK = 10_000
"""Rows of the log looked at together."""


@dataclass(frozen=True)
class Options:
    """MOReL's own settings."""

    threshold: Annotated[
        float, Setting(above=0, finite=False, source="ours: known is what the log has (the authors' hopper example: 3)")
    ] = 1.0
    """Share of the largest disagreement on the log's own rows above which a model row is unknown; inf: none is."""
    halt_penalty: Annotated[
        float, Setting(minimum=0, unit="core reward", source="ours: the size of a usual reward")
    ] = 1.0
    """kappa: how far below the log's smallest reward the reward of unknown rows lies, in core units."""


class Known(NamedTuple):
    """What the log tells: its largest disagreement, its smallest reward, and the units of its targets.

    The latter are None where the model was fitted in such units: they are then its own.
    """

    disagreement: Scalar
    reward: Scalar
    unit: Float[Array, " out"] | None = None


def disagreement(
    ensemble: Ensemble, rows: Transition, unit: Float[Array, " out"] | None = None
) -> Float[Array, " rows"]:
    """max_ij |mu_i(s, a) - mu_j(s, a)| over next states, in the units of the log's changes; by default the model's."""
    mean, _ = predict(ensemble, rows.observation, rows.action)
    unit = ensemble.target_std if unit is None else unit
    newest = unit.shape[0] - 1  # the rest of a window is known, and no member differs there
    states = mean[..., :newest] / unit[None, None, :newest]
    apart = states[:, None] - states[None]
    return jnp.max(jnp.linalg.norm(apart, axis=-1), axis=(0, 1))


class FitThreshold(Prepare):
    """The largest disagreement on the log, block by block, and the smallest reward."""

    unit: Float[Array, " out"] | None = None

    def in_units_of(self, units: LogUnits) -> "FitThreshold":
        unit = units.of_targets()
        return self if unit is None else replace(self, unit=jnp.asarray(unit))

    def __call__(self, actor: MLP, ensemble: Ensemble, log: Transition, key: Key[Array, ""]) -> tuple[MLP, Known]:
        count = log.reward.shape[0]
        block = min(BLOCK, count)
        index = (jnp.arange(-(-count // block) * block) % count).reshape(-1, block)

        def in_block(rows: Array) -> Scalar:
            return jnp.max(disagreement(ensemble, jax.tree.map(lambda column: column[rows], log), self.unit))

        unit = None if self.unit is None else jnp.copy(self.unit)  # what an epoch uses up must not be this one's own
        return actor, Known(jnp.max(jax.lax.map(in_block, index)), jnp.min(log.reward), unit)


class Halt(RolloutTransform):
    """Unknown rows are worth min r - kappa and nothing follows."""

    threshold: Scalar
    penalty: Scalar

    def __call__(self, ensemble: Ensemble, method_state: Known, rows: Transition) -> Transition:
        apart = disagreement(ensemble, rows, method_state.unit)
        unknown = apart > self.threshold * method_state.disagreement
        reward = jnp.where(unknown, method_state.reward - self.penalty, rows.reward)
        return rows._replace(reward=reward, discount=jnp.where(unknown, 0.0, rows.discount))

    def refuse(self, sizes: ModelSizes) -> None:
        if sizes.members < 2:
            raise UserError("ensemble_size: 1 disagrees with nobody; MOReL needs 2 or more")


def build(options: Options) -> Method:
    """The method with these coefficients."""
    check_values(options)
    threshold, penalty = (jnp.asarray(value, jnp.float32) for value in (options.threshold, options.halt_penalty))
    return Method(prepare=FitThreshold(), transform=Halt(threshold, penalty))
