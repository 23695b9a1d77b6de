"""What is checked and measured of bare arrays: limits from both sides, whole sentences, figures by hand."""

from pathlib import Path

import numpy as np
import pytest

from micro_rl.core.columns import Column
from micro_rl.data import action_bounds, outliers, unread
from micro_rl.data.action_bounds import Bounds
from micro_rl.data.checks.presentable import presentable
from micro_rl.data.narrowing import Narrowing
from micro_rl.data.outliers import NONE, limits
from micro_rl.data.raw_log import Header, check_headers, damage_refused, refuse_missing, refuse_oversize
from micro_rl.errors import UserError
from tests.data.test_check_limits import log

LOG = Path("log.npz")
A, B = Column("a0"), Column("speed", "m/s")


def refusal(check, *arguments) -> str:
    with pytest.raises(UserError) as caught:
        check(*arguments)
    return str(caught.value)


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
    assert "action 4 from 2 to 3, ...)" in six and "action 5" not in six
    assert "action 4 from 2 to 3)" in action_bounds.unusual(np.full((2, 5), 2, np.float32))[0].text


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
    assert rounded.text == "1 row (1) have actions past the bounds by rounding: cut off"
    assert action_bounds.inside(actions[:1], bounds, (A, B))[1] == []
    _, [wrong] = action_bounds.inside(actions[2:4], bounds, (A, B))
    assert (wrong.kind, wrong.text) == (
        "wrong-bounds",
        "2 rows have an action outside the bounds, so many that the bounds must be wrong (first row 0: action 1 (speed "
        f"[m/s]) is 1.5, not in [-1, 1]): {action_bounds.GIVE}",
    )
    _, [half] = action_bounds.inside(actions[[0, 2]], bounds, (A, B))
    assert half.kind == "out-of-bounds"


NOISE = np.random.default_rng(0).uniform(-1, 1, 5000)


@pytest.mark.parametrize(
    ("extra", "rewards", "expected"),
    [
        ([999], False, (-np.inf, 1)),
        ([-999], False, (-1, np.inf)),
        ([-9999, 9999], False, (-1, 1)),
        ([12345], False, (-np.inf, 1)),
        ([190], False, (-np.inf, np.inf)),  # not a hundred widths
        ([210], False, (-np.inf, 1)),
        ([210], True, (-np.inf, np.inf)),  # no code, and a reward may be worth much
        ([999], True, (-np.inf, 1)),
        ([210] * 10, False, (-np.inf, 1)),
        ([210] * 11, False, (-np.inf, np.inf)),  # more than a handful
        ([1e15], True, (-np.inf, 1)),
        ([9e14], True, (-np.inf, np.inf)),
        ([np.nan, np.inf, 999], False, (-np.inf, 1)),
    ],
)
def test_from_where_on_a_value_is_absurd(extra, rewards, expected):
    ends = {1: NOISE.max(), -1: NOISE.min()}
    assert limits(np.concatenate([NOISE, extra]), rewards) == tuple(ends.get(side, side) for side in expected)


@pytest.mark.parametrize(
    ("width", "rewards", "absurd"), [(249, False, True), (250, False, False), (90, True, True), (91, True, False)]
)
def test_a_code_stands_three_widths_away_and_among_rewards_ten(width, rewards, absurd):
    values = np.concatenate([np.linspace(0, 30, 2000), [width, 999]])
    assert limits(values, rewards) == ((-np.inf, width) if absurd else NONE)


def test_too_few_values_have_no_outlier():
    assert limits(np.array([*range(8), 9999.0])) == NONE
    assert limits(np.array([*range(10), 9999.0])) == (-np.inf, 9)


def test_a_row_of_an_outlier_is_told_and_counted():
    observations = log().observations.copy()
    observations[[31, 60], 1] = -9999
    whole = log(observations=observations)
    assert whole.outliers is not None
    assert np.flatnonzero(whole.outliers.rows).tolist() == [30, 31, 59, 60]
    assert np.flatnonzero(whole.outliers.window).tolist() == [31, 60]
    [problem] = outliers.described(
        whole.outliers,
        whole.columns,
        (whole.observations, whole.actions, whole.rewards, whole.next_observations),
    )
    assert (problem.text, problem.rows, problem.columns) == (
        "observation 1 is far from all other values in 2 rows (31, 60), as -9999 in row 31: a code for a missing "
        "value, or a unit that changed? 4 rows that hold or lead to such a value are not learned from, and no scale is "
        "taken from them",
        (31, 60),
        (1,),
    )
    clean = presentable(whole)
    assert np.abs(clean.observations).max() <= 1 and np.abs(clean.next_observations).max() <= 1.02
    assert (clean.observations != whole.observations).sum() == 2


@pytest.mark.parametrize("value", [-9999.0, 9999.0])
def test_an_outlier_that_only_a_next_observation_holds(value):
    after = log().next_observations.copy()
    after[49, 1] = value
    whole = log(next_observations=after)
    assert whole.outliers is not None and np.flatnonzero(whole.outliers.rows).tolist() == [49]
    assert not whole.outliers.observations.any() and not whole.outliers.window.any()
    [note] = [note for note in whole.notes if "far from all other" in note]
    assert note.startswith(f"next observation 1 is far from all other values in 1 row (49), as {value:g} in row 49: ")


@pytest.mark.parametrize(
    ("name", "values", "ends"),
    [
        ("done", [0, 1, 0], [False, True, False]),
        ("Mask", [0, 1, 0], [True, False, True]),
        ("done", [0, 2, 0], None),
    ],
)
def test_flags_that_nobody_reads(name, values, ends):
    marked = unread.as_ends(name, np.array(values))
    assert (None if marked is None else marked.tolist()) == ends


