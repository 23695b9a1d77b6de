"""Evaluation by hand on a tiny simulator, and its repeatability on a real one."""

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest

from micro_rl.core.tasks import UNKNOWN, Task
from micro_rl.errors import UserError
from micro_rl.simulation.evaluation import Evaluation, Evaluator, evaluate, scores

TINY, ENDLESS = "MicroTiny-v0", "MicroEndless-v0"


class Tiny(gymnasium.Env[np.ndarray, np.ndarray]):
    """Starts at its seed, goes on by the action, earns its place; terminates from 4 on."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,))
    action_space = gymnasium.spaces.Box(-1, 1, (1,))
    place = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = float(seed or 0)
        return np.array([self.place]), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        assert self.place < 4, "stepped after its end"
        reward, self.place = self.place, self.place + float(action[0])
        return np.array([self.place]), reward, self.place >= 4, False, {}


@pytest.fixture(autouse=True)
def tiny() -> Iterator[None]:
    gymnasium.register(TINY, entry_point=lambda **_: Tiny(), max_episode_steps=5)
    gymnasium.register(ENDLESS, entry_point=lambda **_: Tiny())
    yield
    gymnasium.registry.pop(TINY)
    gymnasium.registry.pop(ENDLESS)


def forward(observation: np.ndarray) -> np.ndarray:
    return np.ones((len(observation), 1))


def still(observation: np.ndarray) -> np.ndarray:
    return np.zeros((len(observation), 1))


def test_returns_by_hand() -> None:
    """Episodes start at 1, 2, 3 and walk to 4: rewards (1, 2, 3), (2, 3), (3)."""
    evaluation = evaluate(forward, TINY, episodes=3, seed=1, discount=0.5)
    np.testing.assert_array_equal(evaluation.returns, [6, 5, 3])
    np.testing.assert_array_equal(evaluation.lengths, [3, 2, 1])
    np.testing.assert_allclose(evaluation.discounted_returns, [1 + 1 + 0.75, 2 + 1.5, 3])
    np.testing.assert_array_equal(evaluation.start_observations, [[1], [2], [3]])


def test_time_limits_by_hand() -> None:
    assert evaluate(still, TINY, episodes=2, seed=2).lengths.tolist() == [5, 5]
    evaluation = evaluate(still, TINY, episodes=2, seed=2, horizon=7)
    assert evaluation.lengths.tolist() == [7, 7]
    assert evaluation.returns.tolist() == [14, 21]
    assert evaluate(still, ENDLESS, episodes=1, horizon=2).lengths.tolist() == [2]


def test_a_simulator_without_a_time_limit_needs_one() -> None:
    with pytest.raises(UserError, match=r"no time limit.*--horizon"):
        evaluate(still, ENDLESS)


def test_ten_episodes_where_nobody_says_how_many() -> None:
    assert len(evaluate(forward, Origin, horizon=1).returns) == 10
    with Evaluator(Origin, horizon=1) as evaluator:
        assert len(evaluator(forward).returns) == 10


def test_no_episodes_are_refused() -> None:
    with pytest.raises(UserError, match="episodes: 0"):
        evaluate(still, TINY, episodes=0)


def test_the_policy_sees_the_same_rows_always() -> None:
    shapes = set()

    def watching(observation: np.ndarray) -> np.ndarray:
        shapes.add(observation.shape)
        return forward(observation)

    evaluate(watching, TINY, episodes=3, seed=1)
    assert shapes == {(3, 1)}


class Origin(Tiny):
    """The same, always from 2."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        return super().reset(seed=2, options=options)


def test_hundreds_of_episodes_at_once() -> None:
    """More than the whole numbers of which Python has one object each."""
    np.testing.assert_array_equal(evaluate(forward, Origin, episodes=300, horizon=2).returns, np.full(300, 5.0))


@pytest.mark.parametrize("action", [np.ones(3), np.ones((1, 1)), 1.0])
def test_actions_of_another_shape_are_refused(action: Any) -> None:
    with pytest.raises(ValueError, match="the policy gave actions"):
        evaluate(lambda _: action, TINY, episodes=3)


def test_equal_seeds_give_equal_bits_in_used_and_in_new_simulators() -> None:
    def steer(observation: np.ndarray) -> np.ndarray:
        return np.tanh(observation[:, :3] * 5 + observation[:, -3:])

    with Evaluator("Hopper-v4", episodes=2, horizon=60) as evaluator:
        first, other, again = (evaluator(steer, seed=seed) for seed in (3, 4, 3))
    fresh = evaluate(steer, "Hopper-v4", episodes=2, seed=3, horizon=60)
    for one, two, three in zip(first, again, fresh, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)
    assert not np.array_equal(first.start_observations, other.start_observations)
    np.testing.assert_array_equal(first.start_observations[1], other.start_observations[0])


def test_scores_by_hand() -> None:
    evaluation = Evaluation(np.array([10.0, 30.0]), np.array([2, 4]), np.array([1.0, 2.0]), np.zeros((2, 1)))
    assert scores(evaluation, Task(score_min=10.0, score_max=50.0)) == {
        "return": 20.0,
        "return_std": 10.0,
        "length": 3.0,
        "discounted_return": 1.5,
        "normalised_score": 25.0,
        "normalised_score_std": 25.0,
    }
    assert "normalised_score" not in scores(evaluation, UNKNOWN)
