"""What a policy collects in a window, by the judge's members: one member for a whole rollout, from the log's states.

Dealing rows to members anew at each step would average away what the members do not know; the spread over whole
rollouts of different members keeps it. All policies meet the same starts, the same members and the same noise.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Key

from micro_rl.core.types import Scaling, Transition
from micro_rl.dynamics.ensemble import predict
from micro_rl.dynamics.known_reward import KnownReward
from micro_rl.dynamics.termination_rules import Termination
from micro_rl.trust.actors import Judged, Parted
from micro_rl.trust.judge import Judge, parts_of_score

Limits = Callable[[Any], Any]
"""Which raw observations break the user's limits."""
MARGIN = 1.0
"""Predicted states are kept within the log's range and so many standard deviations: beyond, nothing is known."""


class Starts(NamedTuple):
    """Where windows begin, core units; of exogenous columns what the log observed at every step."""

    observation: Float[Array, "start obs"]
    replayed: Float[Array, "step start obs"] | None = None
    columns: Bool[Array, " obs"] | None = None


class Collected(NamedTuple):
    """Of every member's rollout from every start [member, start], raw units.

    A rollout is known until it has more steps above the score's limit than true windows have. `known` is what was
    collected until then, `unknown` how many steps followed it, `total` what the model pays in all, `outside` the steps
    above the limit, `violations` the steps that break the limits, `lived` all steps until the end of the episode.
    """

    total: Float[Array, "member start"]
    known: Float[Array, "member start"]
    unknown: Float[Array, "member start"]
    outside: Float[Array, "member start"]
    violations: Float[Array, "member start"]
    lived: Float[Array, "member start"]


class _Branch(NamedTuple):
    observation: Float[Array, "member start obs"]
    alive: Bool[Array, "member start"]
    sums: Collected


@partial(jax.jit, static_argnames=("length", "limits"))
def roll_out(
    judge: Judge,
    actor: Judged | Parted,
    starts: Starts,
    rewards: tuple[Float[Array, ""], Float[Array, ""]],
    ends: Termination,
    key: Key[Array, ""],
    *,
    length: int,
    limits: Limits | None = None,
    known_reward: KnownReward | None = None,
) -> Collected:
    """Run a policy for a window from every start in every member.

    Args:
        judge: members, units, and what they can vouch for.
        actor: the policy.
        starts: first observations.
        rewards: the log's least and greatest, core units; no member predicts less or more.
        ends: when episodes end.
        key: of the noise, which all members share.
        length: steps of the window.
        limits: the user's.
        known_reward: what a step pays, where a formula says it; None: what the member predicts.
    """
    members, count = judge.members, starts.observation.shape[0]

    def step(branch: _Branch, inputs: tuple[Array, Array | None]) -> tuple[_Branch, None]:
        step_key, replayed = inputs
        action_key, state_key, end_key = jax.random.split(step_key, 3)
        action = _act(
            actor, branch.observation, jax.random.normal(action_key, (count, judge.scaling.action_mid.shape[-1]))
        )
        mean, std = predict(judge.ensemble, branch.observation, action)
        outcome = mean + std * jax.random.normal(state_key, (1, count, mean.shape[-1]))
        following, reward = _within(judge, outcome[..., :-1]), jnp.clip(outcome[..., -1], *rewards)
        if replayed is not None and starts.columns is not None:
            following = jnp.where(starts.columns[None, None], replayed[None], following)
        if known_reward is not None:
            reward = _computed(known_reward, judge.scaling, branch.observation, action, following)
        above = _above(judge, branch.observation, action, following, mean)
        sums = _counted(branch, reward, above, _breaks(limits, following, judge.scaling), judge.allowed)
        ended = ends(following.reshape(members * count, -1), judge.scaling, end_key).reshape(members, count)
        return _Branch(following, branch.alive & ~ended, sums), None

    keys = jax.random.split(key, length)
    last, _ = jax.lax.scan(step, _begun(starts, members), (keys, starts.replayed))
    unit = jnp.asarray(judge.scaling.reward_scale)
    return last.sums._replace(total=unit * last.sums.total, known=unit * last.sums.known)


def _begun(starts: Starts, members: int) -> _Branch:
    """Every member at every start, with nothing collected."""
    zeros = jnp.zeros((members, starts.observation.shape[0]))
    first = jnp.broadcast_to(starts.observation[None], (members, *starts.observation.shape))
    return _Branch(first, jnp.ones(zeros.shape, bool), Collected(*[zeros] * len(Collected._fields)))


def _above(
    judge: Judge, observation: Array, action: Array, following: Array, mean: Array
) -> Bool[Array, "member start"]:
    """Which steps' score of the unknown is above the limit."""
    parts = parts_of_score(judge.ensemble, judge.known, observation, action, following, mean)
    return jnp.max(parts / judge.scales[None, None], axis=-1) > judge.limit


def _act(actor: Judged | Parted, observation: Array, noise: Array) -> Float[Array, "member start act"]:
    """The same actor in all members' states."""
    return jax.vmap(lambda states: actor.act(states, noise))(observation)


def _computed(
    reward: KnownReward, scaling: Scaling, observation: Array, action: Array, following: Array
) -> Float[Array, "member start"]:
    """What the formula says of every member's steps."""
    now, done, after = (part.reshape(-1, part.shape[-1]) for part in (observation, action, following))
    nothing = jnp.zeros(len(now))
    return reward(Transition(now, done, nothing, after, nothing), scaling).reward.reshape(observation.shape[:-1])


def _within(judge: Judge, following: Float[Array, "member start obs"]) -> Array:
    margin = MARGIN * judge.known.spread
    return jnp.clip(following, (judge.known.low - margin)[:, None], (judge.known.high + margin)[:, None])


def _breaks(limits: Limits | None, following: Array, scaling: Scaling) -> Array:
    if limits is None:
        return jnp.zeros(following.shape[:-1])
    return limits(following * scaling.observation_std[None, None] + scaling.observation_mean[None, None]).astype(
        jnp.float32
    )


def _counted(branch: _Branch, reward: Array, above: Array, breaks: Array, allowed: Array) -> Collected:
    """The sums after a step: of those that live."""
    sums, alive = branch.sums, branch.alive.astype(jnp.float32)
    outside = sums.outside + alive * above
    known = alive * (outside <= allowed)
    return Collected(
        total=sums.total + alive * reward,
        known=sums.known + known * reward,
        unknown=sums.unknown + alive - known,
        outside=outside,
        violations=sums.violations + alive * breaks,
        lived=sums.lived + alive,
    )
