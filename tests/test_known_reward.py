"""A reward that is known as a formula: what it pays, what it is held against, and who asks it."""

import shlex
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.model_based.mopo import DeviationPenalty
from micro_rl.algorithms.rollout import RowRules, rollout
from micro_rl.algorithms.slots import AsPredicted, RolloutTransform
from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.types import Scaling, Transition
from micro_rl.data import Dataset, load, windowed
from micro_rl.dynamics import known_reward
from micro_rl.dynamics.termination_rules import ByRule, never
from micro_rl.errors import UserError
from micro_rl.training.early_warnings import EarlyWarnings
from micro_rl.training.log_support import log_support
from micro_rl.training.plan import make_plan
from micro_rl.training.plan_record import plan_to_command
from micro_rl.training.runner import execute
from tests.probes import plain_units, pointing_ensemble, steady_actor, tiny_dataset, tiny_plan

TINY = "-(next_o0**2 + next_o1**2 + next_o2**2)"
"""What `tiny_dataset` pays."""
UNITS = Scaling(*map(jnp.asarray, ([1.0, -2.0], [2.0, 0.5], [3.0], [4.0], 10.0)))


def log_of(rewards: Any, names: Any = ("x", "tank level")) -> Dataset:
    """Four rows in which x rises by 1 and the level falls by 2, under the actions 0, 1, 2 and 3."""
    x = np.arange(4.0)
    before, after = np.stack([x, 10 - 2 * x], 1), np.stack([x + 1, 8 - 2 * x], 1)
    names = {"observation_names": names, "action_names": ["u"], "action_low": 0, "action_high": 3, "horizon": 4}
    return Dataset.from_arrays(before, x[:, None], rewards * np.ones(4), next_observations=after, **names)


def test_it_is_computed_by_hand_in_raw_units():
    """Core (0, 2) is x = 1, level = -1; core action 0.5 is u = 5; core (1, 0) is x = 3, level = -2: 3 - 1 + 5 * -1."""
    reward = known_reward.find("next_x - x + u * `tank level`", log_of([1.0, 9.0, 13.0, 13.0]))
    rows = Transition(*map(jnp.asarray, ([[0.0, 2.0]], [[0.5]], [0.0], [[1.0, 0.0]], [1.0])))
    np.testing.assert_allclose(reward(rows, UNITS).reward, (2.0 - 5.0) / 10, rtol=1e-6)


def test_a_condition_counts_as_one_or_nothing():
    reward = known_reward.find("1 - 100 * (`next_tank level` < 0)", log_of(1.0))
    rows = Transition(
        *map(jnp.asarray, ([[0.0, 0.0]] * 2, [[0.0]] * 2, [0.0] * 2, [[0.0, 3.9], [0.0, 4.1]], [1.0] * 2))
    )
    np.testing.assert_allclose(reward(rows, UNITS).reward, [-9.9, 0.1], rtol=1e-5)


def test_the_logs_rewards_are_held_against_it():
    assert known_reward.disagreement(known_reward.find("x * u", log_of([0, 1, 4, 9])), log_of([0, 1, 4, 9])) == 0
    nearly = log_of([0, 1, 4, 9.01])
    np.testing.assert_allclose(
        known_reward.disagreement(known_reward.find("x * u", nearly), nearly), 0.005 / nearly.rewards.std(), rtol=1e-3
    )


