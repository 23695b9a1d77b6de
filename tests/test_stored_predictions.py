"""Predictions that are stored with rows of the model: learned from as if made anew, and kept beside their rows."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms import buffer as buffers
from micro_rl.algorithms.rollout import predictions_of
from micro_rl.core.types import Predictions, Rollout, Transition
from micro_rl.errors import UserError
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.memory import bytes_of_run
from micro_rl.training.runner import execute
from tests.probes import TINY, pointing_ensemble, tiny_plan

SHORT: dict[str, Any] = {"max_fit_epochs": 2}


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param({"method": "micro"}, id="micro"),
        pytest.param({"method": "mobile", "values": "linear"}, id="mobile", marks=pytest.mark.slow),
    ],
)
def test_a_run_learns_as_with_predictions_made_anew_and_goes_on(tmp_path: Path, recipe: dict[str, Any]):
    stored = tiny_plan(**recipe, **SHORT, predictions="stored")
    whole, anew = execute(stored, tmp_path / "whole"), execute(tiny_plan(**recipe, **SHORT), tmp_path / "anew")
    execute(stored, tmp_path / "parts", until=1)
    execute(stored, tmp_path / "parts", resume=True)
    policies = [(tmp_path / name / "policy.safetensors").read_bytes() for name in ("whole", "parts")]
    assert policies[0] == policies[1]
    assert "--predictions stored" in RunFolder.open(whole.path).config()["command"]
    for one, other in zip(whole.metrics, anew.metrics, strict=True):
        assert one.keys() == other.keys()
        for name in one.keys() - {name for name in one if name.startswith("time/")}:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-2, atol=1e-3, err_msg=name)


def test_members_expect_of_each_row_what_they_say_of_it():
    members = pointing_ensemble([[0.1, 0.0], [0.0, 0.2]], [0.0, 0.0], act=1, std=0.3)
    observation = jnp.asarray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    rows = Transition(observation, jnp.zeros((3, 1)), jnp.zeros(3), observation, jnp.ones(3))
    mean, std = jax.jit(predictions_of)(members, rows)
    moved = np.asarray(observation)[:, None] + [[0.1, 0.0], [0.0, 0.2]]
    np.testing.assert_allclose(mean, moved, rtol=1e-4)
    np.testing.assert_allclose(std, np.full((3, 2, 2), 0.3), rtol=1e-4)


def test_they_stay_with_their_rows_in_the_buffer():
    number = jnp.arange(6.0)
    column, valid = number[:, None], jnp.asarray([True, False, True, True, False, True])
    expected = jnp.stack([column, column + 0.5], axis=1)
    rollout = Rollout(
        Transition(column, column, number, column, number), valid, predictions=Predictions(expected, -expected)
    )
    buffer = jax.jit(buffers.write)(buffers.empty(2, 6, 1, 1, members=2), rollout)
    rows, predictions = jax.jit(buffers.draw, static_argnames="size")(buffer, jax.random.key(0), size=40)
    assert set(np.asarray(rows.reward).tolist()) == {0.0, 2.0, 3.0, 5.0} and predictions is not None
    np.testing.assert_array_equal(predictions.mean[:, :, 0], np.stack([rows.reward, rows.reward + 0.5], axis=1))
    np.testing.assert_array_equal(predictions.std, -predictions.mean)
    assert buffers.empty(2, 6, 1, 1).predictions is None


@pytest.mark.parametrize("ball", [{"candidates": "l2", "radius": 1.0}, {"candidates": "calibrated"}])
def test_a_ball_stores_none(ball: dict[str, Any]):
    with pytest.raises(UserError, match="predictions: stored does nothing with a ball"):
        tiny_plan(**ball, predictions="stored")


def test_the_estimate_of_memory_counts_them():
    small, large = (bytes_of_run(tiny_plan(predictions=how)) for how in ("anew", "stored"))
    rows = TINY["rollout_batch_size"] * TINY["rollout_length"] * TINY["rollouts_kept"]
    assert large - small >= rows * 2 * 2 * 3 * 4
