"""What is checked and measured of bare arrays: what nobody reads, narrowing, and what files declare."""

import numpy as np
import pytest

from micro_rl.data import unread
from micro_rl.data.narrowing import Narrowing
from micro_rl.data.raw_log import Header, check_headers, damage_refused, refuse_missing, refuse_oversize
from micro_rl.errors import UserError
from tests.data.noise import LOG, refusal


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
