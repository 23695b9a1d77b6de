"""A simulator as a cell changes it, and whether the change is felt."""

import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import numpy as np

from micro_rl.errors import UserError
from micro_rl.robustness.cells import Cell, Change
from micro_rl.robustness.parameters import Physics, changed, sets_own
from micro_rl.robustness.signals import Faulty, Interface, Scale, Signal, alters
from micro_rl.robustness.substeps import ActuatorDelay, delayed
from micro_rl.simulation.env_objects import time_limit
from micro_rl.simulation.envs import Env, Environments, action_bounds, widths

PROBE_STEPS = 200
"""Of the search for a difference; it ends at the first one."""


@contextmanager
def world(
    members: Sequence[Env], changes: Sequence[Change], observation_scale: Scale, stream: int
) -> Iterator[Environments]:
    """The simulators with these changes until the block ends; without any, the simulators themselves.

    `observation_scale` [obs]: the log's standard deviations, units of the observations' faults; `stream`: of their
    random numbers. Raises `UserError` for a change that this simulator cannot have.
    """
    physics = [change for change in changes if isinstance(change, Physics) and not change.neutral]
    faults = [change for change in changes if isinstance(change, Interface) and not change.neutral]
    delays = [change for change in changes if isinstance(change, ActuatorDelay) and not change.neutral]
    with ExitStack() as undone:
        if physics:
            undone.enter_context(_with_model(members, changed(members[0], physics)))
        for member in members:
            for change in delays:
                undone.enter_context(delayed(member, change))
        yield Environments(
            [Faulty(member, faults, observation_scale, stream) for member in members] if faults else members
        )


@contextmanager
def _with_model(members: Sequence[Env], model: Any) -> Iterator[None]:
    """The simulators step this model, one for all, since stepping only reads it."""
    own = [member.unwrapped.model for member in members]  # pyright: ignore[reportAttributeAccessIssue]
    try:
        for member in members:
            member.unwrapped.model = model  # pyright: ignore[reportAttributeAccessIssue]
        yield
    finally:
        for member, before in zip(members, own, strict=True):
            member.unwrapped.model = before  # pyright: ignore[reportAttributeAccessIssue]


def unfelt(env: Env, cell: Cell, observation_scale: Scale) -> str:
    """What the simulator does not feel of a cell, a sentence where the protocol declares it; else "".

    Each change is left out in turn: with it, the same start and actions must lead to another observation or reward.
    Raises `UserError` for a change that does nothing and is not declared inert, but for the simulator's own value.
    """
    changes = [change for change in cell.changes if not change.neutral]
    idle = [change for change in changes if not _felt(env, change, changes, observation_scale)]
    idle = [change for change in idle if not (isinstance(change, Physics) and sets_own(env, change))]
    if idle and not cell.may_be_inert:
        simulator, steps = env.spec.id if env.spec else env, _probed(env, idle[0])
        raise UserError(
            f"cell '{cell.name}': {idle[0]} changes nothing in {steps} steps of {simulator}: "
            f"{_why(idle[0], steps)}; leave it out, or declare it with inert"
        )
    reasons = [f"{'; '.join(map(str, idle))} does nothing: {cell.may_be_inert}"] if idle else []
    return "; ".join(reasons + ([cell.left_out] if cell.left_out else []))


def fingerprint(env: Env, horizon: int | None) -> str:
    """Compute the SHA-256 of the observations and rewards that a simulator answers to fixed actions with.

    It plays an episode's steps at least, for simulators may differ late: `horizon`, else the simulator's own limit.
    """
    digest, steps = hashlib.sha256(), max(PROBE_STEPS, horizon or time_limit(env) or 0)
    for observation, reward in _played(env, (), _trial_actions(env, steps)):
        digest.update(observation.tobytes() + np.float64(reward).tobytes())
    return digest.hexdigest()


def _probed(env: Env, change: Change) -> int:
    """Steps in which a difference is looked for: those of an episode, where the change begins late."""
    late = isinstance(change, Interface) and change.begins >= PROBE_STEPS
    return max(PROBE_STEPS, time_limit(env) or 0) if late else PROBE_STEPS


def _why(change: Change, steps: int) -> str:
    """The usual reason."""
    if isinstance(change, Interface) and change.begins >= steps:
        return f"it begins after {change.begins}"
    if isinstance(change, Physics) and change.parameter == "friction":
        return "of two surfaces the larger friction counts, and the other's is larger"
    if isinstance(change, Physics) and change.how == "scale":
        return "the parameter may be 0, which no factor changes (use set), or belong to something that is never touched"
    return "its amount is too small to be seen, or it belongs to something that is never touched"


def _felt(env: Env, change: Change, changes: Sequence[Change], observation_scale: Scale) -> bool:
    """Whether anything comes out otherwise: of a fault the signal it meets, of a change of the physics the steps."""
    others = [other for other in changes if other is not change and not isinstance(other, Interface)]
    actions = _trial_actions(env, _probed(env, change))
    plain = list(_played(env, others, actions))
    if isinstance(change, Interface):
        signal = np.array([observation for observation, _ in plain]) if change.signal == "observation" else actions
        return alters(change, signal, env, observation_scale)
    with closing(_played(env, [*others, change], actions)) as other:
        return any(
            reward != other_reward or not np.array_equal(observation, other_observation)
            for (observation, reward), (other_observation, other_reward) in zip(plain, other, strict=False)
        )


def _trial_actions(env: Env, steps: int) -> np.ndarray:
    """Uniform in half of the steps, at the bounds in the others."""
    low, high = (np.nan_to_num(bound, posinf=1.0, neginf=-1.0) for bound in action_bounds(env))
    random = np.random.default_rng(0)
    uniform = random.uniform(low, high, (steps, len(low)))
    extreme = np.where(random.random(uniform.shape) < 0.5, low, high)
    return np.where(random.random((steps, 1)) < 0.5, uniform, extreme)


def _played(env: Env, changes: Sequence[Change], actions: np.ndarray) -> Generator[tuple[Signal, float], None, None]:
    """Observations and rewards under those actions, episode after episode; the changes are all of the physics."""
    with world([env], changes, np.ones(widths(env)[0]), stream=0) as simulators:
        member = simulators.members[0]
        observation, _ = member.reset(seed=0)
        yield np.array(observation, np.float64), 0.0
        episode = 0
        for action in actions:
            observation, reward, terminated, truncated, _ = member.step(action.astype(env.action_space.dtype))
            yield np.array(observation, np.float64), float(reward)
            if terminated or truncated:
                episode += 1
                member.reset(seed=episode)
