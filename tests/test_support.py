"""Learning that stays where the log can vouch for it: by hand, in the limit that changes nothing, and in whole runs."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms import registry
from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.epoch import compiled_epoch, start
from micro_rl.algorithms.rollout import RowRules, rollout
from micro_rl.algorithms.slots import AsPredicted, Method
from micro_rl.algorithms.support import Halt, Penalise, Support, Truncate
from micro_rl.core.settings import Settings, check
from micro_rl.core.types import Keys, Transition
from micro_rl.data import Dataset, windowed
from micro_rl.data.scaling import fit_scaling
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.dynamics.support import NEAREST, Reference
from micro_rl.dynamics.termination_rules import ByRule, never
from micro_rl.errors import UserError
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.fitting import fit_model, problem_of
from micro_rl.training.grid import Trial, groups, trials
from micro_rl.training.learning import program_for
from micro_rl.training.log_support import LogSupport, log_support
from micro_rl.training.runner import execute
from micro_rl.training.sweep import carry_out
from micro_rl.trust.starts import core_rows
from tests.probes import call, plain_units, pointing_ensemble, steady_actor, tiny_dataset, tiny_plan

NEVER = ByRule(never)
# All of the log's rows are s = 0, a = 0, its next observations lie in [-1, 1] with a deviation of 1/2.
KNOWN = Reference(
    rows=jnp.zeros((NEAREST, 1, 2)),
    mean=jnp.zeros(2),
    std=jnp.ones(2),
    low=jnp.asarray([-1.0]),
    high=jnp.asarray([1.0]),
    spread=jnp.asarray([0.5]),
)
SCALES, LIMIT = jnp.asarray([2.0, 0.5]), jnp.asarray(1.0)
PARTS = (KNOWN, SCALES, LIMIT)


def rows(state: list[float], action: list[float], following: list[float], discount: float = 1.0) -> Transition:
    """Rows of one observation and one action, each with the reward 7."""
    column = lambda values: jnp.asarray(values, jnp.float32)  # noqa: E731
    many = jnp.full(len(state), 7.0)
    return Transition(
        column(state)[:, None], column(action)[:, None], many, column(following)[:, None], discount * many / 7
    )


# Distances are root mean squares over two columns, excesses in deviations: the first row is the log's own, the second
# is sqrt((9 + 16) / 2) away over a scale of 2, the third's s' is 0.5 / 0.5 past the range over a scale of 0.5.
ROWS = rows([0.0, 3.0, 0.0], [0.0, 4.0, 0.0], [0.5, 0.5, 1.5])
SCORES = [0.0, np.sqrt(12.5) / 2, 2.0]


@jax.jit
def score(slot: Support, rows: Transition) -> jax.Array:
    return slot.score(rows)


def test_the_score_by_hand():
    np.testing.assert_allclose(score(Truncate(*PARTS), ROWS), SCORES, atol=1e-3)


def test_halting_by_hand():
    halted, unknown = call(Halt(*PARTS, jnp.asarray(-3.0)), ROWS)
    assert np.asarray(unknown).tolist() == [False, True, True]
    assert np.asarray(halted.reward).tolist() == [7.0, -3.0, -3.0]
    assert np.asarray(halted.discount).tolist() == [1.0, 0.0, 0.0]
    np.testing.assert_array_equal(halted.next_observation, ROWS.next_observation)


def test_a_row_that_is_terminal_anyway_may_not_pay_more_than_the_log_vouches_for():
    terminal = ROWS._replace(discount=jnp.zeros(3))
    halted, _ = call(Halt(*PARTS, jnp.asarray(-3.0)), terminal)
    assert np.asarray(halted.reward).tolist() == [7.0, -3.0, -3.0]
    kept, _ = call(Truncate(*PARTS), terminal)
    assert not np.asarray(kept.discount).any(), "a terminal row stays one"


def test_truncating_by_hand():
    same, unknown = call(Truncate(*PARTS), ROWS)
    assert np.asarray(unknown).tolist() == [False, True, True]
    jax.tree.map(np.testing.assert_array_equal, same, ROWS)


def test_a_penalty_by_hand():
    dearer, unknown = call(Penalise(*PARTS, jnp.asarray(2.0)), ROWS)
    np.testing.assert_allclose(dearer.reward, [7.0, 7 - 2 * (SCORES[1] - 1), 7 - 2 * (SCORES[2] - 1)], rtol=1e-3)
    assert np.asarray(unknown).tolist() == [False, True, True]
    np.testing.assert_array_equal(dearer.discount, ROWS.discount)


@pytest.mark.parametrize("slot", [Halt, Truncate, Penalise])
def test_without_a_limit_nothing_is_unknown(slot: Any):
    more = () if slot is Truncate else (jnp.asarray(5.0),)
    same, unknown = call(slot(KNOWN, SCALES, jnp.asarray(np.inf), *more), ROWS)
    jax.tree.map(np.testing.assert_array_equal, same, ROWS)
    assert not np.asarray(unknown).any()


# The model runs away: every step adds 0.8, so that the second leaves the log's range.


rolled_out = jax.jit(rollout, static_argnums=(1, 7))


def runaway(support: Support | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rewards, discounts and validity [step, start] of rollouts of four steps."""
    made = rolled_out(
        pointing_ensemble([[0.8]] * 3, [7.0] * 3, act=1),
        3,
        steady_actor([0.0], obs=1, log_std=-5.0),
        RowRules(AsPredicted(), (), support),
        NEVER,
        plain_units(1, 1),
        jnp.zeros((6, 1)),
        4,
        jax.random.key(0),
    )
    reward, discount, valid = (
        np.asarray(part).reshape(4, 6) for part in (made.rows.reward, made.rows.discount, made.valid)
    )
    return reward, discount, valid


