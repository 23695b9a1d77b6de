"""A training that blows up: it is noticed, the epoch is gone through again exactly, and the culprit is named."""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.epoch import TrainState, coefficients, compiled_epoch, compiled_start
from micro_rl.algorithms.sac import Agent
from micro_rl.core.types import Keys, Problem
from micro_rl.dynamics.fit_epoch import finish_fit
from micro_rl.dynamics.termination_rules import ByRule
from micro_rl.errors import Diverged
from micro_rl.storage import pytree_io
from micro_rl.storage.arrays import read_arrays
from micro_rl.training import divergence
from micro_rl.training.fit_feeding import compiled_epoch as fit_once
from micro_rl.training.fit_feeding import compiled_start as begin_fit
from micro_rl.training.fitting import fit_model, problem_of
from micro_rl.training.plan import Plan
from micro_rl.training.runner import execute
from tests.probes import tiny_plan


class Begun(NamedTuple):
    plan: Plan
    problem: Problem
    arguments: tuple

    def fresh(self, model) -> TrainState:
        plan = self.plan
        return compiled_start(
            self.problem, model, plan.method(), plan.settings.sizes(), 1.0, Keys.of(plan.settings.seed)
        )


@pytest.fixture(scope="module")
def begun() -> Begun:
    plan = tiny_plan(rollout_every=10)
    problem = problem_of(plan.dataset, plan.settings)
    assert plan.ends is not None
    where = (coefficients(plan.settings, 1), Keys.of(0).epochs, plan.settings.sizes(), ByRule(plan.ends))
    return Begun(plan, problem, (plan.method(), problem, *where))


@pytest.fixture(scope="module")
def model(begun: Begun):
    return fit_model(begun.plan.dataset, begun.problem, begun.plan.settings, 0, lambda row: None).ensemble


def test_step_by_step_an_epoch_is_the_compiled_one(begun: Begun, model):
    gone = list(divergence.steps(begun.fresh(model), *begun.arguments))
    assert [step.number for step in gone] == list(range(1, 21))
    method, problem, c, key, sizes, ends = begun.arguments
    after, logged, _ = compiled_epoch(begun.fresh(model), method, problem, c, key, sizes=sizes, ends=ends)
    for name, array in pytree_io.to_arrays(after.agent).items():
        np.testing.assert_allclose(pytree_io.to_arrays(gone[-1].after)[name], array, rtol=2e-4, atol=2e-5, err_msg=name)
    for name in ("loss/critic", "q/real", "conservative_term"):
        assert np.mean([step.figures[name] for step in gone]) == pytest.approx(float(logged[name]), rel=1e-4)
    assert divergence.first_to_blow_up(gone, limit=1e9) is None


def test_the_first_in_the_chain_is_named_with_its_update():
    agent = jax.tree.map(jnp.zeros_like, None)
    figures = {"log rows": 3.0, "q/target": 1.0, "loss/critic": 2.0, "critics": 1.0, "own": 0.0}
    bad = figures | {"loss/critic": float("nan"), "critics": float("nan"), "q/target": -700.0}
    epoch = [divergence.Step(n, agent, agent, f, agent, agent) for n, f in enumerate((figures, figures, bad), start=1)]
    found = divergence.first_to_blow_up(epoch, limit=600.0)
    assert found is not None
    assert (found.update, found.term, found.value, found.at_first) == (3, "q/target", -700.0, 1.0)
    assert "in update 3 of that epoch (-700, after 1 in the first)" in found.told() and "critic_rate" in found.told()
    spread = {"inconsistency": float("inf"), "q/target": float("-inf")}
    apart = divergence.first_to_blow_up([epoch[0]._replace(figures=spread)], limit=600.0)
    assert apart is not None
    assert apart.term == "inconsistency" and "the members disagree" in apart.told()
    other = divergence.first_to_blow_up([epoch[0]._replace(figures=figures | {"own": float("inf")})], limit=600.0)
    assert other is not None
    assert other.term == "own" and "lower the learning rates" in other.told()


