"""Where each check of a column begins to speak, from both sides, and the whole sentence."""

from collections.abc import Callable

import numpy as np
import pytest

from micro_rl.data.checks import channels
from tests.data.noise import ROWS, log, sentence


def still(*starts: int, rows: int = 12, value: float = 0.123, column: int = 1) -> Callable[[np.ndarray], None]:
    """Holds a column for some rows, at a value of its own for each place."""

    def change(values: np.ndarray) -> None:
        for place, start in enumerate(starts):
            values[start : start + rows, column] = value + place / 1000

    return change


STUCK = "stands still in {} although it usually changes from step to step: a stuck sensor?"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ([], None),
        ([still(60)], f"observation 1 {STUCK.format('12 rows (60-71)')}"),
        ([still(60, rows=11)], None),
        ([still(60, 160, rows=13)], f"observation 1 {STUCK.format('26 rows (60-72, 160-172)')}"),
        ([still(60, 160, 260)], None),  # in 3 of 12 episodes it is left alone
        ([still(60), still(160)], None),  # at one value more than once
        ([still(50)], None),  # as the episode began
        ([still(51)], f"observation 1 {STUCK.format('12 rows (51-62)')}"),
        ([still(60, value=1.5)], None),  # at its greatest value
        ([still(60, value=-1.5)], None),
        (
            [still(60), still(160, column=0)],
            "observations 0, 1 stand still in 24 rows (60-71, 160-171) although they usually change from step to step: "
            "a stuck sensor?",
        ),
    ],
)
def test_a_stuck_sensor(changes, text):
    observations = log().observations.copy()
    for change in changes:
        change(observations)
    assert sentence(channels.odd(log(observations=observations)), "stuck") == text


def test_a_column_that_mostly_stands_still_may():
    values = np.repeat(np.arange(300, dtype=np.float32), 2)
    ends = np.zeros(600, bool)
    values[100:112] = 50.5
    assert channels.stuck_rows(values, ends).tolist() == []
    values = np.arange(600, dtype=np.float32)
    values[100:112] = 50.5
    assert channels.stuck_rows(values, ends).tolist() == list(range(100, 112))
    values[:] = 1
    assert channels.stuck_rows(values, ends).tolist() == []


LIMIT = "of the rows: clipped or saturated, and what lies beyond is not in the log"


@pytest.mark.parametrize(
    ("rows", "changes", "text"),
    [
        (600, [still(60, value=1.5)], f"observation 1 is at its limit (1.5) in 2.0 % {LIMIT}"),
        (600, [still(60, value=-2.25)], f"observation 1 is at its limit (-2.25) in 2.0 % {LIMIT}"),
        (600, [still(60, value=1.5, rows=11)], None),
        (1300, [still(60, value=1.5)], None),  # less than a hundredth
        (1200, [still(60, value=1.5)], f"observation 1 is at its limit (1.5) in 1.0 % {LIMIT}"),
        (600, [still(50, value=1.5)], None),  # it began there
        (
            600,
            [still(60, value=1.5), still(160, value=-1.5, rows=18)],
            f"observation 1 is at its limit (-1.5 or 1.5) in 5.0 % {LIMIT}",
        ),
        (
            600,
            [still(60, value=1.5), still(160, value=-1.23456789, rows=15, column=0)],
            f"observations 0, 1 are at their limits (-1.23457 or 1.5) in 2.0 to 2.5 % {LIMIT}",
        ),
    ],
)
def test_a_saturated_sensor(rows, changes, text):
    observations = log(rows).observations.copy()
    for change in changes:
        change(observations)
    assert sentence(channels.odd(log(rows, observations=observations)), "saturated") == text


def test_of_many_limits_five_are_shown():
    traits = [channels._Trait(0, np.arange(1), (1.0, 2.0, 3.0)), channels._Trait(1, np.arange(1), (3.0, 4.0, 5.0))]
    assert channels._limits(traits) == "1 or 2 or 3 or 4 or 5"
    assert channels._limits([*traits, channels._Trait(2, np.arange(1), (6.0,))]) == "1 or 2 or 3 or 4 or 5 or ..."


