"""When an episode ends: the interface that rollouts ask, and rules that look at the raw next observation alone.

A rule maps observations [*rows, obs] to bool [*rows], true where the episode ends there. The rules here use
array operators and methods only: they run inside a compiled rollout and, unchanged, on NumPy logs. A user's
own function of that form is as good as one from the table.

Sources: `is_healthy` of Gymnasium's Hopper-v4 and Walker2d-v4; HalfCheetah-v4, which never ends; the code of
MICRO (arXiv 2312.03991) as released for the guard |s| < 100 and for `hopper_released`.
"""

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Key

from micro_rl.core.expression import Expression, parse
from micro_rl.core.types import Scaling
from micro_rl.errors import UserError, did_you_mean

Observations = Float[Array, "*rows obs"] | Float[np.ndarray, "*rows obs"]
Ends = Bool[Array, "*rows"] | Bool[np.ndarray, "*rows"] | np.bool_
Rule = Callable[[Any], Ends]

STATE_LIMIT = 100.0
"""Hopper-v4's bound on the size of its state, and the bound of the released guard."""


class Termination(eqx.Module):
    """Which of a rollout's rows end there. A pytree, given to the compiled program as an argument."""

    @abstractmethod
    def __call__(
        self, following: Float[Array, "rows obs"], scaling: Scaling, key: Key[Array, ""]
    ) -> Bool[Array, " rows"]:
        """`following`: next observations in core units; `key`: a stream apart, for those who draw."""


class ByRule(Termination):
    """As a rule says; it holds no numbers, so it is part of the program."""

    rule: Rule = eqx.field(static=True)
    newest: int | None = eqx.field(static=True, default=None)
    """In windows, the columns of the newest observation: a rule sees no other."""

    def __call__(
        self, following: Float[Array, "rows obs"], scaling: Scaling, key: Key[Array, ""]
    ) -> Bool[Array, " rows"]:
        return jnp.asarray(self.rule(scaling.raw_observation(following)[..., : self.newest]))


def never(observation: Observations) -> Ends:
    """No episode ends, whatever the observation, even one that is not finite: only a time limit stops it."""
    return observation[..., 0] < -np.inf


def hopper(observation: Observations) -> Ends:
    """Hopper-v4: ends unless finite, |s[1:]| < 100, height s[0] above 0.7 and |torso angle s[1]| < 0.2."""
    within = _inside(observation[..., 1:], STATE_LIMIT)
    return ~(_finite(observation) & within & _hopper_stands(observation))


def walker2d(observation: Observations) -> Ends:
    """Walker2d-v4: ends unless finite, height s[0] between 0.8 and 2 and |torso angle s[1]| < 1."""
    height, angle = observation[..., 0], observation[..., 1]
    return ~(_finite(observation) & (height > 0.8) & (height < 2.0) & (abs(angle) < 1.0))


def hopper_released(observation: Observations) -> Ends:
    """MICRO's released rule for hopper, kept for comparison: no entry is too negative for it.

    Its parenthesis is misplaced: abs(s < 100) where abs(s) < 100 was meant.
    """
    within = (observation[..., 1:] < STATE_LIMIT).all(-1)
    return ~(_finite(observation) & within & _hopper_stands(observation))


def guarded(rule: Rule, limit: float = STATE_LIMIT) -> Rule:
    """The rule, and an end also wherever some |entry| reaches the limit or is NaN: the rollout has exploded.

    `limit` is in raw units: it suits observations that stay well below it, as the three D4RL robots' do.
    """

    def guarded_rule(observation: Observations) -> Ends:
        return rule(observation) | ~_inside(observation, limit)

    return guarded_rule


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "never": never,
        "hopper": hopper,
        "walker2d": walker2d,
        "halfcheetah": never,
        "walker2d-guarded": guarded(walker2d),
        "halfcheetah-guarded": guarded(never),
        "hopper-released": hopper_released,
    }
)
"""The named rules. One object per name for the life of the process, so a compiled program is reused."""


LEARNED = "learned"
"""In place of a rule's name: a head learned from the log's own terminals says when episodes end."""


@dataclass(frozen=True)
class Formula:
    """A rule written as a condition on the raw next observation, by the names of its columns.

    Two of the same text and names are equal, so that they share a compiled program.
    """

    condition: Expression
    names: tuple[str, ...]

    def __call__(self, observation: Observations) -> Ends:
        return self.condition({name: observation[..., place] for place, name in enumerate(self.names)})


def find(name: str, columns: Sequence[str] = ()) -> Rule:
    """The rule of that name, or the condition on these columns that it is; `UserError` where it is neither."""
    if name in RULES:
        return RULES[name]
    if not re.fullmatch(r"[\w-]*", name):
        return formula(parse(name, columns, "termination"), columns)
    raise UserError(
        f"unknown termination rule '{name}'{did_you_mean(name, RULES)}: choose one of {', '.join(RULES)}, {LEARNED}, "
        "or write a condition on the next observation"
    )


def formula(condition: Expression, columns: Sequence[str]) -> Formula:
    """The rule that ends an episode where the condition holds; `UserError` where it is a number."""
    if not condition.condition:
        raise UserError(f"termination: {condition.text!r} is a number, not a condition; compare it, as in x > 0")
    return Formula(condition, tuple(columns))


def _finite(observation: Observations) -> Ends:
    return _inside(observation, np.inf)


def _inside(values: Observations, limit: float) -> Ends:
    """Where every |entry| is below the limit; NaN is not."""
    return (abs(values) < limit).all(-1)


def _hopper_stands(observation: Observations) -> Ends:
    return (observation[..., 0] > 0.7) & (abs(observation[..., 1]) < 0.2)
