"""Simulators, on the host: made by id, checked against a log, stepped side by side."""

import importlib
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from jaxtyping import Bool, Float

from micro_rl.core.tasks import SAFETY_HALFCHEETAH
from micro_rl.errors import UserError

Env = gymnasium.Env[Any, Any]

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
            module: the id must come from the user, never from a file.
        horizon: the steps after which an episode is truncated, in place of the simulator's own limit.

    Raises:
        UserError: where there is no such simulator, it cannot start, or its observations and actions are not flat
            and continuous.
    """
    if horizon is not None and horizon < 1:
        raise UserError(f"horizon {horizon} is not a number of steps: give 1 or more")
    if env_id == SAFETY_HALFCHEETAH:
        env = SpeedLimit(_make("HalfCheetah-v4", horizon, exclude_current_positions_from_observation=False))
    else:
        env = _make(env_id, horizon)
    for kind, space in (("observations", env.observation_space), ("actions", env.action_space)):
        if not isinstance(space, Box) or len(space.shape) != 1:
            env.close()
            raise UserError(
                f"simulator '{env_id}' has {kind} {space}: only flat, continuous ones (a 1-D Box) can be used"
            )
    return env


def widths(env: Env) -> tuple[int, int]:
    """Columns of an observation and of an action."""
    observation, action = env.observation_space.shape, env.action_space.shape
    assert observation is not None and action is not None, "made by `make`, which admits flat boxes only"
    return observation[0], action[0]


def action_bounds(env: Env) -> tuple[Float[np.ndarray, " act"], Float[np.ndarray, " act"]]:
    """Give the lowest and the highest action [act], raw units, float64; infinite where there is no bound."""
    space = env.action_space
    assert isinstance(space, Box), "made by `make`, which admits flat boxes only"
    return space.low.astype(np.float64), space.high.astype(np.float64)


def check_matches(env_id: str, observation_width: int, action_width: int) -> None:
    """Check that a log's rows are such as the simulator makes and takes.

    Args:
        env_id: of the simulator; see `make`.
        observation_width, action_width: columns in the log.

    Raises:
        UserError: naming both widths, where they differ, and as `make`.
    """
    env = make(env_id)
    own = widths(env)
    env.close()
    for kind, in_log, in_env in zip(("observations", "actions"), (observation_width, action_width), own, strict=True):
        if in_log != in_env:
            raise UserError(
                f"the log's {kind} have {in_log} columns but those of '{env_id}' have {in_env}: "
                "name the log's own simulator with --env, or check the log's columns"
            )


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


def _make(env_id: str, horizon: int | None, **options: Any) -> Env:
    """`gymnasium.make` from the registered spec: by id it warns that D4RL's -v4 robots have successors."""
    module, _, name = env_id.rpartition(":")
    try:
        if module:
            importlib.import_module(module)
        spec = gymnasium.spec(name)
        return gymnasium.make(spec, max_episode_steps=horizon, disable_env_checker=True, **options)
    except (gymnasium.error.Error, ModuleNotFoundError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise UserError(f"no simulator '{env_id}': {reason}; name another with --env") from error
