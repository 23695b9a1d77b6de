"""MICRO (arXiv 2312.03991): on model rows, the Bellman target under the worst of the possible next states."""

from dataclasses import dataclass
from typing import Annotated, Literal

import equinox as eqx
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, Scalar

from micro_rl.algorithms.model_based.ball_target import BallTarget
from micro_rl.algorithms.model_based.balls import BALLS
from micro_rl.algorithms.model_based.calibrated_target import CalibratedTarget
from micro_rl.algorithms.model_based.candidates import CandidateNoise, candidate_noise, candidate_values
from micro_rl.algorithms.model_based.gaps import (
    ExpectedGap,
    Gap,
    MeanLessKthSmallest,
    MeanLessMinimum,
    MeanLessSoftMinimum,
    NextValueLessMinimum,
)
from micro_rl.algorithms.model_based.moment_target import MomentTarget
from micro_rl.algorithms.slots import Method, MethodContext, Target, bellman
from micro_rl.core.setting import AUTHORS, Setting, check_values
from micro_rl.core.sizes import ModelSizes
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Ensemble, Models
from micro_rl.errors import UserError

SET_LEVEL = 0.95
SUMMARY = "conservative Bellman target: the worst of what the elites say may follow"
PAPER = "arXiv 2312.03991"


@dataclass(frozen=True)
class Options:
    """MICRO's own settings."""

    beta: Annotated[float, Setting(minimum=0, maximum=1, source=f"{AUTHORS}: 0.1 to 1 by task")] = 0.5
    """Conservatism: 0 is SAC on the model, 1 the robust operator over the elites' predictions."""
    num_samples: Annotated[int, Setting(minimum=0, source="the paper; its authors' code has 10")] = 1
    """Next states drawn from each member: 10 as the authors run it, 1 as the paper writes it, 0 = its mean."""
    candidates: Annotated[
        Literal["elites", "all", "l2", "linf", "mahalanobis", "calibrated"],
        Setting(source="the paper; all, the balls and calibrated are ours"),
    ] = "elites"
    """The set: draws of elites or all members, a ball around the stored next state, or one that covers as measured."""
    gap: Annotated[
        Literal["mean-min", "soft-min", "kth", "value-min"], Setting(source="the paper; the others are ours")
    ] = "mean-min"
    """f: mean - min of the candidates' values, mean - soft minimum, mean - k-th smallest, or V(s') - min; of a lone
    elite the first three are 0."""
    values: Annotated[Literal["draws", "moments", "linear"], Setting(source="the paper; the others are ours")] = "draws"
    """Values of candidates by draws, or f's expectation over them: by each member's moments, or one slope for all."""
    predictions: Annotated[Literal["anew", "stored"], Setting(source=f"{AUTHORS}: anew; stored is ours")] = "anew"
    """Each member's prediction of a model row: made in every update, or once and stored with the row."""
    softness: Annotated[float | None, Setting(above=0, source="ours")] = None
    """The soft minimum's temperature, in core units of value (with gap soft-min only)."""
    k: Annotated[int | None, Setting(minimum=1, source="ours")] = None
    """Which smallest value counts (with gap kth only)."""
    radius: Annotated[float | None, Setting(minimum=0, unit="standard deviations", source="ours")] = None
    """The ball's radius in standard deviations (with a ball only)."""
    ball_steps: Annotated[int | None, Setting(minimum=1, unit="steps", source="ours")] = None
    """Steps of projected gradient inside the ball (with a ball only); by default 5, and a first-order bound where
    calibrated."""
    set_level: Annotated[float | None, Setting(above=0, below=1, source="ours")] = None
    """Share of true next states that the set holds on held-out episodes (with calibrated only); by default 0.95."""


