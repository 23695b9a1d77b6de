"""The learned attacker: an adversary that finds out by trial what to show a policy (arXiv 2101.08452).

It is the project's own online learner, soft actor-critic, in a simulator in which the policy is part of the world: its
action is the perturbation and its reward what the policy loses. The paper's adversary is PPO's, of millions of steps;
this one's steps are the attack's, and its harm is a lower bound on what an attacker could do.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from jaxtyping import Float

from micro_rl.policy import Policy
from micro_rl.simulation.env_objects import time_limit
from micro_rl.simulation.envs import make, widths

ID = "micro_rl/Duel-v0"


class Duel(gymnasium.Env[Any, Any]):
    """The simulator as the adversary meets it: it sees the true observation, in standard deviations of the log.

    An action z in [-1, 1]^obs shows the policy the true observation plus `size` * z; the reward is minus the policy's.
    """

    def __init__(self, policy: Policy, env_id: str, horizon: int | None, size: np.ndarray, scale: np.ndarray):
        self._policy, self._size, self._scale = policy, size, np.where(scale > 0, scale, 1.0)
        self._env = make(env_id, horizon)
        width = widths(self._env)[0]
        self.observation_space = Box(-np.inf, np.inf, (width,), np.float64)
        self.action_space = Box(-1.0, 1.0, (width,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Starts an episode of simulator and policy."""
        self._policy.reset()
        self._true, info = self._env.reset(seed=seed, options=options)
        return self._true / self._scale, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """The policy acts on what it is shown."""
        control = self._policy(self._true + self._size * np.asarray(action, np.float64))
        self._true, reward, terminated, truncated, info = self._env.step(control)
        return self._true / self._scale, -float(reward), terminated, truncated, info

    def close(self) -> None:
        """Frees the simulator."""
        self._env.close()


class Adversary:
    """What learned to harm one policy: raw observations [rows, obs] to z in [-1, 1]."""

    def __init__(self, policy: Policy, scale: np.ndarray):
        self._policy, self._scale = policy, np.where(scale > 0, scale, 1.0)

    def __call__(self, observation: Float[np.ndarray, "rows obs"]) -> Float[np.ndarray, "rows obs"]:
        """Its deterministic choice."""
        return np.asarray(self._policy(observation / self._scale), np.float64)


def learn_adversary(
    policy: Policy, env_id: str, horizon: int | None, size: np.ndarray, scale: np.ndarray, steps: int, seed: int
) -> Adversary:
    """Train an adversary against a policy by soft actor-critic.

    Args:
        policy: The policy that is attacked.
        env_id: The simulator's id.
        horizon: The time limit of its episodes, where it is not the simulator's own.
        size: The largest perturbation [obs], raw units.
        scale: The log's standard deviations [obs], raw units.
        steps: Of the simulator.
        seed: Of the learner.

    Returns:
        The adversary as it is after the last step.
    """
    from micro_rl.simulation.online_sac import learn
    from micro_rl.simulation.online_settings import OnlineSettings

    limit = make(env_id, horizon)
    episode = time_limit(limit)
    limit.close()
    parts: dict[str, Any] = {"policy": policy, "env_id": env_id, "horizon": horizon, "size": size, "scale": scale}
    gymnasium.register(ID, entry_point=lambda **_: Duel(**parts), max_episode_steps=episode)
    try:
        settings = OnlineSettings(steps=steps, eval_every=steps, eval_episodes=1, seed=seed)
        *_, last = learn(ID, settings)
    finally:
        gymnasium.registry.pop(ID)
    return Adversary(last.policy, scale)