def test_a_halted_rollout_ends_with_its_first_unknown_row():
    reward, discount, valid = runaway(Halt(*PARTS, jnp.asarray(-3.0)))
    assert valid.sum(1).tolist() == [6, 6, 0, 0]
    assert discount[0].all() and not discount[1].any()
    np.testing.assert_allclose(reward[:2], np.array([[7.0] * 6, [-3.0] * 6]), atol=1e-3)


def test_a_truncated_rollout_ends_there_too_and_is_bootstrapped():
    reward, discount, valid = runaway(Truncate(*PARTS))
    assert valid.sum(1).tolist() == [6, 6, 0, 0]
    assert discount[:2].all()
    np.testing.assert_allclose(reward[:2], 7.0, atol=1e-3)


def test_a_penalty_lets_rollouts_go_on():
    reward, discount, valid = runaway(Penalise(*PARTS, jnp.asarray(2.0)))
    assert valid.all() and discount.all()
    # s' = 1.6 is 1.2 deviations past the range, over a scale of 0.5 a score of 2.4; s' = 2.4 has 5.6, 3.2 has 8.8.
    np.testing.assert_allclose(reward.mean(1), [7.0, 7 - 2 * 1.4, 7 - 2 * 4.6, 7 - 2 * 7.8], atol=0.05)


# What is measured of a log


def test_parts_of_the_log_that_lie_apart_do_not_vouch_for_each_other():
    """Ten blocks of rows around 0, 10, 20, ...: rows left out at random would all have near neighbours."""
    rng = np.random.default_rng(0)
    place = np.repeat(10.0 * np.arange(10), 100)[:, None] + rng.normal(size=(1000, 1))
    timeouts = np.arange(1000) % 100 == 99
    log = Dataset.from_arrays(place, rng.uniform(-1, 1, (1000, 1)), np.zeros(1000), timeouts=timeouts)
    support = log_support(log, True)
    # 10 over the deviation of all, 28.7, is 0.35; over two columns, of which the other is near, 0.25.
    assert 0.15 < support.limit(0.5) * support.scales[0] < 0.5


