"""Termination rules against the recorded table, the simulators themselves and properties."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from micro_rl.dynamics import termination_rules
from micro_rl.errors import UserError
from micro_rl.simulation import envs

TABLE = Path(__file__).parent / "vectors" / "termination.npz"

PINNED = [
    ("hopper", "environment", "hopper"),
    ("hopper", "released", "hopper-released"),
    ("walker2d", "environment", "walker2d"),
    ("walker2d", "released", "walker2d-guarded"),
    ("halfcheetah", "environment", "halfcheetah"),
    ("halfcheetah", "environment", "never"),
    ("halfcheetah", "released", "halfcheetah-guarded"),
]


@pytest.mark.parametrize(("robot", "column", "name"), PINNED)
def test_recorded_table(robot: str, column: str, name: str) -> None:
    rule = termination_rules.find(name)
    with np.load(TABLE) as table:
        observation, expected = table[f"{robot}/next_observation"], table[f"{robot}/{column}"]
    for ends in (rule(observation), rule(jnp.asarray(observation)), jax.jit(rule)(observation)):
        assert ends.dtype == bool
        np.testing.assert_array_equal(np.asarray(ends), expected)


def test_the_released_parenthesis_misses_large_negative_entries() -> None:
    standing = np.array([1.25, 0.0, -150.0, 0.0])
    assert termination_rules.hopper(standing)
    assert not termination_rules.hopper_released(standing)
    assert termination_rules.hopper_released(-standing + np.array([2.5, 0, 0, 0]))


@pytest.mark.parametrize(
    ("name", "env_id"),
    [("hopper", "Hopper-v4"), ("walker2d", "Walker2d-v4"), ("halfcheetah", "HalfCheetah-v4")],
)
def test_agrees_with_the_simulator_at_every_step(name: str, env_id: str) -> None:
    env, rule = envs.make(env_id), termination_rules.find(name)
    env.action_space.seed(0)
    observations, ends = [], []
    env.reset(seed=0)
    for step in range(300):
        observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
        observations.append(observation)
        ends.append(terminated)
        if terminated or truncated:
            env.reset(seed=step)
    env.close()
    np.testing.assert_array_equal(rule(np.array(observations)), ends)
    assert any(ends) or name == "halfcheetah"


NAMES = st.sampled_from(sorted(termination_rules.RULES))
ANY_FLOAT = st.floats(width=32, allow_nan=True, allow_infinity=True)


@given(NAMES, hnp.arrays(np.float32, (4, 11), elements=ANY_FLOAT))
def test_a_row_ends_whatever_stands_beside_it(name: str, observation: np.ndarray) -> None:
    rule = termination_rules.find(name)
    assert np.asarray(rule(observation)).tolist() == [bool(rule(row)) for row in observation]


@given(
    NAMES,
    hnp.arrays(np.float32, (11,), elements=ANY_FLOAT),
    st.integers(0, 10),
    st.sampled_from([np.nan, np.inf]),
)
def test_only_never_survives_what_is_not_finite(name: str, observation: np.ndarray, column: int, bad: float) -> None:
    observation[column] = bad
    assert bool(termination_rules.find(name)(observation)) == (
        termination_rules.find(name) is not termination_rules.never
    )


@given(hnp.arrays(np.float32, (5, 3), elements=ANY_FLOAT))
def test_the_guard_adds_ends_and_takes_none_away(observation: np.ndarray) -> None:
    def own(rows: np.ndarray) -> np.ndarray:
        return rows[..., 0] > 0

    ends = termination_rules.guarded(own, 10.0)(observation)
    np.testing.assert_array_equal(ends, own(observation) | np.any(~(np.abs(observation) < 10), axis=-1))


def test_unknown_name_lists_the_choices() -> None:
    with pytest.raises(UserError, match=r"'hoper' \(did you mean 'hopper'\?\): choose one of never, hopper, walker2d"):
        termination_rules.find("hoper")


def test_a_name_is_one_object_always() -> None:
    assert termination_rules.find("walker2d-guarded") is termination_rules.find("walker2d-guarded")


def test_a_condition_is_hoppers_rule_written_out():
    columns = [f"o{place}" for place in range(11)]
    rows = np.random.default_rng(0).normal([1.0, *[0.0] * 10], [0.3, 0.2, *[60.0] * 9], (5000, 11)).astype(np.float32)
    stands = " and ".join(f"abs(o{place}) < 100" for place in range(1, 11))
    rule = termination_rules.find(f"not (o0 > 0.7 and abs(o1) < 0.2 and {stands})", columns)
    expected = termination_rules.hopper(rows)
    assert 0.1 < np.mean(expected) < 0.99
    np.testing.assert_array_equal(rule(rows), expected)
    np.testing.assert_array_equal(jax.jit(rule)(jnp.asarray(rows)), expected)


def test_equal_conditions_share_a_program():
    one, same, other = (
        termination_rules.ByRule(termination_rules.find(text, ["x"])) for text in ("x > 1", "x > 1", "x > 2")
    )
    assert jax.tree.structure(one) == jax.tree.structure(same) != jax.tree.structure(other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("o0 + 1", "'o0 \\+ 1' is a number, not a condition"),
        ("height > 1", "names 'height', no column"),
        ("o0 >", "cannot be read"),
    ],
)
def test_conditions_that_are_none(text: str, message: str):
    with pytest.raises(UserError, match=f"^termination: .*{message}"):
        termination_rules.find(text, ["o0", "o1"])
