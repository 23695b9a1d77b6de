"""What a policy is worth in the simulator: returns, lengths and normalised scores of seeded episodes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from micro_rl.core import arguments, tasks
from micro_rl.errors import UserError
from micro_rl.simulation.env_objects import EnvLike, name_of, time_limit
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
    """Evaluate policies again and again in the same open simulators; a context manager that closes them.

    `environments.members` are the simulators, for those who wish to change their parameters in memory.
    """

    def __init__(self, env_id: EnvLike, *, episodes: int = 10, horizon: int | None = None):
        """Open the simulators.

        Args:
            env_id: the simulator's id (see `envs.make`), an instance, of which copies are played, or what makes one.
            episodes: of an evaluation, one in each copy.
            horizon: steps to an episode's time limit, in place of the simulator's own; one must exist.

        Raises:
            UserError: where there is no limit, no such simulator or no episode.
        """
        episodes, horizon = arguments.whole("episodes", episodes), arguments.optional_whole("horizon", horizon)
        env_id = name_of(env_id)
        first = make(env_id, horizon)
        if time_limit(first) is None:
            first.close()
            raise UserError(
                f"simulator '{env_id}' has no time limit, so an episode may never end: set one with --horizon"
            )
        self.environments = Environments([first] + [make(env_id, horizon) for _ in range(1, episodes)])

    def __call__(self, policy: Actor, *, seed: int = 0, discount: float = 0.99) -> Evaluation:
        """One episode in each simulator; see `play`."""
        return play(self.environments, policy, seed=seed, discount=discount)

    def close(self) -> None:
        """Free the simulators."""
        self.environments.close()

    def __enter__(self) -> "Evaluator":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def play(environments: Environments, policy: Actor, *, seed: int = 0, discount: float = 0.99) -> Evaluation:
    """Play one episode in each simulator; the same call gives the same numbers.

    Args:
        environments: the simulators; number i starts from seed + i.
        policy: gets all rows at every step, those of ended episodes too: their number never changes. One that
            remembers, and so has a `reset`, is reset first.
        seed: of the first simulator.
        discount: of `discounted_returns`.

    Raises:
        ValueError: where the policy gives actions of another shape.
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
    env_id: EnvLike,
    *,
    episodes: int = 10,
    seed: int = 0,
    horizon: int | None = None,
    discount: float = 0.99,
) -> Evaluation:
    """Evaluate a policy once, in simulators made for it; `Evaluator` is for many.

    Args:
        policy: raw observations [rows, obs] to raw actions [rows, act].
        env_id: the simulator: its id in Gymnasium, an instance, of which copies are played, or a function or class
            that makes one.
        episodes: how many, in as many simulators at once.
        horizon: time limit in steps; None: the simulator's own.
        seed: of the first episode; the others count on from it.
        discount: of the discounted return.

    Raises:
        UserError: as `Evaluator`.
    """
    arguments.function("policy", policy, "a micro_rl.Policy")
    seed, discount = arguments.whole("seed", seed, 0), arguments.number("discount", discount)
    with Evaluator(env_id, episodes=episodes, horizon=horizon) as evaluator:
        return evaluator(policy, seed=seed, discount=discount)


def scores(evaluation: Evaluation, task: tasks.Task) -> dict[str, float]:
    """Summarise an evaluation: means over the episodes, and the standard deviation (over n) of return and score.

    Args:
        evaluation: of a policy.
        task: gives the range of scores; without one the score is left out.

    Returns:
        `return`, `return_std`, `length`, `discounted_return`, `normalised_score`, `normalised_score_std`.
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