def test_the_limit_is_kept_by_episodes_that_were_not_looked_at():
    log, later = tiny_dataset(rows=6000), tiny_dataset(rows=12000)
    support, level = log_support(log, True), 0.9
    plan = tiny_plan(log=log, support="truncate", support_level=level)
    units = fit_scaling(log, True, True)
    unseen = core_rows(later, np.arange(6000, 12000), units)
    share = np.mean(np.asarray(score(support.slot(plan.settings, units), unseen)) <= support.limit(level))
    assert share == pytest.approx(level, abs=0.02)


@pytest.mark.parametrize("standardise", [True, False])
def test_the_units_of_the_log_do_not_matter(standardise: bool):
    log, stretched = tiny_dataset(), tiny_dataset(size=1000.0)
    settings = Settings(support="halt", support_level=0.9)
    scores = []
    for dataset in (log, stretched):
        units = fit_scaling(dataset, standardise, True)
        slot = log_support(dataset, True).slot(settings, units)
        core = core_rows(dataset, np.arange(50), units)
        scores.append(np.asarray(score(slot, core._replace(next_observation=3 * np.asarray(core.next_observation)))))
        assert float(slot.reward) == pytest.approx(float(dataset.rewards.min() / units.reward_scale), rel=1e-6)  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_allclose(scores[0], scores[1], rtol=2e-3, atol=2e-3)


def test_in_windows_the_newest_observation_alone_has_a_range_and_what_no_action_moves_has_none():
    log = replace(tiny_dataset(), exogenous=(2,))
    known = log_support(windowed(log, 2), True).known
    assert np.isfinite(np.asarray(known.high)).tolist() == [True, True, False] + [False] * 4
    assert known.rows.shape[-1] == 7 + 1


def test_a_narrow_log_is_told_from_a_broad_one():
    broad = tiny_dataset(rows=1200)
    by_rule = np.clip(0.5 * broad.observations[:, :1], -1, 1).astype(np.float32)
    narrow = replace(broad, actions=by_rule)
    assert log_support(broad, True).breadth > 0.8
    assert log_support(narrow, True).breadth < 0.5


# Settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"support_level": 0.9}, "support_level: 0.9 does nothing without support halt, truncate, penalty or auto"),
        ({"support": "halt", "support_penalty": 2.0}, "support_penalty: 2.0 does nothing without support penalty"),
        ({"support": "halt", "support_level": 1.5}, "support_level: 1.5 is not at most 1"),
    ],
)
def test_refused(changes: dict[str, Any], message: str):
    with pytest.raises(UserError, match=f"^{message}"):
        check(Settings(**changes))


def test_a_level_that_the_log_cannot_tell_is_refused_before_anything_is_fitted():
    with pytest.raises(UserError, match=r"^support_level: 0.999 cannot be told from the 300 rows .* 0.9967 .*off"):
        tiny_plan(support="halt", support_level=0.999)
    with pytest.raises(UserError, match=r"^support: no such setting in td3_bc"):
        tiny_plan(method="td3_bc", support="halt")


def test_what_the_log_vouches_for_is_a_note_of_the_plan():
    [note, warning] = tiny_plan(support="halt", support_level=0.5).notes
    assert note.startswith("support halt: model rows further than ") and "(0.5 of true ones do)" in note
    assert warning.startswith("support halt: the log's mean reward is -0.95, so that an end can be worth more")
    assert tiny_plan().notes == ()


# Whole programs


@pytest.fixture(scope="module")
def fitted() -> tuple[Any, Any]:
    plan = tiny_plan()
    problem = problem_of(plan.dataset, plan.settings)
    return problem, fit_model(plan.dataset, problem, plan.settings, 0, lambda row: None).ensemble


def trained(fitted: tuple[Any, Any], method: Method) -> Any:
    """The state after an epoch."""
    problem, ensemble = fitted
    plan, keys = tiny_plan(), Keys.of(0)
    state = start(problem, ensemble, method, plan.settings.sizes(), 1.0, keys)
    c = coefficients(plan.settings, 1)
    state, logged, _ = compiled_epoch(state, method, problem, c, keys.epochs, sizes=plan.settings.sizes(), ends=NEVER)
    return jax.device_get(state), logged


