"""In what units methods measure where a fit leaves its targets as they are, and columns in which a log stands still."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.buffer import rows_of
from micro_rl.algorithms.learner import ModelLearner
from micro_rl.algorithms.slots import Method, MethodContext
from micro_rl.core.types import Problem, Transition
from micro_rl.dynamics.ensemble import Ensemble, Models
from micro_rl.dynamics.episode_coverage import scored
from micro_rl.dynamics.episode_holdout import fitted_rows, held_out_episodes
from micro_rl.dynamics.fit_epoch import compiled_start, finish_fit
from micro_rl.dynamics.log_units import LogUnits, has_raw_targets, target_units
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.dynamics.support import reference
from micro_rl.training.fitting import problem_of
from micro_rl.training.learning import learner_for, program_for
from micro_rl.training.plan import Plan
from micro_rl.training.runner import execute
from micro_rl.training.set_calibration import calibrated_set
from tests.probes import call, linear_critics, pointing_ensemble, steady_actor, tiny_dataset, tiny_plan

RAW: dict[str, Any] = {"standardise": False, "standardise_targets": False, "rollout_batch_size": 10}
"""As the D4RL presets have it."""
CHANGES = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 500.0]])
"""Of two members: 2 apart in a column that changes by about 0.5, and 500 in one that is stretched a thousandfold."""


def planned(method: str = "morel", **changes: Any) -> tuple[Plan, Problem]:
    chosen: dict[str, Any] = RAW | {"ensemble_size": 2} | changes
    plan = tiny_plan(1000.0, method, **chosen)
    problem = problem_of(plan.dataset, plan.settings)
    return plan, problem


def changes_of(problem: Problem) -> np.ndarray:
    rows = rows_of(problem.log)
    return np.asarray(rows.next_observation, np.float64) - np.asarray(rows.observation, np.float64)


def test_morel_compares_members_in_units_of_the_logs_changes():
    plan, problem = planned()
    model = FittedModel(pointing_ensemble(CHANGES, [0.0] * 2, act=1), problem.scaling, {})
    state = program_for([plan], [model], problem).fresh().method_state
    apart = (CHANGES[0] - CHANGES[1]) / changes_of(problem).std(0)
    np.testing.assert_allclose(state.disagreement, [np.linalg.norm(apart)], rtol=1e-4)
    rows = rows_of(problem.log)
    np.testing.assert_allclose(state.unit[0], [*changes_of(problem).std(0), np.asarray(rows.reward).std()], rtol=1e-4)


def test_a_fit_in_units_keeps_them_and_what_morel_remembers():
    plan, problem = planned(standardise_targets=True)
    ensemble = fresh_fit(plan, problem)
    state = program_for([plan], [FittedModel(ensemble, problem.scaling, {})], problem).fresh().method_state
    assert state.unit is None and not has_raw_targets(ensemble)
    np.testing.assert_array_equal(target_units(ensemble, rows_of(problem.log)), ensemble.target_std)


def fresh_fit(plan: Plan, problem: Problem) -> Ensemble:
    return finish_fit(compiled_start(problem.log, sizes=plan.settings.fit_sizes(), key=jax.random.key(0)))


@pytest.mark.parametrize("standardised", [True, False])
def test_units_of_raw_targets_are_what_a_fit_in_units_would_have(standardised: bool):
    """The fit's are of the rows that it does not hold out; a constant column and a constant change have 1."""
    plan, problem = planned(standardise_targets=standardised, log=still(), holdout_fraction=0.01)
    rows = rows_of(problem.log)
    measured = target_units(fresh_fit(plan, problem), rows)
    assert measured.dtype == np.float32 and measured[1] == 1
    expected = [*changes_of(problem).std(0), np.asarray(rows.reward).std()]
    np.testing.assert_allclose(measured[[0, 2, 3]], np.asarray(expected)[[0, 2, 3]], rtol=0.1 if standardised else 1e-5)


def still(value: float = 3.0) -> Any:
    """The tiny log with a second column that never varies."""
    log = tiny_dataset()
    observations, following = log.observations.copy(), log.next_observations.copy()
    observations[:, 1] = following[:, 1] = value
    return replace(log, observations=observations, next_observations=following)


def test_columns_in_which_the_log_stands_still():
    ensemble = pointing_ensemble(CHANGES, [0.0] * 2, act=1)
    for standardise in (True, False):
        _, problem = planned(log=still(), standardise=standardise)
        units = LogUnits(rows_of(problem.log), ensemble)
        np.testing.assert_array_equal(units.constant(), [False, True, False])
    one = Transition(*(jnp.ones(shape) for shape in ((4, 3), (4, 1), (4,), (4, 3), (4,))))
    assert LogUnits(one._replace(observation=jnp.eye(4)[:, :3]), ensemble).constant() is None


