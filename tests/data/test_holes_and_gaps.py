"""Holes, gaps in time, rows that lack values and rows chosen: each by hand, with all that is said of it."""

from pathlib import Path

import numpy as np
import pytest

from micro_rl.data import ReadOptions
from micro_rl.data.process_words import ResampleKind
from micro_rl.data.readers import cuts, process
from micro_rl.data.readers.cuts import USED
from micro_rl.data.readers.holes import Holes
from micro_rl.data.readers.process import Rows
from micro_rl.data.readers.resample import resampled
from micro_rl.errors import UserError
from tests.data.test_loading import refused
from tests.data.test_process import minutes, tank

LOG = Path("log.csv")
OTHERS = f" (other {USED})"
NAN = np.nan


def begins_at(rows: int, *starts: int) -> np.ndarray:
    return np.isin(np.arange(rows), starts)


@pytest.mark.parametrize(
    ("column", "kind", "limit", "after", "counts"),
    [
        ([1, NAN, 3, 4], "previous", 1, [1, 1, 3, 4], (1, 0)),
        ([1, NAN, NAN, 4], "previous", 1, [1, NAN, NAN, 4], (0, 2)),
        ([1, NAN, NAN, 4], "previous", 2, [1, 1, 1, 4], (2, 0)),
        ([1, NAN, NAN, 4], "linear", 2, [1, 2, 3, 4], (2, 0)),
        ([NAN, 1, 1, NAN], "previous", 9, [NAN, 1, 1, 1], (1, 1)),
        ([NAN, 1, 1, NAN], "linear", 9, [NAN, 1, 1, NAN], (0, 2)),
        ([NAN, NAN, NAN, NAN], "previous", 9, [NAN] * 4, (0, 4)),
        ([1, 2, 3, 4], "linear", 9, [1, 2, 3, 4], (0, 0)),
    ],
)
def test_holes_of_one_episode(column, kind, limit, after, counts):
    column = np.array(column, np.float32)
    assert Holes(begins_at(4, 0), None).fill(column, kind, limit) == counts
    np.testing.assert_array_equal(column, np.array(after, np.float32))


def test_holes_end_with_their_episode_and_lines_are_drawn_over_time():
    begins = begins_at(8, 0, 4)
    column = np.array([1, NAN, NAN, NAN, NAN, 5, NAN, 9], np.float32)
    assert Holes(begins, None).fill(column, "previous", 3) == (4, 1)
    np.testing.assert_array_equal(column, [1, 1, 1, 1, NAN, 5, 5, 9])
    column = np.array([1, NAN, NAN, NAN, NAN, 5, NAN, 9], np.float32)
    assert Holes(begins, np.array([0, 1, 1, 1, 0, 1, 1, 3.0])).fill(column, "linear", 3) == (1, 4)
    np.testing.assert_array_equal(column, [1, NAN, NAN, NAN, NAN, 5, 6, 9])
    column = np.array([2, NAN, 4], np.float32)
    assert Holes(begins_at(3, 0), np.zeros(3)).fill(column, "linear", 1) == (1, 0)
    assert column[1] == 3, "where the clock stands still, the middle"


def test_gaps_in_time_in_whole_sentences():
    begins = begins_at(9, 0, 5)
    steps = np.array([0, 60, 181, 0, 60, 999, -5, 60, 180], np.float32)
    marked, problems = cuts.gaps(begins, steps, None)
    assert np.flatnonzero(marked).tolist() == [0, 2, 5, 6]
    assert [(problem.kind, problem.text, problem.rows) for problem in problems] == [
        ("time-gap", "gaps in time longer than 180 s: an episode begins at 1 row (2)", (2,)),
        (
            "time-backwards",
            "time runs backwards at 1 row (6), rows shuffled or clocks reset: an episode begins there",
            (6,),
        ),
        ("time-repeated", "time stands still at 1 row (3): recorded twice, or by a clock too coarse", (3,)),
    ]
    assert np.flatnonzero(begins).tolist() == [0, 5], "as they were"
    assert np.flatnonzero(cuts.gaps(begins, steps, 179.9)[0]).tolist() == [0, 2, 5, 6, 8]
    assert np.flatnonzero(cuts.gaps(begins, steps, 200.0)[0]).tolist() == [0, 5, 6]
    assert np.flatnonzero(cuts.gaps(begins, steps, None, least=181.0)[0]).tolist() == [0, 5, 6]
    assert cuts.usual_step(begins, steps) == 60
    assert cuts.usual_step(begins_at(2, 0), np.array([0, -1], np.float32)) is None
    assert cuts.gaps(begins_at(2, 0), np.array([5, 0], np.float32), None)[0].tolist() == [True, False]


