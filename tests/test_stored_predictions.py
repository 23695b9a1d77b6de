"""Predictions that are stored with rows of the model: the same as made anew, and kept beside their rows."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from micro_rl.algorithms import registry
from micro_rl.algorithms.epoch import compiled_epoch, compiled_start
from micro_rl.algorithms.slots import Method
from micro_rl.core.types import Keys
from micro_rl.dynamics.ensemble import predict
from micro_rl.errors import UserError
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.fitting import fit_model, problem_of
from micro_rl.training.memory import bytes_of_run
from micro_rl.training.runner import execute
from tests.probes import TINY, coefficients, tiny_dataset, tiny_plan

PLAN = tiny_plan()
RECIPES: list[tuple[str, dict[str, Any]]] = [
    ("micro", {}),
    ("micro", {"candidates": "all", "values": "linear"}),
    ("mobile", {"num_samples": 2}),
    ("mobile", {"values": "moments"}),
]


@pytest.fixture(scope="module")
def fitted():
    """The tiny log and a model of it."""
    log = tiny_dataset()
    problem = problem_of(log, PLAN.settings)
    return problem, fit_model(log, problem, PLAN.settings, 0, lambda row: None)


def built(method: str, options: dict[str, Any], stored: bool) -> Method:
    definition: Any = registry.find(method)
    return definition.build(definition.Options(**options, predictions="stored" if stored else "anew"))


@pytest.mark.parametrize(("method", "options"), RECIPES, ids=["micro", "all", "mobile", "moments"])
def test_an_epoch_is_as_with_predictions_made_anew(fitted: Any, method: str, options: dict[str, Any]):
    problem, model = fitted
    sizes, keys = PLAN.settings.sizes()._replace(updates_per_epoch=10, rollout_every=5), Keys.of(0)
    logged = []
    for stored in (True, False):
        definition = built(method, options, stored)
        state = compiled_start(problem, model.ensemble, definition, sizes=sizes, temperature=0.1, keys=keys)
        state, terms, _ = compiled_epoch(
            state, definition, problem, coefficients(), keys.epochs, sizes=sizes, ends=PLAN.ends.of(model, None)
        )
        logged.append(terms)
        assert (state.buffer.predictions is not None) == stored
        if stored:
            kept_beside_their_rows(state, model.ensemble if "candidates" in options else model.ensemble.best(2))
    assert logged[0].keys() == logged[1].keys()
    for name in logged[0]:
        np.testing.assert_allclose(logged[0][name], logged[1][name], rtol=1e-3, atol=1e-5, err_msg=name)


def kept_beside_their_rows(state: Any, members: Any) -> None:
    rows = jax.tree.map(lambda column: column[1, : state.buffer.filled[1]], state.buffer.rows)
    mean, std = jax.jit(predict)(members, rows.observation, rows.action)
    stored = jax.tree.map(lambda column: column[1, : len(rows.reward)], state.buffer.predictions)
    np.testing.assert_allclose(stored.mean, mean[..., :-1].swapaxes(0, 1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(stored.std, std[..., :-1].swapaxes(0, 1), rtol=1e-4, atol=1e-5)


def test_a_run_goes_on_with_them_to_the_same_bits(tmp_path: Path):
    plan = tiny_plan(predictions="stored", values="linear", max_fit_epochs=2)
    execute(plan, tmp_path / "whole")
    execute(plan, tmp_path / "parts", until=1)
    execute(plan, tmp_path / "parts", resume=True)
    policies = [(tmp_path / name / "policy.safetensors").read_bytes() for name in ("whole", "parts")]
    assert policies[0] == policies[1]
    assert "--predictions stored" in RunFolder.open(tmp_path / "whole").config()["command"]


@pytest.mark.parametrize("ball", [{"candidates": "l2", "radius": 1.0}, {"candidates": "calibrated"}])
def test_a_ball_stores_none(ball: dict[str, Any]):
    with pytest.raises(UserError, match="predictions: stored does nothing with a ball"):
        tiny_plan(**ball, predictions="stored")


def test_the_estimate_of_memory_counts_them():
    small, large = (bytes_of_run(tiny_plan(predictions=how)) for how in ("anew", "stored"))
    rows = TINY["rollout_batch_size"] * TINY["rollout_length"] * TINY["rollouts_kept"]
    assert large - small >= rows * 2 * 2 * 3 * 4
