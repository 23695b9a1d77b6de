"""What an evaluation asks for and writes down: the seeds, the starts, the keys and figures, by hand."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.export import export
from micro_rl.core.metric_keys import WINDOW_DIFFERENCE
from micro_rl.core.tasks import Task
from micro_rl.core.types import Keys
from micro_rl.dynamics.termination_rules import ByRule, never
from micro_rl.policy import Policy
from micro_rl.simulation import evaluation
from micro_rl.simulation.envs import Environments, Match
from micro_rl.simulation.evaluation import Evaluation
from micro_rl.training import evaluator
from micro_rl.training.evaluator import PolicyEvaluator, final_scores
from micro_rl.trust.early import EarlyJudge, WindowDifference
from micro_rl.trust.window_length import longest
from tests.probes import linear_critics, linear_ensemble, plain_units, steady_actor, tiny_plan


class Played:
    """Simulators that keep what they were asked for and play two episodes that are known."""

    def __init__(self, env: str, **words: Any):
        self.made, self.asked, self.closed = (env, words), [], False

    def __call__(self, policy: Any, **words: Any) -> Evaluation:
        self.asked.append((policy, words))
        starts = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 5.0]])
        return Evaluation(np.array([10.0, 30.0]), np.array([2, 4]), np.array([1.0, 2.0]), starts)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def plan(monkeypatch):
    monkeypatch.setattr(evaluator, "Evaluator", Played)
    monkeypatch.setattr(evaluator, "_match", lambda dataset, env: Match((f"matched {env}",), ""))
    plan = tiny_plan(seed=3, eval_episodes=5, discount=0.75, history=2)
    return replace(plan, task=Task(env="Some-v0", horizon=50, score_min=10.0, score_max=60.0))


def policy(obs: int = 7) -> Policy:
    return export(steady_actor([0.0], obs=obs), plain_units(obs, 1), None)


FIGURES = {
    "eval/return": 20.0,
    "eval/return_std": 10.0,
    "eval/length": 3.0,
    "eval/discounted_return": 1.5,
    "eval/normalised_score": 20.0,
    "eval/normalised_score_std": 20.0,
}


def test_an_evaluation_in_the_simulator(plan):
    state = SimpleNamespace(epoch=jnp.asarray(7), agent=SimpleNamespace(critics=None))
    with PolicyEvaluator(plan) as evaluate:
        assert evaluate.notes == ("matched Some-v0",)
        assert evaluate(state, policy(), plain_units(7, 1), None) == FIGURES
    played: Any = evaluate._evaluator
    assert played.made == ("Some-v0", {"episodes": 5, "horizon": 50})
    assert [words for _, words in played.asked] == [{"seed": 4_000_035, "discount": 0.75}]
    assert played.closed


def test_critics_judge_the_first_windows_in_core_units(plan):
    """Q = 1 s_0 + 10 s_3 + 100 s_6 + 1000 a: both observations of a window are the start's, its action rests."""
    low, high = np.array([-1.0], np.float32), np.array([3.0], np.float32)
    plan = replace(plan, dataset=replace(plan.dataset, action_low=low, action_high=high))
    units = plain_units(7, 1)._replace(reward_scale=np.array(4.0))
    mean, std = np.arange(7.0), np.array([2.0, 1, 1, 4, 1, 1, 0.5])
    units = units._replace(observation_mean=mean, observation_std=std)
    weights = [1.0, 0, 0, 10, 0, 0, 100, 1000]
    agent = SimpleNamespace(actor=steady_actor([0.5], obs=7), critics=linear_critics([weights] * 2, [0.0, 1.0]))
    state = SimpleNamespace(epoch=jnp.asarray(0), agent=agent)
    row = PolicyEvaluator(plan)(state, policy(), units, None)
    estimates = [(start - 0) / 2 + 10 * (start - 3) / 4 + 100 * (1 - 6) / 0.5 + 1000 * 0.5 for start in (1, 3)]
    assert row == FIGURES | {"eval/critic_estimate": pytest.approx(4 * np.mean(estimates), rel=1e-5)}


def test_the_models_estimate_is_made_of_elites_under_a_key_of_its_own(monkeypatch):
    plan, units, ends = tiny_plan(seed=3), plain_units(3, 1), ByRule(never)
    actor, members = steady_actor([0.0], obs=3), linear_ensemble(np.zeros((1, 4, 4)), np.zeros((1, 4)), [1.0] * 4)
    counts = []

    class Judge(EarlyJudge):
        def __call__(self, *given: Any) -> WindowDifference:
            expected = jax.random.fold_in(Keys.of(3).judge, 7)
            assert given[0].net is actor and [part.tolist() for part in given[0][1:]] == [[1], [0], [0]]
            assert [each is known for each, known in zip(given[1:4], (members, units, ends), strict=True)] == [True] * 3
            assert (jax.random.key_data(given[4]) == jax.random.key_data(expected)).all()
            return WindowDifference(1.5, 0.5, 2.5)

    monkeypatch.setattr(evaluator, "EarlyJudge", Judge)
    ensemble = SimpleNamespace(best=lambda count: counts.append(count) or members)
    state = SimpleNamespace(epoch=7, ensemble=ensemble, agent=SimpleNamespace(actor=actor, critics=None))
    with PolicyEvaluator(plan) as evaluate:
        assert evaluate.notes == ()
        assert evaluate(state, policy(3), units, ends) == {
            "window_estimate/difference": 1.5,
            "window_estimate/low": 0.5,
            "window_estimate/high": 2.5,
        }
        assert counts == [plan.settings.num_elites]
        assert evaluate(state, policy(3), units, None) == {}


