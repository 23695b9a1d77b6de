"""The score of a run: the mean of its last ten evaluations, by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from micro_rl.algorithms.export import export
from micro_rl.core.metric_keys import CRITICS_RETURN
from micro_rl.training.evaluator import PolicyEvaluator, final_scores
from tests.probes import linear_critics, plain_units, steady_actor, tiny_plan

PLAN = tiny_plan()


def test_the_score_is_the_mean_of_the_last_ten_evaluations_and_never_the_best():
    returns = [900.0, -50.0, *range(10)]
    rows = [{"epoch": 2 * i + 2, "eval/return": value} for i, value in enumerate(returns)]
    unevaluated = [{"epoch": 2 * i + 1} for i in range(len(returns))]
    score = final_scores(sorted(rows + unevaluated, key=lambda row: row["epoch"]), PLAN)["eval/return"]
    assert score["mean_of_last"] == pytest.approx(4.5)
    assert score["std_of_last"] == pytest.approx(np.std(range(10)))
    assert (score["evaluations"], score["last"], score["best"]) == (10, 9.0, 900.0)


def test_its_epochs_are_those_that_it_was_trained_for_also_where_rows_are_missing():
    assert final_scores([{"epoch": 1}, {"epoch": 4}], PLAN)["epochs"] == 4
    assert final_scores([], PLAN)["epochs"] == 0


def test_fewer_evaluations_are_counted_as_they_are():
    score = final_scores([{"epoch": 1, "model_estimate/return": 3.0}], PLAN)
    assert score["model_estimate/return"]["evaluations"] == 1
    assert "eval/return" not in score


def test_the_critics_judge_the_starts_of_the_logs_ten_episodes_in_core_units():
    """A hundred evenly spread starts: 6 of the first and the last, 11 of each between; Q = 4 (s - 1) / 2."""
    units = plain_units(3, 1)._replace(reward_scale=np.array(4.0))
    units = units._replace(observation_mean=np.array([1.0, 0.0, 0.0]), observation_std=np.array([2.0, 1.0, 1.0]))
    critics = linear_critics([[1.0, 0.0, 0.0, 0.0]] * 2, [0.0] * 2)
    actor = steady_actor([0.0], obs=3)
    state = SimpleNamespace(agent=SimpleNamespace(actor=actor, critics=critics))
    row = PolicyEvaluator(PLAN)(state, export(actor, units, None), units, None)
    first = PLAN.dataset.observations[PLAN.dataset.starts, 0]
    mean = (6 * first[0] + 11 * first[1:9].sum() + 6 * first[9]) / 100
    assert row == {CRITICS_RETURN: pytest.approx(2 * (mean - 1), rel=1e-5)}


def test_the_logs_own_returns_stand_beside():
    dataset, log = PLAN.dataset, final_scores([], PLAN)["log"]
    assert log["return_mean"] == pytest.approx(dataset.returns.mean())
    assert log["return_best"] == pytest.approx(dataset.returns.max())
    assert (log["rows"], log["episodes"]) == (len(dataset), len(dataset.starts))