def held_out(plan: Plan, problem: Problem, ensemble: Ensemble) -> FittedModel:
    about = {"log_sha256": plan.dataset.sha256, "episodes_held_out": held_out_episodes(plan.dataset, 0.4).tolist()}
    return FittedModel(ensemble, problem.scaling, about)


def test_the_calibrated_set_has_units_of_the_logs_changes():
    plan, problem = planned("micro", candidates="calibrated", holdout_episodes=0.4)
    model = held_out(plan, problem, pointing_ensemble(CHANGES, [0.0] * 2, act=1))
    own = calibrated_set(plan.dataset, model, plan.settings, 0.9)
    fitted = changes_of(problem)[fitted_rows(plan.dataset, plan.settings)]
    np.testing.assert_allclose(own.unit, fitted.std(0), rtol=1e-4)


def test_disagreement_on_held_out_episodes_is_in_units_of_the_logs_changes():
    _, problem = planned("micro", holdout_episodes=0.4)
    ensemble, rows = pointing_ensemble(CHANGES, [0.0] * 2, act=1), rows_of(problem.log)
    unit = target_units(ensemble, rows)
    parts = scored(ensemble, reference(rows, np.arange(100)), rows, unit)
    apart = np.append((CHANGES[0] - CHANGES[1]), 0) / unit
    np.testing.assert_allclose(parts[:, 2], np.sqrt(np.mean(apart**2)), rtol=1e-4)


BALL: dict[str, Any] = {"radius": 1.0, "beta": 1.0, "log": still()}


@pytest.mark.parametrize(("kind", "share"), [("l2", 0.6), ("linf", 3 / 7), ("mahalanobis", 1.0)])
def test_a_ball_in_the_logs_units_leaves_columns_that_never_vary(kind: str, share: float):
    """V(s) = 3 s_0 + 4 s_1: a fall of 5 or 7 in the whole ball, of 3 in the first column alone."""
    plan, problem = planned("micro", candidates=kind, **BALL)
    model = FittedModel(pointing_ensemble([[0.0] * 3] * 2, [0.0] * 2, act=1, std=1.0), problem.scaling, {})
    log = rows_of(problem.log)
    learner = learner_for(plan, model, log=log)
    assert isinstance(learner, ModelLearner) and isinstance(plan.method, Method)
    critics = linear_critics([[3.0, 4.0, 0.0, 0.0]] * 2, [0.0] * 2)
    models = Models.of(model.ensemble, 2)
    context = MethodContext(critics, critics, steady_actor([0.0], obs=3), models, jnp.asarray(0.9))
    rows = jax.tree.map(lambda column: column[:4], log)
    falls = [call(slot, rows, jnp.zeros(4), context, ()) for slot in (learner.method.target, plan.method.target)]
    ours, whole = (float(logged["conservative_term"]) for _, logged in falls)
    assert ours == pytest.approx(share * whole, rel=1e-4)


def test_where_every_column_varies_the_ball_is_the_same_program():
    plan, problem = planned("micro", candidates="l2", radius=1.0)
    model = FittedModel(fresh_fit(plan, problem), problem.scaling, {})
    learner = learner_for(plan, model, log=rows_of(problem.log))
    assert isinstance(learner, ModelLearner)
    assert jax.tree.structure(learner.method) == jax.tree.structure(plan.method)


@pytest.mark.parametrize("standardised", [True, False])
def test_the_calibrated_set_leaves_columns_whose_change_never_varies(standardised: bool):
    plan, problem = planned(
        "micro", candidates="calibrated", holdout_episodes=0.4, log=still(), standardise_targets=standardised
    )
    own = calibrated_set(plan.dataset, held_out(plan, problem, fresh_fit(plan, problem)), plan.settings, 0.9)
    assert own.unit[1] == 0 and (own.unit[jnp.asarray([0, 2])] > 0).all()


def test_a_run_of_morel_on_raw_targets_goes_on_to_the_same_bits(tmp_path: Path):
    plan, _ = planned("morel")
    whole = execute(plan, tmp_path / "whole")
    execute(plan, tmp_path / "halves", until=1)
    halves = execute(plan, tmp_path / "halves", resume=True)
    policies = [(run.path / "policy.safetensors").read_bytes() for run in (whole, halves)]
    assert policies[0] == policies[1]
