"""The score of a run: the mean of its last ten evaluations, by hand."""

import numpy as np
import pytest

from micro_rl.training.evaluator import final_scores
from tests.probes import tiny_plan

PLAN = tiny_plan()


def test_the_score_is_the_mean_of_the_last_ten_evaluations_and_never_the_best():
    returns = [900.0, -50.0, *range(10)]
    rows = [{"epoch": 2 * i + 2, "eval/return": value} for i, value in enumerate(returns)]
    unevaluated = [{"epoch": 2 * i + 1} for i in range(len(returns))]
    score = final_scores(sorted(rows + unevaluated, key=lambda row: row["epoch"]), PLAN)["eval/return"]
    assert score["mean_of_last"] == pytest.approx(4.5)
    assert score["std_of_last"] == pytest.approx(np.std(range(10)))
    assert (score["evaluations"], score["last"], score["best"]) == (10, 9.0, 900.0)


def test_fewer_evaluations_are_counted_as_they_are():
    score = final_scores([{"epoch": 1, "model_estimate/return": 3.0}], PLAN)
    assert score["model_estimate/return"]["evaluations"] == 1
    assert "eval/return" not in score


def test_the_logs_own_returns_stand_beside():
    dataset, log = PLAN.dataset, final_scores([], PLAN)["log"]
    assert log["return_mean"] == pytest.approx(dataset.returns.mean())
    assert log["return_best"] == pytest.approx(dataset.returns.max())
    assert (log["rows"], log["episodes"]) == (len(dataset), len(dataset.starts))