FAR = "a code for a missing value, or a unit that changed?"


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ([(60, 1, 42.0)], f"observation 1 is far from all its other values in 1 row (60), as 42 in row 60: {FAR}"),
        ([(60, 1, 38.0)], None),
        ([(60, 1, -42.0)], f"observation 1 is far from all its other values in 1 row (60), as -42 in row 60: {FAR}"),
        (
            [(60, 1, 42.0), (70, 0, 1234567.0)],
            "observations 0, 1 are far from all their other values in 2 rows (60, 70), as 1.23457e+06 in row 70: "
            f"{FAR}",
        ),
    ],
)
def test_values_from_another_world(cells, text):
    """The middle 98 % of a column span nearly 2, its median is nearly 0."""
    observations = log().observations.copy()
    for row, column, value in cells:
        observations[row, column] = value
    assert sentence(channels.odd(log(observations=observations)), "outlier") == text


@pytest.mark.parametrize(("kinds", "speaks"), [(50, True), (49, False)])
def test_fewer_than_fifty_values_are_a_switch_or_a_counter(kinds, speaks):
    observations = log().observations.copy()
    observations[:, 1] = np.arange(ROWS) * 5 % (kinds - 1)
    observations[60:72, 1] = 20.5
    assert (sentence(channels.odd(log(observations=observations)), "stuck") is not None) is speaks


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ((300, 0), None),
        ((303, 0), "action 0 is at one of its bounds in 50 % of the rows"),
        ((320, 450), "actions 0, 1 are at one of their bounds in 53 to 75 % of the rows"),
    ],
)
@pytest.mark.parametrize("bound", [-1.0, 1.0, 0.9992, -0.9992])
def test_actions_at_their_bounds(rows, text, bound):
    actions = log().actions.copy() * 0.9
    for column, count in enumerate(rows):
        actions[:count, column] = bound
    rest = ": the log tells little about the actions between"
    assert sentence(channels.odd(log(actions=actions)), "action-saturated") == (text and text + rest)


def test_actions_near_their_bounds_are_not_at_them():
    actions = np.full((ROWS, 2), 0.998)
    actions[::2] = -0.998
    assert sentence(channels.odd(log(actions=actions)), "action-saturated") is None


def test_rewards_that_never_change():
    text = "rewards never change: there is nothing to learn from them"
    assert sentence(channels.odd(log(rewards=np.ones(ROWS))), "reward-constant") == text
    assert sentence(channels.odd(log(rewards=np.arange(ROWS) == 5)), "reward-constant") is None


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (
            1.1e6,
            "observation columns differ in scale: 1 varies by 1.1e+06, 0 by 1: fine while training standardises them "
            "(the default)",
        ),
        (0.9e6, None),
        (
            1e-7,
            "observation columns differ in scale: 0 varies by 1, 1 by 1e-07: fine while training standardises them "
            "(the default)",
        ),
    ],
)
def test_columns_a_millionfold_apart(factor, text):
    observations = np.where(np.arange(ROWS) % 2, 1.0, -1.0)[:, None] * [1.0, factor]
    problems = channels.odd(log(observations=observations))
    assert sentence(problems, "scales") == text
    places = [(0, 1)] if factor > 1 else [(1, 0)]
    assert [problem.columns for problem in problems if problem.kind == "scales"] == places * bool(text)


def test_of_long_columns_a_sample_tells_what_is_far():
    values = np.random.default_rng(0).uniform(-1, 1, 100_001).astype(np.float32)
    values[[5, 90_000]] = 50
    assert channels._far_rows(values).tolist() == [5, 90_000]
    assert channels._far_rows(np.ones(10, np.float32)).tolist() == []
