"""A training that blows up: it is noticed, the culprit is named with its update, what led there leads there again."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms import log_epoch
from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.epoch import TrainState, compiled_epoch, compiled_start
from micro_rl.algorithms.model_free.base import ModelFreeMethod
from micro_rl.core.metric_keys import METRICS
from micro_rl.core.settings import Settings
from micro_rl.core.types import Keys
from micro_rl.dynamics.fit_epoch import compiled_epoch as fit_once
from micro_rl.dynamics.fit_epoch import compiled_start as begin_fit
from micro_rl.dynamics.fit_epoch import finish_fit
from micro_rl.dynamics.termination import EndByRule
from micro_rl.dynamics.termination_rules import ByRule
from micro_rl.errors import Diverged
from micro_rl.storage import pytree_io
from micro_rl.storage.arrays import read_arrays
from micro_rl.training import divergence
from micro_rl.training.fitting import problem_of
from micro_rl.training.plan import Plan
from micro_rl.training.runner import execute
from tests.probes import tiny_plan


def test_the_first_in_the_chain_is_named_with_its_update():
    never = dict.fromkeys(("entropy", "q/target", "loss/critic", "loss/actor", "own"), 0)
    both = divergence.find_cause({"q/target": -700.0}, never | {"loss/critic": 3, "q/target": 3}, 1.0)
    assert (both.term, both.update, both.size) == ("q/target", 3, -700.0)
    assert "in update 3 of that epoch (-700)" in both.diagnosis() and "critic_lr" in both.diagnosis()
    earlier = divergence.find_cause({}, never | {"q/target": 4, "loss/actor": 3}, 1.0)
    assert (earlier.term, earlier.update) == ("loss/actor", 3)
    spread = divergence.find_cause({}, never | {"inconsistency": 1, "q/target": 1}, 1.0)
    assert spread.term == "inconsistency" and "the members disagree" in spread.diagnosis()
    policy = divergence.find_cause({}, never | {"entropy": 2, "q/target": 2}, 1.0)
    assert policy.term == "entropy" and "lower actor_lr" in policy.diagnosis()
    own = divergence.find_cause({}, never | {"own": 2}, 1.0)
    assert own.term == "own" and "lower the learning rates" in own.diagnosis()
    rows = divergence.find_cause({}, never | {"q/target": 1}, 1e7)
    assert rows.term == "log rows" and "look for outliers" in rows.diagnosis()


def test_values_have_exploded_where_no_return_can_be():
    plan = tiny_plan()
    problem = problem_of(plan.dataset, plan.settings)
    largest = float(np.abs(problem.log.reward).max())  # pyright: ignore[reportAttributeAccessIssue]
    limit = divergence.largest_value(problem, Settings(discount=0.9))
    assert limit == pytest.approx(100 * (largest + 5) / 0.1, rel=1e-6)
    agent = _fresh(plan).agent
    assert divergence.reason({"q/real": 0.99 * limit}, agent, limit) is None
    assert "has exploded to" in (divergence.reason({"q/real": -1.01 * limit}, agent, limit) or "")
    assert divergence.reason({"loss/actor": float("inf")}, agent, limit) == "loss/actor is not finite"
    broken = agent._replace(log_temperature=jnp.asarray(jnp.nan))
    assert divergence.reason({}, broken, limit) == "log_temperature is not finite"


@pytest.mark.parametrize("rate", ["critic_lr", "actor_lr"])
def test_what_led_there_is_kept_and_leads_there_again(tmp_path: Path, rate: str):
    plan = tiny_plan(rollout_every=10, **{rate: 1e30})  # pyright: ignore[reportArgumentType]
    with pytest.raises(Diverged, match=rf"epoch 1: .* was the first to blow up, in update \d of .*{rate}"):
        execute(plan, tmp_path / "run")
    arrays, about = read_arrays(tmp_path / "run" / "diverged" / "state", "state")
    assert about["epoch"] == 0 and "was the first to blow up" in about["diagnosis"]
    state = pytree_io.from_arrays(jax.eval_shape(lambda: _fresh(plan)), arrays)
    assert np.isfinite(np.concatenate([array.ravel() for array in arrays.values()])).all()
    run_key = Keys.of(0).epochs
    assert np.asarray(jax.random.key_data(jax.random.fold_in(run_key, 0))).tolist() == about["key"]
    problem = problem_of(plan.dataset, plan.settings)
    assert isinstance(plan.ends, EndByRule)
    where = {"sizes": plan.settings.sizes(), "ends": ByRule(plan.ends.rule)}
    c = coefficients(plan.settings, 1)
    again, _, first_bad = compiled_epoch(
        state,
        plan.method,
        problem,
        c,
        run_key,
        **where,
        value_limit=divergence.largest_value(problem, Settings(discount=0.99)),
    )
    assert not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(again.agent))
    assert {name: int(update) for name, update in first_bad.items()} == about["first_bad"]


def _fresh(plan: Plan) -> TrainState:
    problem = problem_of(plan.dataset, plan.settings)
    fit = begin_fit(problem.log, sizes=plan.settings.fit_sizes(), key=Keys.of(0).fit)
    return compiled_start(problem, finish_fit(fit), plan.method, plan.settings.sizes(), 1.0, Keys.of(0))


def test_a_fit_that_blows_up_keeps_what_led_there(tmp_path: Path):
    plan = tiny_plan(model_lr=1e30)
    with pytest.raises(Diverged, match=r"epoch 1 of the dynamics fit .* first to blow up, at step . .*model_lr"):
        execute(plan, tmp_path / "run")
    arrays, about = read_arrays(tmp_path / "run" / "diverged" / "state", "state")
    problem, sizes = problem_of(plan.dataset, plan.settings), plan.settings.fit_sizes()
    fresh = begin_fit(problem.log, sizes=sizes, key=Keys.of(0).fit)
    state = pytree_io.from_arrays(fresh, arrays)
    key = jax.random.wrap_key_data(jnp.asarray(about["key"], jnp.uint32))
    _, logged, first_bad = fit_once(state, problem.log, sizes=sizes, key=key)
    assert not np.isfinite(logged["holdout"]).all() and f"at step {int(first_bad['loss'])} " in about["diagnosis"]


def test_without_a_model_the_first_number_to_go_is_found_too(tmp_path: Path):
    plan = tiny_plan(method="td3_bc", critic_lr=1e9)
    with pytest.raises(Diverged, match=r"was the first to blow up, in update \d+ of that epoch") as stopped:
        execute(plan, tmp_path / "run")
    assert "the critics feed on their own values" in str(stopped.value)


class Counting(ModelFreeMethod):
    """Its agent is the number of calls, which is the target that it logs."""

    steps: int = eqx.field(static=True)

    def start(self, key: Any, obs: int, act: int, sizes: Any, temperature: Any) -> Any:
        return jnp.zeros(())

    def update(self, agent: Any, rows: Any, key: Any, c: Any) -> tuple[Any, dict[str, jax.Array]]:
        return agent + 1, {"q/target": agent + 1, "loss/critic": agent}


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_without_a_model_a_call_that_makes_several_updates_counts_as_its_first(steps: int):
    plan = tiny_plan(method="td3_bc", policy_delay=steps)
    problem, sizes = log_epoch.problem_of(plan.dataset, plan.settings), plan.settings.sizes()
    method, c = Counting(steps), coefficients(plan.settings, 1)
    state = log_epoch.compiled_start(problem, method, sizes, 0.0, Keys.of(0))
    _, _, first = log_epoch.compiled_epoch(state, method, problem, c, Keys.of(0).epochs, sizes=sizes, value_limit=3)
    assert {name: int(update) for name, update in first.items()} == {"q/target": 2 * steps + 1, "loss/critic": 0}


def test_what_is_added_to_the_critics_loss_may_be_the_diversity():
    """It is logged under one key, for every method where critic_diversity is set: meaning and advice name it."""
    cause = divergence.find_cause({}, {"loss/penalty": 2, "q/target": 3}, 1.0)
    assert cause.term == "loss/penalty" and "critic_diversity" in cause.diagnosis()
    assert "own.py: look there first; else " in (text := cause.diagnosis({"regularize": "own.py"}))
    assert text.endswith("lower its weight (critic_diversity, where that is set), or critic_lr")
    assert "critic_diversity" in METRICS["loss/penalty"].meaning