@pytest.mark.parametrize(
    ("times", "reading"),
    [
        ([9, 8, 7, 6, 5], {}),
        ([2, 1, 0, 2, 1], {"episode": "lot"}),
        ([300, 240, 180, 120, 60], {"resample": ("2min",)}),
    ],
)
def test_the_newest_row_first_is_refused(tmp_path, times, reading):
    path = tmp_path / "log.csv"
    rows = [f"{time},{lot},{row / 7},{row % 2 / 2}" for row, (time, lot) in enumerate(zip(times, "aaabb", strict=True))]
    path.write_text("\n".join(["t,lot,x,u", *rows]) + "\n")
    words = ReadOptions(observations=("x",), actions=("u",), reward="x", time="t", **reading)
    count = "3 of 3" if "episode" in reading else "4 of 4"
    refused(
        path, f"'t' runs backwards from row to row, {count} times: the newest row stands first; sort", reading=words
    )


def lacking() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Two episodes of four rows; row 4 has no value before it in its episode, row 6 no reward."""
    columns = {
        "observations": np.array([[1], [NAN], [3], [4], [NAN], [6], [7], [8]], np.float32),
        "actions": np.array([[1], [2], [NAN], [4], [5], [6], [7], [8]], np.float32),
        "rewards": np.array([1, 2, 3, 4, 5, 6, NAN, 8], np.float32),
    }
    return columns, begins_at(8, 0, 4)


@pytest.mark.parametrize("policy", [None, "refuse"])
def test_rows_that_lack_values_are_left(policy):
    columns, begins = lacking()
    assert cuts.complete(LOG, columns, begins, policy) == (columns, begins, [])


def test_rows_that_lack_values_are_dropped():
    columns, begins = lacking()
    left, starts, [problem] = cuts.complete(LOG, columns, begins, "drop")
    assert left["rewards"].tolist() == [1, 4, 6, 8]
    assert starts.tolist() == [True, True, True, True]
    assert (
        problem.text == "4 rows (1-2, 4, 6) lack finite values and were dropped: an episode begins after each" + OTHERS
    )
    assert (problem.kind, problem.rows) == ("row-dropped", (1, 2, 4, 6))
    columns["rewards"][:] = NAN
    with pytest.raises(UserError) as caught:
        cuts.complete(LOG, columns, begins, "drop")
    assert str(caught.value) == "log.csv: every row lacks a value: name only columns that were recorded"


def test_infinity_is_no_value_to_learn_from_nor_to_hold():
    columns = {"observations": np.array([[1], [np.inf], [3], [4]], np.float32)}
    columns |= {"actions": np.ones((4, 1), np.float32), "rewards": np.array([1, 2, -np.inf, 4], np.float32)}
    assert cuts.complete(LOG, columns, begins_at(4, 0), "drop")[0]["observations"].tolist() == [[1], [4]]
    assert cuts.complete(LOG, columns, begins_at(4, 0), "previous")[0]["observations"].tolist() == [[1], [1], [4]]


def test_values_are_held_within_their_episode():
    columns, begins = lacking()
    left, starts, [held, dropped] = cuts.complete(LOG, columns, begins, "previous")
    assert left["observations"][:, 0].tolist() == [1, 1, 3, 4, 6, 8]
    assert left["actions"][:, 0].tolist() == [1, 2, 2, 4, 6, 8]
    assert starts.tolist() == [True, False, False, False, True, True]
    assert held.text == "2 rows (1-2) lacked values: the previous ones of the episode are held"
    assert dropped.text == (
        "2 rows (4, 6) lack a reward, which is never held, or a value to hold and were dropped: an episode begins "
        "after each" + OTHERS
    )
    assert (held.kind, held.rows, dropped.kind) == ("value-held", (1, 2), "row-dropped")


@pytest.mark.parametrize(
    ("keep", "starts", "text"),
    [
        (
            [1, 1, 0, 0, 1, 1],
            [1, 0, 1, 0],
            "where: 4 of 6 rows are used, the others in 1 stretch left out, and an episode begins after each" + OTHERS,
        ),
        (
            [0, 1, 0, 1, 1, 0],
            [1, 1, 0],
            "where: 3 of 6 rows are used, the others in 3 stretches left out, and an episode begins after each"
            + OTHERS,
        ),
        ([1, 1, 1, 1, 1, 1], [1, 0, 0, 1, 0, 0], None),
        (
            [1, 1, 1, 0, 1, 1],
            [1, 0, 0, 1, 0],
            "where: 5 of 6 rows are used, the others in 1 stretch left out, and an episode begins after each" + OTHERS,
        ),
    ],
)
def test_rows_that_are_chosen(keep, starts, text):
    rows = Rows({"rewards": np.arange(6)}, begins_at(6, 0, 3), np.arange(6.0))
    left, problems = process.chosen(rows, np.array(keep, bool), "x > 0", LOG)
    assert left.begins.tolist() == list(map(bool, starts))
    assert left.columns["rewards"].tolist() == np.flatnonzero(keep).tolist()
    assert left.steps is not None and left.steps.tolist() == np.flatnonzero(keep).tolist()
    assert [problem.text for problem in problems] == [text] * bool(text)


def test_no_step_leads_to_a_row_left_out_or_after_one():
    keep = np.array([1, 1, 0, 1, 1, 0], bool)
    assert process.apart(begins_at(6, 0), keep).tolist() == [True, False, True, True, False, True]
    assert process.apart(begins_at(6), np.ones(6, bool)).tolist() == [False] * 6


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("mean", [0, 1.5, 1.5, 4, 10]),
        ("last", [0, 2, 2, 4, 10]),
        ("sum", [0, 3, 0, 4, 10]),
    ],
)
def test_observations_of_every_kind(kind: ResampleKind, values):
    """Decisions every 10 s: of rows at 0, 5, 10, 30 and 33 s, and another episode."""
    columns = {
        "observations": np.array([[0], [1], [2], [4], [7], [10]], np.float32),
        "rewards": np.arange(6, dtype=np.float32),
        "timeouts": np.array([0, 0, 0, 0, 0, 1], bool),
    }
    steps = np.array([0, 5, 5, 20, 3, 777.0])
    kinds: dict[str, list[ResampleKind]] = {"observations": [kind], "rewards": ["sum"]}
    made, begins, idle = resampled(columns, begins_at(6, 0, 5), steps, 10.0, kinds)
    assert made["observations"][:, 0].tolist() == values
    assert made["rewards"].tolist() == [1, 2, 0, 7, 5]
    assert made["timeouts"].tolist() == [False, False, False, False, True]
    assert (begins.tolist(), idle) == ([True, False, False, False, True], 1)


def test_a_sum_of_which_a_part_is_lacking_is_lacking():
    columns = {"observations": np.zeros((4, 1), np.float32), "actions": np.array([[1], [NAN], [3], [4]], np.float32)}
    kinds: dict[str, list[ResampleKind]] = {"observations": ["mean"], "actions": ["sum"]}
    made, _, _ = resampled(columns, begins_at(4, 0), np.array([0, 1, 1, 1.0]), 2.0, kinds)
    np.testing.assert_array_equal(made["actions"][:, 0], [NAN, 7])


def test_a_clock_that_rounds_makes_no_other_steps():
    columns = {"observations": np.arange(4.0)[:, None].astype(np.float32)}
    for wrong in (1e-7, -1e-7):
        steps = np.array([0, 1 + wrong, 1, 1])
        made, _, _ = resampled(columns, begins_at(4, 0), steps, 1.0, {"observations": ["last"]})
        assert made["observations"][:, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            'next_observations = ["level"]\nresample = "5min"',
            "resample makes next observations of its own: leave next_",
        ),
        ('resample = "59s"', "resample: 59s is shorter than the log's own step of 60 s: choose a longer one"),
    ],
)
def test_refused_words(tmp_path, words, message):
    refused(tank(tmp_path, minutes([1, 2, 3, 4], range(4)), words + "\n"), message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fill": ("level",)}, "fill: 'level' says nothing of a column: write NAME=KIND"),
        ({"fill": ("=linear", "limit=2")}, "fill: '=linear' says nothing of a column: write NAME=KIND"),
        ({"fill": ("level=linear", "level=previous", "limit=2")}, "fill: 'level' is named twice: leave one out"),
        ({"resample": ("0s",)}, "resample: '0s' is no length of a step: write it as 30s, 5min or 1h"),
        ({"resample": ("999999999h",)}, "resample: '999999999h' is no length of a step"),
    ],
)
def test_refused_flags(tmp_path, options, message):
    refused(tank(tmp_path, minutes([1, 2, 3, 4], range(4))), message, reading=ReadOptions(**options))
