"""What is estimated of a run's memory, against the compiler's own plan."""

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from micro_rl.algorithms import epoch, log_epoch
from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.slots import Method
from micro_rl.core.types import Keys, Problem, Scaling, Transition
from micro_rl.dynamics.fit_epoch import finish_fit, start_fit
from micro_rl.dynamics.termination_rules import ByRule, never
from micro_rl.errors import UserError
from micro_rl.training import memory
from micro_rl.training.grid import trials
from micro_rl.training.plan import Plan
from micro_rl.training.runner import execute
from micro_rl.training.sweep import carry_out
from tests.probes import tiny_plan

PUBLISHED: dict[str, Any] = {
    "ensemble_size": 7,
    "num_elites": 5,
    "model_hidden_sizes": (200,) * 4,
    "weight_decay": (0.0,) * 5,
    "hidden_sizes": (256, 256),
    "batch_size": 256,
    "real_ratio": 0.05,
    "updates_per_epoch": 10,
}


def planned_by_compiler(plan: Plan) -> int:
    """Bytes that one training epoch holds at a time: what it takes, what it writes down."""

    def floats(*shape: int) -> Any:
        return jax.ShapeDtypeStruct(shape, jnp.float32)

    obs, act, rows = plan.dataset.observations.shape[1], plan.dataset.actions.shape[1], len(plan.dataset)
    log = Transition(floats(rows, obs), floats(rows, act), floats(rows), floats(rows, obs), floats(rows))
    problem = Problem(log, Scaling(floats(obs), floats(obs), floats(act), floats(act), floats()))
    method, sizes, keys = plan.method, plan.settings.sizes(), Keys.of(0)
    assert isinstance(method, Method)
    ensemble = jax.eval_shape(lambda log: finish_fit(start_fit(log, plan.settings.fit_sizes(), keys.fit)), log)
    state = jax.eval_shape(partial(epoch.start, sizes=sizes, temperature=1.0, keys=keys), problem, ensemble, method)
    c = coefficients(plan.settings, act)
    lowered = epoch.compiled_epoch.lower(state, method, problem, c, keys.epochs, sizes=sizes, ends=ByRule(never))
    analysis = lowered.compile().memory_analysis()
    assert analysis is not None
    return analysis.temp_size_in_bytes + memory._size(state)


@pytest.mark.parametrize(("starts", "length"), [(20_000, 5), pytest.param(50_000, 1, marks=pytest.mark.slow)])
def test_the_estimate_is_near_what_the_compiler_plans_and_not_below(starts: int, length: int):
    plan = tiny_plan(**PUBLISHED, rollout_batch_size=starts, rollout_length=length)
    planned = planned_by_compiler(plan)
    assert planned <= estimated_without_checkpoint(plan) <= 1.5 * planned


@pytest.mark.slow
@pytest.mark.parametrize("method", ["combo", "micro", "mobile", "mopo", "morel", "rambo"])
def test_so_it_is_for_every_kind_of_method_with_a_model(method: str):
    more: dict[str, Any] = {"num_samples": 10} if method in ("micro", "mobile") else {}
    plan = tiny_plan(**PUBLISHED, method=method, rollout_batch_size=20_000, rollout_length=5, **more)
    planned = planned_by_compiler(plan)
    assert planned <= estimated_without_checkpoint(plan) <= 2 * planned


def estimated_without_checkpoint(plan: Plan) -> int:
    """Of a checkpoint's copy the compiler knows nothing."""
    return memory.bytes_of_run(plan) - memory.parts(plan)[2]


def test_free_memory_is_some_and_a_container_may_have_less(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    free = memory.free_memory()
    assert free is None or free > 0
    (tmp_path / "memory.max").write_text("2000\n")
    (tmp_path / "memory.current").write_text("500\n")
    (tmp_path / "memory.stat").write_text("anon 200\ninactive_file 300\nactive_file 7\n")
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    assert memory.free_memory() == 1800
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_memory() != 1800


def test_one_run_is_always_tried(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 1)
    assert memory.width_that_fits(tiny_plan(), 8) == 1
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    assert memory.width_that_fits(tiny_plan(), 8) == 8


def test_rollouts_that_no_memory_holds_are_refused_before_there_is_a_folder(tmp_path: Path):
    plan = tiny_plan(rollouts_kept=10**12)
    with pytest.raises(UserError, match="GiB are free; lower rollout_batch_size"):
        execute(plan, tmp_path / "run")
    with pytest.raises(UserError, match="GiB are free; lower rollout_batch_size"):
        carry_out(trials(plan, 2, {}), tmp_path / "sweep")
    assert not list(tmp_path.iterdir())


def test_ten_critics_take_more_than_two():
    two, ten = (memory.bytes_of_run(tiny_plan(method=method)) for method in ("td3_bc", "edac"))
    assert memory.SMALL < two < ten, "each has its state"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "changes"),
    [("cql", {"hidden_sizes": (256, 256, 256)}), ("sac_n", {"hidden_sizes": (256, 256), "num_critics": 100})],
)
def test_the_estimate_without_a_model_is_not_below_the_compilers_plan(method: str, changes: dict[str, Any]):
    plan = tiny_plan(method=method, batch_size=256, updates_per_epoch=10, **changes)
    problem, learner, sizes = log_epoch.problem_of(plan.dataset, plan.settings), plan.method, plan.settings.sizes()
    keys = Keys.of(plan.settings.seed)
    fresh = log_epoch.compiled_start(problem, learner, sizes, 1.0, keys)
    c = coefficients(plan.settings, 1)
    lowered = log_epoch.compiled_epoch.lower(fresh, learner, problem, c, keys.epochs, sizes=sizes)
    analysis = lowered.compile().memory_analysis()
    assert analysis is not None
    state = memory._size(fresh)
    planned = analysis.temp_size_in_bytes + state
    assert planned <= memory.bytes_of_run(plan) - state <= 2 * planned
