"""What a policy is worth in the simulator: returns, lengths and normalised scores of seeded episodes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from micro_rl.core import tasks
from micro_rl.errors import UserError
from micro_rl.simulation.envs import Environments, make

Actor = Callable[[Float[np.ndarray, "rows obs"]], Any]
"""Raw observations [rows, obs] to an array of raw actions [rows, act]."""


class Evaluation(NamedTuple):
    """One entry an episode, raw units; `discounted_returns` start at `start_observations`."""

    returns: Float[np.ndarray, " episode"]
    lengths: Int[np.ndarray, " episode"]
    discounted_returns: Float[np.ndarray, " episode"]
    start_observations: Float[np.ndarray, "episode obs"]


class Evaluator:
    """Evaluates policies again and again in the same open simulators; a context manager that closes them.

    `environments.members` are the simulators, for those who wish to change their parameters in memory.
    """

    def __init__(self, env_id: str, *, episodes: int = 10, horizon: int | None = None):
        """`horizon`: steps to an episode's time limit, in place of the simulator's own; one must exist.

        Raises `UserError` where there is neither, no such simulator or no episode.
        """
        if episodes < 1:
            raise UserError(f"episodes {episodes}: an evaluation needs 1 or more")
        first = make(env_id, horizon)
        if first.spec is None or first.spec.max_episode_steps is None:
            first.close()
            raise UserError(
                f"simulator '{env_id}' has no time limit, so an episode may never end: set one with --horizon"
            )
        self.environments = Environments([first] + [make(env_id, horizon) for _ in range(1, episodes)])

    def __call__(self, policy: Actor, *, seed: int = 0, discount: float = 0.99) -> Evaluation:
        """One episode in each simulator; see `play`."""
        return play(self.environments, policy, seed=seed, discount=discount)

    def close(self) -> None:
        """Frees the simulators."""
        self.environments.close()

    def __enter__(self) -> "Evaluator":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def play(environments: Environments, policy: Actor, *, seed: int = 0, discount: float = 0.99) -> Evaluation:
    """One episode in each simulator, number i from seed + i; the same call gives the same numbers.

    The policy gets all rows at every step, those of ended episodes too: their number never changes. One that
    remembers, and so has a `reset`, is reset first.
    """
    forget = getattr(policy, "reset", None)
    if forget is not None:
        forget()
    start = observation = environments.reset(seed)
    live = np.ones(len(start), bool)
    rewards, steps = [], np.zeros(len(start), int)
    while live.any():
        steps += live
        observation, reward, live = environments.step(_actions(policy, observation), live)
        rewards.append(reward)
    return _evaluation(np.array(rewards), steps, discount, start)


def evaluate(
    policy: Actor,
    env_id: str,
    *,
    episodes: int = 10,
    seed: int = 0,
    horizon: int | None = None,
    discount: float = 0.99,
) -> Evaluation:
    """One evaluation in simulators made for it; see `Evaluator` for many."""
    with Evaluator(env_id, episodes=episodes, horizon=horizon) as evaluator:
        return evaluator(policy, seed=seed, discount=discount)


def scores(evaluation: Evaluation, task: tasks.Task) -> dict[str, float]:
    """Means over the episodes, and the standard deviation (over n) of return and score.

    The score is left out where the task's range is not known.
    """
    mean, std = float(evaluation.returns.mean()), float(evaluation.returns.std())
    summary = {
        "return": mean,
        "return_std": std,
        "length": float(evaluation.lengths.mean()),
        "discounted_return": float(evaluation.discounted_returns.mean()),
    }
    score, score_std = tasks.normalised(mean, task), tasks.normalised_std(std, task)
    if score is not None and score_std is not None:
        summary |= {"normalised_score": score, "normalised_score_std": score_std}
    return summary


def _actions(policy: Actor, observation: Float[np.ndarray, "rows obs"]) -> Float[np.ndarray, "rows act"]:
    action = np.asarray(policy(observation))
    if action.ndim != 2 or len(action) != len(observation):
        raise ValueError(
            f"the policy gave actions {action.shape} for observations {observation.shape}: [rows, act] needed"
        )
    return action


def _evaluation(
    rewards: Float[np.ndarray, "step episode"],
    lengths: Int[np.ndarray, " episode"],
    discount: float,
    start_observations: Float[np.ndarray, "episode obs"],
) -> Evaluation:
    """Sums up; rewards after an episode's end are 0."""
    weights = discount ** np.arange(len(rewards))
    return Evaluation(rewards.sum(0), lengths, weights @ rewards, start_observations)