def test_what_nobody_reads_in_whole_sentences():
    known = np.arange(10) == 9
    flags = {"cut": np.isin(np.arange(10), [4, 9]), "half": np.arange(10) < 5, "most": np.arange(10) < 6}
    both = flags | {"ends": known} | {f"other{place}": None for place in range(6)}
    assert unread.offered(both, known) == {"cut": 2, "half": 5}
    ends, others = unread.described(both, known)
    assert ends.text == (
        "'cut' (2 ends), 'half' (5 ends) may mark where episodes end and are not read: if so, say --timeouts cut"
    )
    assert others.text == (
        "'other0', 'other1', 'other2', 'other3', 'other4', ... have one value a row and are not read: no part of a "
        "transition is called so"
    )
    [single] = unread.described({"one": None}, known)
    assert single.text == "'one' has one value a row and is not read: no part of a transition is called so"
    [single] = unread.described({"cut": flags["cut"]}, known)
    assert single.text == "'cut' (2 ends) may mark where episodes end and is not read: if so, say --timeouts cut"
    assert unread.described(flags, known, offer=False) == []
    looked = unread.sort_out([f"{place:02d}" for place in range(33)], 3, lambda _: np.zeros((3, 1)))
    assert len(looked) == 32
    arrays = {"flag": np.zeros(3), "wide": np.zeros((3, 2)), "long": np.zeros(4), "text": np.array(["a"] * 3)}
    assert list(unread.sort_out(["none", *arrays], 3, arrays.get)) == ["flag"]


def test_narrowing_by_hand():
    column = Narrowing(2, 2)
    column.add(np.array([[1, 1e39], [2, np.inf]]))
    column.add(np.array([[3, -1e39]], ">f8"))
    assert column.overflow == [0, 2]
    np.testing.assert_array_equal(column.values(), np.array([[1, np.inf], [2, np.inf], [3, -np.inf]], np.float32))
    exact = Narrowing(4)
    exact.add_all(np.arange(4).reshape(2, 2))
    assert (exact.values().tolist(), exact.blurred(), exact.overflow) == ([0, 1, 2, 3], [], [])
    assert Narrowing(0).blurred() == []


@pytest.mark.parametrize(("spread", "blurred"), [(100.0, []), (10.0, [1]), (0.0, [])])
def test_an_offset_blurs_a_small_spread(spread, blurred):
    """Float32 rounds 200,000.007 by 0.007; a thousandth of the deviation, half the spread here, may be lost."""
    wide = np.stack([np.arange(100.0), 2e5 + spread * (np.arange(100) % 2) + 0.007], axis=1)
    column = Narrowing(100, 2)
    for block in np.split(wide, 4):
        column.add(block)
    assert column.blurred() == blurred


def test_what_files_declare():
    keys = {"observations": "obs", "actions": "act", "next_observations": "next_obs", "rewards": "rew"}
    good = {"observations": Header((4, 2), np.dtype("f4")), "actions": Header((4, 1), np.dtype("u1"))}
    check_headers(LOG, keys, good | {"rewards": Header((4, 1), np.dtype("?"))})
    matrix = "store it as [row, column] with at least one column"
    for field, shape, kind, message in (
        ("rewards", (4,), "U1", "rew holds no plain numbers (type <U1): store it as float32"),
        ("actions", (4,), "f4", f"act has shape (4,): {matrix}"),
        ("actions", (4, 0), "f4", f"act has shape (4, 0): {matrix}"),
        ("rewards", (), "f4", "rew has shape (): store one value per row"),
        ("rewards", (4, 2), "f4", "rew has shape (4, 2): store one value per row"),
        (
            "rewards",
            (3,),
            "f4",
            "the columns differ in length (obs 4, act 4, rew 3): cut or complete them to equal lengths",
        ),
        (
            "next_observations",
            (4, 3),
            "f4",
            "next_obs has 3 columns but obs has 2: they must be the same quantities",
        ),
    ):
        header = Header(shape, np.dtype(kind))
        assert refusal(check_headers, LOG, keys, good | {field: header}) == f"log.npz: {message}"
    empty = {"observations": Header((0, 2), np.dtype("f4"))}
    assert refusal(check_headers, LOG, keys, empty) == "log.npz: holds no rows: write the log again"


def test_what_is_missing_or_too_large():
    refuse_missing(LOG, ["a"], ["b", "a"])
    assert refusal(refuse_missing, LOG, ["a", "b"], []) == (
        "log.npz: no a nor b; keys found: none: rename or add the missing"
    )
    keys = [f"k{place:02d}" for place in range(13)]
    shown = ", ".join(map(repr, keys[:12]))
    assert refusal(refuse_missing, LOG, ["a"], keys[::-1]).endswith(f": {shown} and 1 more: rename or add the missing")
    assert refusal(refuse_missing, LOG, ["a"], keys[:12]).endswith(f": {shown}: rename or add the missing")
    refuse_oversize(LOG, "obs", 2**26 + 1000, 10)
    assert refusal(refuse_oversize, LOG, "obs", 2**26 + 1001, 10) == (
        "log.npz: obs declares 67,109,865 bytes but only 10 are stored for it: not a log to trust, write the file again"
    )


def test_what_a_parser_raises_is_one_line():
    def broken(error: Exception) -> None:
        with damage_refused(LOG, "NPZ"):
            raise error

    ends = ": fetch or write it again"
    assert refusal(broken, ValueError("a\n b")) == f"log.npz: damaged or cut short, cannot be read as NPZ (a b){ends}"
    assert refusal(broken, ValueError()).endswith(f"(ValueError){ends}")
    assert refusal(broken, ValueError("x" * 200)).endswith(f"({'x' * 160}){ends}")
    assert refusal(broken, UserError("as it is")) == "as it is"