FEW = ("micro",)
"""The quick test trains these; all others are slow, for each compiles its epochs."""


def small(name: str) -> Method:
    """The method with little work after an epoch."""
    options = registry.find(name).Options()
    if name == "rambo":
        options = replace(options, adversarial_steps=4, clone_epochs=1, model_decay=(0.0, 0.0))
    return registry.find(name).build(options)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FEW else pytest.mark.slow) for name in registry.METHODS]
)
def test_every_method_learns_with_support_and_without_a_limit_as_without(name: str, fitted):
    method, known = small(name), log_support(tiny_dataset(), True)
    half = known.slot(Settings(support="halt", support_level=0.5), fitted[0].scaling)
    limits = (half.limit, jnp.full_like(half.limit, np.inf))
    (_, strict), (free, logged) = (
        trained(fitted, method.supported_by(eqx.tree_at(lambda slot: slot.limit, half, limit))) for limit in limits
    )
    plain, usual = trained(fitted, method)
    assert 0 < float(strict["rollout/unknown"]) < 1 and float(strict["rollout/length"]) < 3
    assert np.isfinite([float(value) for value in strict.values()]).all()
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5), free, plain)  # compiled otherwise
    jax.tree.map(np.testing.assert_array_equal, free.buffer, plain.buffer)
    assert float(logged.pop("rollout/unknown")) == 0 and set(logged) == set(usual)


def test_without_support_or_at_level_1_the_program_is_the_one_without(fitted):
    problem, ensemble = fitted
    model = FittedModel(ensemble, problem.scaling, {})
    for changes in ({}, {"support": "halt", "support_level": 1.0}):
        program = program_for([tiny_plan(**changes)], [model], problem)
        assert program._learners.method.support is None  # pyright: ignore[reportAttributeAccessIssue]


def shown(run: Any) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in run.metrics]


@pytest.fixture(scope="module")
def side_by_side(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Trial], dict[str, Any]]:
    """Two runs that differ in the level, in one program."""
    runs = trials(tiny_plan(support="truncate"), 1, {"support_level": [0.5, 0.9]})
    assert len(groups(runs)) == 1
    return runs, carry_out(runs, tmp_path_factory.mktemp("whole"))


def test_a_run_logs_what_was_unknown_and_goes_on_to_the_same_bits(side_by_side: Any, tmp_path: Path):
    runs, whole = side_by_side
    carry_out(runs, tmp_path, until=1)
    halves = carry_out(runs, tmp_path, resume=True)
    for trial in runs:
        assert shown(whole[trial.name]) == shown(halves[trial.name])
    strict = whole[runs[0].name]
    assert all(0 < row["rollout/unknown"] < 1 for row in strict.metrics)
    assert all(row["rollout/length"] < 3 for row in strict.metrics)
    assert any(note.startswith("support truncate: ") for note in RunFolder.open(strict.path).config()["notes"])


def test_runs_side_by_side_may_differ_in_the_level(side_by_side: Any):
    [strict, lax] = [outcome.metrics[-1]["rollout/unknown"] for outcome in side_by_side[1].values()]
    assert strict > lax >= 0


@pytest.mark.slow
def test_a_log_on_the_host_gives_the_same_bits(tmp_path: Path):
    more: dict[str, Any] = {"support": "halt", "support_level": 0.5}
    device, host = (execute(tiny_plan(log_on=where, **more), tmp_path / where) for where in ("device", "host"))
    assert shown(device) == shown(host)
    assert isinstance(host.path, Path) and all(row["rollout/unknown"] > 0 for row in host.metrics)


def test_drawn_actions_are_held_against_distances_alone():
    """How far next states leave the log's range, as where it has a trend, makes it no broader."""
    own: Any = LogSupport(None, None, None, np.full(10, 9.0), np.arange(10) / 10, np.array([0.5, 5.0]), 0.0, 0.0)  # pyright: ignore[reportArgumentType]
    assert own.breadth == 0.5
