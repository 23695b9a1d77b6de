"""Every evaluation of every run plays episodes of its own."""

from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.export import export
from micro_rl.algorithms.log_epoch import LogState
from micro_rl.simulation.envs import Match
from micro_rl.simulation.evaluation import Evaluation
from micro_rl.training import evaluator
from tests.probes import plain_units, steady_actor, tiny_plan

EPISODES = 10


class Recorder:
    """An evaluator that plays nothing and keeps the seeds that it was asked for."""

    played: ClassVar[list[range]] = []

    def __init__(self, env_id: str, *, episodes: int, horizon: int | None):
        self._episodes = episodes

    def __call__(self, policy, *, seed: int, discount: float) -> Evaluation:
        self.played.append(range(seed, seed + self._episodes))
        numbers = np.zeros(self._episodes)
        return Evaluation(numbers, numbers.astype(int), numbers, np.zeros((self._episodes, 3)))


def test_no_two_evaluations_share_an_episode(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evaluator, "Evaluator", Recorder)
    monkeypatch.setattr(evaluator, "_match", lambda *_: Match((), ""))
    monkeypatch.setattr(Recorder, "played", [])
    units = plain_units(3, 1)
    for seed in (0, 1):
        plan = tiny_plan(seed=seed, eval_episodes=EPISODES)
        plan = replace(plan, task=replace(plan.task, env="Some-v0", horizon=5))
        evaluate = evaluator.PolicyEvaluator(plan)
        for epoch in (1, 2):
            state = LogState(SimpleNamespace(critics=None), jnp.asarray(epoch))
            evaluate(state, export(steady_actor([0.0], obs=3), units, "Some-v0"), units, None)
    assert [seeds[0] for seeds in Recorder.played] == [1_000_010, 1_000_020, 2_000_010, 2_000_020]
    for first, second in combinations(Recorder.played, 2):
        assert not set(first) & set(second)
