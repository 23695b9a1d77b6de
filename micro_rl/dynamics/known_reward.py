"""A reward that is known as a formula: what a step pays need not be learned, and may be what no row of the log shows.

The formula is over the columns of a step in raw units: the observation and the action by the log's names, and what is
observed after the step by the same names behind `next_`. A model predicts the step; what that pays is computed.
"""

import shlex
import tomllib
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float

from micro_rl.core.expression import Expression, parse
from micro_rl.core.types import Scaling, Transition
from micro_rl.data import Dataset
from micro_rl.errors import UserError

NEXT = "next_"
"""Before a column's name: the value after the step."""
TOLERANCE = 0.01
"""How far the log's rewards may be from the formula, as the root mean square in their standard deviations."""
BLOCK = 100_000
"""Rows of the log that are looked at together."""
MARGIN, NEARBY = 1.0, 10_000
"""A formula is tried at so many steps, from so many standard deviations below the log's ranges to as many above."""


class KnownReward(eqx.Module):
    """The formula and the columns that it is over; it holds no numbers, so it is part of a compiled program."""

    formula: Expression = eqx.field(static=True)
    observations: tuple[str, ...] = eqx.field(static=True)
    """Of the newest observation, which windows begin with."""
    actions: tuple[str, ...] = eqx.field(static=True)

    def __call__(self, rows: Transition, scaling: Scaling) -> Transition:
        """The rows with the reward of the formula.

        Args:
            rows: What a model predicts, core units.
            scaling: Those units.
        """
        before, after = (scaling.raw_observation(part) for part in (rows.observation, rows.next_observation))
        return rows._replace(reward=self.of(before, scaling.raw_action(rows.action), after) / scaling.reward_scale)

    def of(self, before: Float[Any, "row obs"], action: Float[Any, "row act"], after: Float[Any, "row obs"]) -> Any:
        """What steps pay [row], raw units like the steps."""
        following = [NEXT + name for name in self.observations]
        parts = (self.observations, before), (self.actions, action), (following, after)
        return self.formula({name: values[:, place] for names, values in parts for place, name in enumerate(names)})

    def of_log(self, log: Dataset) -> Float[np.ndarray, " row"]:
        """What every row that has a next observation pays, raw units."""
        parts, rows = (log.observations, log.actions, log.next_observations), np.flatnonzero(log.usable)
        blocks = [rows[first : first + BLOCK] for first in range(0, len(rows), BLOCK)]
        paid = [self.of(*(part[block].astype(np.float64) for part in parts)) for block in blocks]
        return np.concatenate([np.asarray(block, np.float64) for block in paid])


def find(text: str, log: Dataset) -> KnownReward:
    """The reward that a formula names, held against the log.

    Args:
        text: The formula.
        log: Of single observations.

    Raises:
        UserError: It cannot be read, has no value near the log, or the log's rewards are not its.
    """
    observations = tuple(column.name for column in log.columns.observations)
    actions = tuple(column.name for column in log.columns.actions)
    names = [*observations, *actions, *(NEXT + name for name in observations)]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(
            f"known_reward: {doubled[0]!r} is a column's own name and what {doubled[0].removeprefix(NEXT)!r} is after "
            "the step: give one of them another name"
        )
    reward = KnownReward(parse(text, names, "known_reward"), observations, actions)
    if reward.formula.condition:
        raise UserError(f"known_reward: {text!r} is a condition, not a number; write 1 * ({text})")
    _refuse_another(reward, log)
    _refuse_holes(reward, log)
    return reward


def stated(log: Dataset) -> str | None:
    """The formula by which the log's description has its reward, where it is one of the model's steps."""
    try:
        text = log.reading.reward or tomllib.loads(log.mapping).get("reward")
        return find(str(text), log).formula.text if text else None
    except (tomllib.TOMLDecodeError, UserError):  # a column's name, unobserved columns, several rows of the file
        return None


def sentences(reward: KnownReward | None, log: Dataset) -> list[str]:
    """What a person should know: how far the log's rewards are from the formula, or that the log states one."""
    if reward is not None:
        return [
            f"known_reward: what the model's rows pay is computed by {reward.formula.text!r}, from which the log's "
            f"rewards are {disagreement(reward, log):.1g} of their standard deviations away"
        ]
    text = stated(log)
    offer = "the log's reward is a formula: --known-reward {} has it computed, where the model learns it now"
    return [] if text is None else [offer.format(shlex.quote(text))]


def disagreement(reward: KnownReward, log: Dataset) -> float:
    """How far the log's rewards are from the formula: root mean square, in their standard deviations."""
    apart = reward.of_log(log) - log.rewards[log.usable].astype(np.float64)
    return float(np.sqrt(np.mean(apart**2))) / _size(log)


def _size(log: Dataset) -> float:
    """The rewards' standard deviation; where they are all the same their size, or 1."""
    rewards = log.rewards[log.usable].astype(np.float64)
    return float(rewards.std()) or float(np.abs(rewards).max()) or 1.0


def _refuse_another(reward: KnownReward, log: Dataset) -> None:
    """`UserError` where the log's rewards are not the formula's: critics would learn from two."""
    computed, rows = reward.of_log(log), np.flatnonzero(log.usable)
    if not np.isfinite(computed).all():
        row = int(np.flatnonzero(~np.isfinite(computed))[0])
        raise UserError(f"known_reward: gives {computed[row]} in row {rows[row]} of {log.path}: no row may pay that")
    apart = disagreement(reward, log)
    if apart <= TOLERANCE:
        return
    recorded = log.rewards[log.usable]
    row = int(np.abs(computed - recorded).argmax())
    raise UserError(
        f"known_reward: gives {computed[row]:.4g} in row {rows[row]} of {log.path}, which has {recorded[row]:.4g}; "
        f"over all rows it is off by {apart:.2g} standard deviations of the rewards (at most {TOLERANCE:g} may be): "
        "mend the formula, or give the log the reward that it computes (--reward, for a table)"
    )


def _refuse_holes(reward: KnownReward, log: Dataset) -> None:
    """`UserError` where it has no value at steps near the log, to which a model may come."""
    random, ends = np.random.default_rng(0), [part[log.usable] for part in (log.observations, log.next_observations)]
    margin = MARGIN * log.observation_std()
    low, high = np.min([part.min(0) for part in ends], 0) - margin, np.max([part.max(0) for part in ends], 0) + margin
    before, after = random.uniform(low, high, (2, NEARBY, len(low)))
    action = random.uniform(log.action_low, log.action_high, (NEARBY, log.actions.shape[1]))
    if not np.isfinite(reward.of(before, action, after)).all():
        raise UserError(
            f"known_reward: {reward.formula.text!r} is finite in the log, and not at all steps beside it, to which a "
            "model may come: keep it finite there, too, as in log(max(x, 1e-6))"
        )