def test_values_have_exploded_where_no_return_can_be(begun: Begun, model):
    largest = float(np.abs(begun.problem.log.reward).max())  # pyright: ignore[reportAttributeAccessIssue]
    limit = divergence.largest_value(begun.problem, discount=0.9)
    assert limit == pytest.approx(100 * (largest + 5) / 0.1, rel=1e-6)
    agent: Agent = begun.fresh(model).agent
    assert divergence.reason({"q/real": 0.99 * limit}, agent, limit) is None
    assert "has exploded to" in (divergence.reason({"q/real": -1.01 * limit}, agent, limit) or "")
    assert divergence.reason({"loss/actor": float("inf")}, agent, limit) == "loss/actor is not finite"
    broken = agent._replace(log_temperature=jnp.asarray(jnp.nan))
    assert divergence.reason({}, broken, limit) == "log_temperature is not finite"


@pytest.mark.parametrize(("rate", "term"), [("critic_rate", "critics"), ("actor_rate", "actor")])
def test_what_led_there_is_kept_and_leads_there_again(tmp_path: Path, rate: str, term: str):
    plan = tiny_plan(rollout_every=10, **{rate: 1e30})  # pyright: ignore[reportArgumentType]
    with pytest.raises(Diverged, match=rf"epoch 1: .*; {term} was the first to blow up, in update 1 of .*{rate}"):
        execute(plan, tmp_path / "run")
    kept = tmp_path / "run" / "diverged"
    arrays, about = read_arrays(kept / "state", "state")
    assert about["epoch"] == 0 and about["diagnosis"].startswith(f"{term} was the first")
    state = pytree_io.from_arrays(*_like(plan, arrays))
    assert np.isfinite(np.concatenate([array.ravel() for array in arrays.values()])).all()
    run_key = Keys.of(0).epochs
    assert np.asarray(jax.random.key_data(jax.random.fold_in(run_key, 0))).tolist() == about["key"]
    problem = problem_of(plan.dataset, plan.settings)
    assert plan.ends is not None
    where = {"sizes": plan.settings.sizes(), "ends": ByRule(plan.ends)}
    again, *_ = compiled_epoch(state, plan.method(), problem, coefficients(plan.settings, 1), run_key, **where)
    assert not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(again.agent))
    into, told = read_arrays(kept / "update", "update")
    assert told["update"] == 1 and into["batch.real.reward"].shape == (16,)


def _like(plan: Plan, arrays: dict) -> tuple:
    def fresh() -> TrainState:
        problem = problem_of(plan.dataset, plan.settings)
        fit = begin_fit(problem.log, sizes=plan.settings.fit_sizes(), key=Keys.of(0).fit)
        return compiled_start(problem, finish_fit(fit), plan.method(), plan.settings.sizes(), 1.0, Keys.of(0))

    return jax.eval_shape(fresh), arrays


def test_a_fit_that_blows_up_keeps_what_led_there(tmp_path: Path):
    plan = tiny_plan(model_rate=1e30)
    with pytest.raises(Diverged, match=r"epoch 1 of the dynamics fit .* first to blow up, at step 1 .*model_rate"):
        execute(plan, tmp_path / "run")
    arrays, about = read_arrays(tmp_path / "run" / "diverged" / "state", "state")
    problem, sizes = problem_of(plan.dataset, plan.settings), plan.settings.fit_sizes()
    fresh = begin_fit(problem.log, sizes=sizes, key=Keys.of(0).fit)
    state = pytree_io.from_arrays(fresh, arrays)
    key = jax.random.wrap_key_data(jnp.asarray(about["key"], jnp.uint32))
    _, logged, first = fit_once(state, problem.log, sizes=sizes, key=key)
    assert not np.isfinite(logged["holdout"]).all()
    assert int(first["loss"]) == 2  # the first step ruins the networks, the second sees it
    rows, _ = read_arrays(tmp_path / "run" / "diverged" / "batch", "batch")
    assert rows["rows"].shape == (3, 64)


def test_without_a_model_the_first_number_to_go_is_found_too(tmp_path: Path):
    plan = tiny_plan(method="td3_bc", critic_rate=1e9)
    with pytest.raises(Diverged, match="was the first to blow up, in update 1 of that epoch") as stopped:
        execute(plan, tmp_path / "run")
    assert "the critics feed on their own values" in str(stopped.value)
    rows, _ = read_arrays(tmp_path / "run" / "diverged" / "update", "update")
    assert rows["batch.now.reward"].shape == (2 * plan.settings.batch,)