class ConservativeTarget(Target):
    """y = r + gamma d (V(s') - beta f(s, a)), f over candidates that members draw."""

    beta: Scalar
    draws: int = eqx.field(static=True)
    gap: Gap = MeanLessMinimum()
    every_member: bool = eqx.field(static=True, default=False)
    stores: bool = eqx.field(static=True, default=False)

    def stored(self, models: Models) -> Ensemble | None:
        return self._of(models) if self.stores else None

    def noise(self, key: Key[Array, ""], rows: Transition, models: Models) -> CandidateNoise:
        return candidate_noise(key, rows, self._of(models).size, self.draws)

    def __call__(
        self, rows: Transition, next_value: Float[Array, " rows"], context: MethodContext, noise: CandidateNoise
    ) -> tuple[Float[Array, " rows"], dict[str, Array]]:
        f = self.gap(candidate_values(context, self._of(context.models), rows, noise), next_value)
        y = bellman(rows, next_value - self.beta * f, context.discount)
        return y, {"conservative_term": jnp.mean(f)}

    def refuse(self, sizes: ModelSizes) -> None:
        self.gap.refuse(sizes.members if self.every_member else sizes.elites)

    def _of(self, models: Models) -> Ensemble:
        return models.members if self.every_member else models.elites


def build(options: Options) -> Method:
    """The method with these coefficients; beta outside [0, 1] is no contraction and is refused."""
    check_values(options)
    beta = jnp.asarray(options.beta, jnp.float32)
    if options.candidates != "calibrated":
        _refuse(options, "set_level", unless="candidates calibrated")
    if options.candidates in BALLS:
        return Method(target=_ball(options, beta))
    if options.candidates == "calibrated":
        return Method(target=_calibrated(options, beta))
    _refuse(options, "radius", "ball_steps", unless="candidates l2, linf or mahalanobis")
    members = {"every_member": options.candidates == "all", "stores": options.predictions == "stored"}
    if options.values != "draws":
        return Method(target=_moments(options, beta, members))
    return Method(target=ConservativeTarget(beta, options.num_samples, _gap(options), **members))


def _moments(options: Options, beta: Scalar, members: dict[str, bool]) -> MomentTarget:
    gap = _gap(options)
    if not isinstance(gap, ExpectedGap):
        raise UserError(f"gap: {options.gap} needs draws, not values {options.values}; choose mean-min or value-min")
    if options.num_samples == 0:
        raise UserError(f"num_samples: 0 draws nothing that values {options.values} could average; give 1 or more")
    shared = options.values == "linear"
    return MomentTarget(beta, gap, options.num_samples, shared, **members)


def _calibrated(options: Options, beta: Scalar) -> CalibratedTarget:
    _refuse_draws(options)
    _refuse(options, "radius", unless="candidates l2, linf or mahalanobis")
    level = SET_LEVEL if options.set_level is None else options.set_level
    return CalibratedTarget(beta=beta, level=level, steps=options.ball_steps or 0)


def _refuse_draws(options: Options) -> None:
    _refuse(options, "softness", "k", unless="draws of members")
    if options.gap != "mean-min" or options.num_samples != 1:
        raise UserError(
            f"candidates: a ball ({options.candidates}) has neither gap nor draws; leave gap at mean-min and "
            "num_samples at 1"
        )
    for name, usual in (("values", "draws"), ("predictions", "anew")):
        if (value := getattr(options, name)) != usual:
            raise UserError(f"{name}: {value} does nothing with a ball ({options.candidates}); leave it at {usual}")


def _ball(options: Options, beta: Scalar) -> BallTarget:
    _refuse_draws(options)
    radius, steps = options.radius, 5 if options.ball_steps is None else options.ball_steps
    if radius is None:
        raise UserError(f"radius: a ball ({options.candidates}) needs one of 0 or more, in standard deviations")
    return BallTarget(beta=beta, radius=jnp.asarray(radius, jnp.float32), ball=BALLS[options.candidates], steps=steps)


def _gap(options: Options) -> Gap:
    if options.gap != "soft-min":
        _refuse(options, "softness", unless="gap soft-min")
    if options.gap != "kth":
        _refuse(options, "k", unless="gap kth")
    if options.gap == "soft-min":
        if options.softness is None:
            raise UserError("softness: gap soft-min needs one above 0; towards 0 it is the minimum")
        return MeanLessSoftMinimum(jnp.asarray(options.softness, jnp.float32))
    if options.gap == "kth":
        if options.k is None:
            raise UserError("k: gap kth needs one of at least 1; 1 is the minimum")
        return MeanLessKthSmallest(options.k)
    return {"mean-min": MeanLessMinimum(), "value-min": NextValueLessMinimum()}[options.gap]


def _refuse(options: Options, *names: str, unless: str) -> None:
    for name in names:
        if getattr(options, name) is not None:
            raise UserError(f"{name}: {getattr(options, name)} does nothing without {unless}")
