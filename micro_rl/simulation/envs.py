"""Simulators, on the host: made by id, checked against a log, stepped side by side."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from jaxtyping import Bool, Float

from micro_rl.core.tasks import SAFETY_HALFCHEETAH
from micro_rl.core.wording import plural
from micro_rl.errors import UserError
from micro_rl.simulation.env_objects import is_object, make_object
from micro_rl.simulation.guarded import guard_of
from micro_rl.simulation.making import make_guarded

Env = gymnasium.Env[Any, Any]
Bounds = tuple[Float[np.ndarray, " act"], Float[np.ndarray, " act"]]
"""The lowest and the highest action, raw units."""

SPEED_LIMIT = 3.2096
SPEEDING_REWARD = -100.0


class SpeedLimit(gymnasium.Wrapper[Any, Any, Any, Any]):
    """NeoRL-2's safety rule: a step faster than 3.2096 m/s earns -100 (arXiv 2503.19267)."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step of the wrapped HalfCheetah, whose info holds its forward speed as `x_velocity`."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if info["x_velocity"] > SPEED_LIMIT:
            reward = SPEEDING_REWARD
        return observation, float(reward), terminated, truncated, info


def make(env_id: str, horizon: int | None = None) -> Env:
    """Make a simulator.

    Args:
        env_id: one of Gymnasium's, 'module:Id-v0' of the user's own, or 'SafetyHalfCheetah'. 'module:Id' imports that
            module, also from the working folder: the id must come from the user, never from a file. The name of an
            object (`env_objects.name_of`) too.
        horizon: the steps after which an episode is truncated, in place of the simulator's own limit.

    Returns:
        A simulator with flat observations and actions, which raises `SimulatorFault` for whatever goes wrong in it.

    Raises:
        UserError: where there is no such simulator, it cannot start, or its observations and actions are not
            continuous.
    """
    if horizon is not None and horizon < 1:
        raise UserError(f"horizon {horizon} is not a number of steps: give 1 or more")
    if is_object(env_id):
        return make_object(env_id, horizon)
    if env_id == SAFETY_HALFCHEETAH:
        return SpeedLimit(make_guarded("HalfCheetah-v4", horizon, exclude_current_positions_from_observation=False))
    return make_guarded(env_id, horizon)


def widths(env: Env) -> tuple[int, int]:
    """Columns of an observation and of an action."""
    observation, action = env.observation_space.shape, env.action_space.shape
    assert observation is not None and action is not None, "made by `make`, which admits flat boxes only"
    return observation[0], action[0]


def action_bounds(env: Env) -> Bounds:
    """Give the lowest and the highest action [act], raw units, float64; infinite where there is no bound."""
    space = env.action_space
    assert isinstance(space, Box), "made by `make`, which admits flat boxes only"
    return space.low.astype(np.float64), space.high.astype(np.float64)


class Match(NamedTuple):
    """How a simulator differs from a log that suits it: groups that are joined, and other bounds of the actions."""

    groups: tuple[str, ...]
    bounds: str

    @property
    def notes(self) -> tuple[str, ...]:
        """All that a person should see, a sentence each."""
        return (*self.groups, *([self.bounds] if self.bounds else []))


def check_matches(
    env_id: str, observation_width: int, action_width: int, bounds: Bounds | None = None, names: Sequence[str] = ()
) -> Match:
    """Hold a log, or a policy that was learned from one, against a simulator.

    Args:
        env_id: of the simulator; see `make`.
        observation_width, action_width: columns in the log.
        bounds: the lowest and the highest action [act], raw units, where they are to be compared.
        names: of the observations' columns, where their order is to be compared.

    Returns:
        What a person should see of the two.

    Raises:
        UserError: where widths differ or columns stand in another order, and as `make`.
    """
    with closing(make(env_id)) as env:
        own, low_and_high, guard = widths(env), action_bounds(env), guard_of(env)
    for kind, in_log, in_env in zip(("observations", "actions"), (observation_width, action_width), own, strict=True):
        if in_log != in_env:
            raise UserError(
                f"the log's {kind} have {plural(in_log, 'column')} but those of '{env_id}' have {in_env}: "
                "name the log's own simulator with --env, or check the log's columns"
            )
    joined = guard.flat_observations.names
    if sorted(joined) == sorted(names) and joined != tuple(names):
        raise UserError(
            f"the log's observations are {', '.join(names)}, those of '{env_id}' in its own order {', '.join(joined)}: "
            "write the log's columns in that order"
        )
    spaces = (("observations", guard.flat_observations), ("actions", guard.flat_actions))
    groups = tuple(f"simulator '{env_id}': {text}" for kind, flat in spaces if (text := flat.sentence(kind)))
    return Match(groups, "" if bounds is None else _other_bounds(env_id, bounds, low_and_high))


def _other_bounds(env_id: str, bounds: Bounds, own: Bounds) -> str:
    """What is to be said where a simulator bounds its actions otherwise; one that has no bounds says nothing."""
    limited = np.isfinite(own).all(0)
    if np.allclose(np.stack(bounds)[:, limited], np.stack(own)[:, limited]):
        return ""
    low, high = map(in_short, own)
    uniform = not any("," in side for side in (low, high))
    remedy = f"--action-bounds {low} {high}" if uniform else "[bounds] in the log's TOML"
    return (
        f"the actions' bounds are [{in_short(bounds[0])}, {in_short(bounds[1])}] but {env_id} takes [{low}, {high}]: "
        f"if the log was made there, train with its bounds ({remedy}); if it is scaled, evaluate in a simulator that "
        "scales too"
    )


def in_short(values: Float[np.ndarray, " act"]) -> str:
    """Write one number where all are the same."""
    return f"{values[0]:g}" if (values == values[0]).all() else ", ".join(f"{value:g}" for value in values)


class Environments:
    """Several copies of one simulator, stepped in turn; an ended episode rests until the next reset."""

    def __init__(self, members: Sequence[Env]):
        self.members = tuple(members)
        self._observation = np.zeros((len(self.members), widths(self.members[0])[0]))

    def reset(self, seed: int) -> Float[np.ndarray, "env obs"]:
        """Start every episode, copy i from seed + i; gives raw float64 observations."""
        starts = [env.reset(seed=seed + index)[0] for index, env in enumerate(self.members)]
        self._observation = np.array(starts, np.float64)
        return self._observation.copy()

    def step(
        self, action: Float[np.ndarray, "env act"], live: Bool[np.ndarray, " env"]
    ) -> tuple[Float[np.ndarray, "env obs"], Float[np.ndarray, " env"], Bool[np.ndarray, " env"]]:
        """Step the live copies.

        A copy that is not live, or ends at this step, keeps the last observation it acted on: rows never
        change their place or number, and a broken last state is never acted on. One not live earns 0.

        Args:
            action: of every copy, raw units.
            live: which copies' episodes go on.

        Returns:
            Observations, rewards, and which copies are still live.
        """
        reward, still_live = np.zeros(len(live)), live.copy()
        for index in np.flatnonzero(live):
            observation, gain, terminated, truncated, _ = self.members[index].step(action[index])
            reward[index] = gain
            still_live[index] = not (terminated or truncated)
            if still_live[index]:
                self._observation[index] = observation
        return self._observation.copy(), reward, still_live

    def close(self) -> None:
        """Free the simulators."""
        for env in self.members:
            env.close()