@pytest.mark.parametrize(
    ("text", "rewards", "message"),
    [
        (
            "x * u",
            [0, 1, 4, 7],
            r"gives 9 in row 3 of .*, which has 7; over all rows it is off by 0.37 standard dev.*mend",
        ),
        ("x + 1", 1.0, r"gives 4 in row 3 of .*, which has 1; over all rows it is off by 1.9 standard deviations"),
        ("0 * log(x + 0.5) + 1", 1.0, r"is finite in the log, and not at all steps beside it.*keep it finite there"),
        ("log(x)", 0.0, r"gives -inf in row 0 of .*: no row may pay that"),
        ("x > 2", 0.0, r"'x > 2' is a condition, not a number; write 1 \* \(x > 2\)"),
        ("after_x", 0.0, r"after_x"),
        ("", 0.0, r"is empty: write a formula"),
    ],
)
def test_what_is_not_the_logs_reward_is_refused(text: str, rewards: Any, message: str):
    with pytest.raises(
        UserError, match=rf"^known_reward: .*{message}" if message != "after_x" else "^known_reward: .*x"
    ):
        known_reward.find(text, log_of(rewards))


def test_a_column_that_is_called_as_what_follows_another_is_refused():
    with pytest.raises(
        UserError, match=r"^known_reward: 'next_x' is a column's own name and what 'x' is after the step"
    ):
        known_reward.find("u", log_of(0.0, names=("x", "next_x")))


def test_in_windows_it_looks_at_the_newest_observation():
    log = log_of([1.0, 3.0, 5.0, 7.0])
    reward, windows = known_reward.find("next_x + x", log), windowed(log, 3)
    np.testing.assert_array_equal(reward.of_log(windows), reward.of_log(log)[windows.usable[log.usable]])
    assert windows.observations.shape[1] > 2


# Who asks it


def paid(transform: Any) -> np.ndarray:
    """Rewards less half the second column, in members that pay 0 to 4 and add 1 to it: 0 by the formula."""
    log = log_of([16.0, 12.0, 8.0, 4.0])
    rules = RowRules(transform, (), reward=known_reward.find("2 * `next_tank level`", log))
    ensemble = pointing_ensemble([[0.0, 1.0]] * 5, list(range(5)), act=1, std=0.5)
    starts, actor = jnp.zeros((30, 2)), steady_actor([0.25], obs=2, log_std=-5.0)
    units = plain_units(2, 1)._replace(reward_scale=jnp.asarray(4.0))
    rolled = jax.jit(rollout, static_argnums=(1, 7))(
        ensemble, 5, actor, rules, ByRule(never), units, starts, 2, jax.random.key(0)
    )
    return np.asarray(rolled.rows.reward) - np.asarray(rolled.rows.next_observation)[:, 1] / 2


def test_rollouts_pay_by_the_next_observation_that_was_drawn():
    np.testing.assert_allclose(paid(AsPredicted()), 0, atol=1e-6)


def test_a_methods_own_penalty_comes_off_it():
    np.testing.assert_allclose(paid(DeviationPenalty(jnp.asarray(2.0))), -2 * np.sqrt(3 * 0.5**2), rtol=1e-4)


def test_a_run_learns_by_it_and_its_command_has_it():
    plan = tiny_plan(known_reward=TINY)
    assert any(f"computed by '{TINY}'" in note for note in plan.notes)
    assert f"'--known-reward={TINY}'" in plan_to_command(plan)
    with pytest.raises(UserError, match=r"^known_reward: gives"):
        tiny_plan(known_reward="o0")


@pytest.mark.parametrize("method", ["micro", "rambo", "mopo"])
def test_every_method_that_learns_a_model_can_be_told_and_it_matters(method: str, tmp_path):
    def actor_after(**told: Any) -> Any:
        own = {"model_decay": (1e-5, 1e-5), "adversarial_steps": 4} if method == "rambo" else {}
        run = execute(tiny_plan(method=method, **own, **told), tmp_path / f"{method}{len(told)}")
        return run.policy(tiny_dataset().observations[:5])

    assert not np.array_equal(actor_after(), actor_after(known_reward=TINY))


def test_a_fit_knows_no_reward():
    assert "known_reward" not in {field.name for field in fields(ModelSettings)}


def test_a_method_without_a_model_has_no_such_setting():
    with pytest.raises(UserError, match="known_reward"):
        make_plan(tiny_dataset(), "iql", known_reward=TINY)


