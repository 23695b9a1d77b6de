"""Bounds of actions: what gives them, what passes them, and the whole sentence."""

import numpy as np
import pytest

from micro_rl.core.columns import Column
from micro_rl.data import action_bounds
from micro_rl.data.action_bounds import Bounds
from tests.data.noise import LOG, refusal

A, B = Column("a0"), Column("speed", "m/s")


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (None, 1, "a TOML has one action bound only: give both action_low and action_high"),
        (0, None, "a TOML has one action bound only: give both action_low and action_high"),
        ([0, 0, 0], 1, "action bounds (a TOML) must be one number or 2, one per action"),
        ([0, 1], 1, "action bounds (a TOML) must be finite and low < high in each action"),
        ([0, 2], 1, "action bounds (a TOML) must be finite and low < high in each action"),
        (0, np.inf, "action bounds (a TOML) must be finite and low < high in each action"),
    ],
)
def test_bounds_that_are_none(low, high, message):
    assert refusal(action_bounds.as_bounds, LOG, "a TOML", low, high, 2) == f"log.npz: {message}"


def test_bounds():
    assert action_bounds.as_bounds(LOG, "a TOML", None, None, 2) is None
    bounds = action_bounds.as_bounds(LOG, "a TOML", 0, [1, 3], 2)
    assert bounds is not None and (bounds.low.tolist(), bounds.high.tolist()) == ([0, 0], [1, 3])
    assert [side.tolist() for side in action_bounds.usual(2)] == [[-1, -1], [1, 1]]
    reached = action_bounds.reached(np.array([[1, 5], [np.nan, 5], [-2, 5]], np.float32))
    assert [side.tolist() for side in reached] == [[-2, 5], [1, 6]]


@pytest.mark.parametrize(("reach", "found"), [(1.0, False), (1 + 5e-7, False), (1 + 3e-6, True), (-1.5, True)])
def test_actions_past_the_usual_bounds(reach, found):
    actions = np.array([[0, 0.5], [reach, 0]], np.float32)
    problems = action_bounds.unusual(actions, ("u", "v"))
    assert len(problems) == found
    if found:
        spans = f"(u from {min(0, reach):.6g} to {max(0, reach):.6g}, v from 0 to 0.5)"
        text = f"nothing tells the bounds of the actions, and they reach {abs(reach):.6g} {spans}: {action_bounds.GIVE}"
        assert (problems[0].kind, problems[0].text, problems[0].rows) == ("no-bounds", text, (1,))


def test_of_many_actions_five_are_named():
    six = action_bounds.unusual(np.full((2, 6), 2, np.float32))[0].text
    assert "action 4 from 2 to 2, ...)" in six and "action 5" not in six
    assert "action 4 from 2 to 2)" in action_bounds.unusual(np.full((2, 5), 2, np.float32))[0].text


def test_actions_outside_their_bounds():
    bounds = Bounds(np.array([0, -1], np.float32), np.array([100, 1], np.float32))
    actions = np.array([[50, 0], [100.00003, 0], [50, 1.5], [-3, -2], [np.nan, 0]], np.float32)
    cut, [outside, rounded] = action_bounds.inside(actions, bounds, (A, B))
    np.testing.assert_array_equal(cut, np.array([[50, 0], [100, 0], [50, 1.5], [-3, -2], [np.nan, 0]], np.float32))
    assert (outside.level, outside.kind, outside.rows, outside.columns) == ("error", "out-of-bounds", (2, 3), (0, 1))
    assert outside.text == (
        "2 rows have an action outside the bounds, first row 2: action 1 (speed [m/s]) is 1.5, not in [-1, 1]: correct "
        f"the log, or {action_bounds.GIVE}"
    )
    assert rounded.text == "1 row (1) has actions past the bounds by rounding: cut off"
    assert action_bounds.inside(actions[:1], bounds, (A, B))[1] == []
    _, [wrong] = action_bounds.inside(actions[2:4], bounds, (A, B))
    assert (wrong.kind, wrong.text) == (
        "wrong-bounds",
        "2 rows have an action outside the bounds, so many that the bounds must be wrong (first row 0: action 1 (speed "
        f"[m/s]) is 1.5, not in [-1, 1]): {action_bounds.GIVE}",
    )
    _, [half] = action_bounds.inside(actions[[0, 2]], bounds, (A, B))
    assert half.kind == "out-of-bounds"