def test_final_scores_in_full():
    plan = tiny_plan()
    plan = replace(plan, task=Task(score_min=10.0, score_max=60.0))
    rows = [{"epoch": 1, "eval/return": 4.0, WINDOW_DIFFERENCE: 2.0}, {"epoch": 2, "eval/return": 2.0}]
    windows, returns = longest(plan.dataset), plan.dataset.returns
    assert final_scores(rows, plan) == {
        "epochs": 2,
        "planned_epochs": plan.settings.epochs,
        "log": {
            "rows": len(plan.dataset),
            "episodes": len(plan.dataset.starts),
            "return_mean": pytest.approx(returns.mean()),
            "return_best": pytest.approx(returns.max()),
            "normalised_return_mean": pytest.approx(2 * (returns.mean() - 10)),
            "normalised_return_best": pytest.approx(2 * (returns.max() - 10)),
            "window": windows.length,
            "window_return": pytest.approx(windows.returns.mean()),
        },
        "eval/return": {"mean_of_last": 3.0, "std_of_last": 1.0, "evaluations": 2, "last": 2.0, "best": 4.0},
        WINDOW_DIFFERENCE: {"mean_of_last": 2.0, "std_of_last": 0.0, "evaluations": 1, "last": 2.0, "best": 2.0},
    }
    scored = [{"epoch": 1, "eval/return": 4.0, "eval/normalised_score": -12.0}, rows[1]]  # began when it had scores
    assert "eval/normalised_score" in final_scores(scored, plan)
    assert "eval/normalised_score" not in final_scores(scored, tiny_plan())
    assert set(final_scores([], tiny_plan())["log"]) == {"rows", "episodes", "return_mean", "return_best"}


class Walk(Environments):
    """Simulators whose episodes end after 1, 2, ... steps; each step earns 1, and the seed is where they start."""

    def __init__(self, count: int):
        self.count, self.seeds, self.live = count, [], []

    def reset(self, seed: int) -> np.ndarray:
        self.seeds.append(seed)
        self.steps = np.zeros(self.count, int)
        return np.arange(seed, seed + self.count, dtype=float)[:, None]

    def step(self, action: np.ndarray, live: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self.live.append(live.tolist())
        self.steps += 1
        return action, live.astype(float), live & (self.steps < np.arange(1, self.count + 1))


class Remembering:
    forgotten = 0

    def reset(self) -> None:
        self.forgotten += 1

    def __call__(self, observation: np.ndarray) -> list[list[float]]:
        return observation.tolist()


def test_playing_by_hand():
    walk, policy = Walk(3), Remembering()
    played = evaluation.play(walk, policy)
    assert walk.seeds == [0] and policy.forgotten == 1
    assert walk.live == [[True, True, True], [False, True, True], [False, False, True]]
    assert played.returns.tolist() == played.lengths.tolist() == [1, 2, 3]
    np.testing.assert_allclose(played.discounted_returns, [1, 1.99, 1 + 0.99 + 0.99**2], rtol=1e-12)
    assert played.start_observations.tolist() == [[0], [1], [2]]
    again = evaluation.play(walk, policy, seed=5, discount=0.5)
    assert (walk.seeds, policy.forgotten) == ([0, 5], 2)
    np.testing.assert_allclose(again.discounted_returns, [1, 1.5, 1.75], rtol=1e-12)


def test_open_simulators_are_played_as_closed_ones():
    evaluate = evaluation.Evaluator.__new__(evaluation.Evaluator)
    walk = evaluate.environments = Walk(2)
    np.testing.assert_allclose(evaluate(Remembering()).discounted_returns, [1, 1.99], rtol=1e-12)
    np.testing.assert_allclose(evaluate(Remembering(), seed=5, discount=0.5).discounted_returns, [1, 1.5], rtol=1e-12)
    assert walk.seeds == [0, 5]


@pytest.mark.parametrize("action", [np.ones((4, 1)), np.ones((2, 1)), np.ones(3), np.ones((3, 1, 1))])
def test_actions_of_another_shape_are_refused_in_whole_sentences(action):
    with pytest.raises(ValueError) as refusal:
        evaluation.play(Walk(3), lambda _: action)
    assert str(refusal.value) == (f"the policy gave actions {action.shape} for observations (3, 1): [rows, act] needed")


def test_what_is_given_when_nothing_is_said(monkeypatch):
    made = []

    class Kept(Played):
        def __init__(self, env: str, **words: Any):
            super().__init__(env, **words)
            made.append(self)

        def __enter__(self) -> "Kept":
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

    monkeypatch.setattr(evaluation, "Evaluator", Kept)
    policy = lambda observation: observation  # noqa: E731
    evaluation.evaluate(policy, "Some-v0")
    assert made[0].made == ("Some-v0", {"episodes": 10, "horizon": None})
    assert made[0].asked == [(policy, {"seed": 0, "discount": 0.99})]
    assert made[0].closed


def test_scores_need_the_whole_range():
    played = Evaluation(np.array([1.0]), np.array([1]), np.array([1.0]), np.zeros((1, 1)))
    for task in (Task(score_min=1.0), Task(score_max=1.0)):
        assert set(evaluation.scores(played, task)) == {"return", "return_std", "length", "discounted_return"}