# What the log's own rewards no longer bound


class Ended(RolloutTransform):
    """Every row ends the episode at -1."""

    def __call__(self, ensemble: Any, method_state: Any, rows: Transition) -> Transition:
        return rows._replace(reward=jnp.full_like(rows.reward, -1.0), discount=jnp.zeros_like(rows.discount))


@pytest.mark.parametrize("support", [None, "halt"])
def test_an_end_never_pays_more_than_the_row_does(support: str | None):
    """By the rule -1 and by the log's least about -4, where the formula pays millions less; and by those where not."""
    settings, far = tiny_plan(support=support or "off").settings, jnp.full((1, 3), 1e3)
    own = log_support(tiny_dataset(), True).slot(settings, plain_units(3, 1)) if support else None
    rows = Transition(far, jnp.zeros((1, 1)), jnp.zeros(1), far, jnp.ones(1))
    rules = RowRules(Ended(), (), own, reward=known_reward.find(TINY, tiny_dataset()))
    ensemble = pointing_ensemble([[0.0] * 3], [0.0], act=1)
    ended = rules.applied(rows, ensemble, plain_units(3, 1))[0]
    assert [float(ended.reward[0]), float(ended.discount[0])] == [-3e6, 0]
    near = rules.applied(rows._replace(next_observation=0 * far), ensemble, plain_units(3, 1))[0]
    least = float(tiny_dataset().rewards.min())
    assert float(near.reward[0]) == pytest.approx(least if support else -1.0)


def test_no_value_of_q_is_called_out_of_range():
    row = {"epoch": 1, "updates": 1e9, "q/model": -1e9}
    watches = [EarlyWarnings.of(tiny_plan(known_reward=text), 1.0) for text in (TINY, None)]
    assert [len(watch.after(dict(row))) for watch in watches] == [0, 1]


def test_a_fine_that_no_row_of_the_log_shows_is_no_explosion(tmp_path):
    """A million for every action of more than a half, where the log has none."""
    log = replace(tiny_dataset(), actions=tiny_dataset().actions / 2)
    plan = tiny_plan(log=log, known_reward=f"{TINY} - 1e6 * (abs(a0) > 0.5)")
    assert execute(plan, tmp_path / "run").scores["epochs"] == 2


# What a log's description states


def described(folder: Path, *lines: str) -> Dataset:
    """A tank under a random valve, as a table with a TOML beside it; `paid` is the reward as a column."""
    random, (path, rows) = np.random.default_rng(0), (folder / "tank.csv", ["run,t,level,valve,paid"])
    for run in range(4):
        level = random.uniform(0, 4)
        for step in range(20):
            valve = random.uniform()
            rows.append(f"{run},{60 * step},{level:.6f},{valve:.6f},{-abs(level - 2):.6f}")
            level += 0.3 * (valve - 0.5)
    path.write_text("\n".join(rows) + "\n")
    words = ['observations = ["level"]', 'actions = ["valve"]', 'episode = "run"', 'time = "t"', *lines]
    path.with_suffix(".toml").write_text("\n".join(words) + "\n")
    return load(path)


@pytest.mark.parametrize(
    ("lines", "stated"),
    [
        (('reward = "-abs(level - 2)"',), "-abs(level - 2)"),
        (('reward = "paid"',), None),
        (('reward = "-abs(paid)"',), None),
        (('reward = "-abs(level - 2)"', 'resample = "3min"'), None),
    ],
)
def test_a_formula_in_the_description_is_offered_where_a_step_pays_by_it(lines: Any, stated: Any, tmp_path):
    log = described(tmp_path, *lines)
    assert known_reward.stated(log) == stated
    notes = [note for note in tiny_plan(log=log).notes if "is a formula" in note]
    assert [shlex.quote(stated) in note for note in notes] == [True] * (stated is not None)
    assert not any("is a formula" in note for note in tiny_plan(log=log, method="bc").notes)
