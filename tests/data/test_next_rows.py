"""Where episodes end and which row follows: each case, and the whole sentence."""

import numpy as np
import pytest

from micro_rl.data import episode_ends
from tests.data.noise import refusal


def flags(text: str) -> np.ndarray:
    return np.array([sign == "1" for sign in text])


HORIZON = "give the episodes' time limit as horizon (--horizon)"
TABLE = "its column of episodes or times (--episode, --time)"
OFFER = "'done', 'cut' may mark where episodes end: if so, say --timeouts done"
UNFINISHED = "the last episode is unfinished: the end of the file counts as its timeout"


@pytest.mark.parametrize(
    ("terminals", "timeouts", "horizon", "offers", "cuts", "texts"),
    [
        ("001000", None, 2, (), "010011", [UNFINISHED]),
        ("001000", "000001", 2, (), "010011", ["2 timeouts added where an episode ran 2 steps without an end"]),
        ("001000", None, 3, (), "000001", []),
        ("001001", "000000", 3, (), "000000", []),
        ("010", None, 1, (), "101", []),
        ("001000", None, None, (), "000001", [f"no timeouts in the file: {HORIZON}, or of a table {TABLE}"]),
        ("000", None, None, ("done", "cut"), "001", [f"no timeouts in the file: {OFFER}"]),
        ("000", "000", None, (), "001", [f"no row ends an episode: {HORIZON}"]),
        ("101", "110", None, (), "010", ["1 row is marked both terminal and timeout: what counts is terminal"]),
        ("000", "010", None, (), "011", [UNFINISHED]),
    ],
)
def test_where_episodes_end(terminals, timeouts, horizon, offers, cuts, texts):
    marked = None if timeouts is None else flags(timeouts)
    there, problems = episode_ends.split(flags(terminals), marked, horizon, offers)
    assert there.tolist() == flags(cuts).tolist()
    assert [problem.text for problem in problems] == texts
    if texts == [UNFINISHED]:
        assert problems[0].rows == (len(cuts) - 1,)


def test_a_horizon_of_no_step():
    assert refusal(episode_ends.split, flags("00"), None, 0) == "horizon must be at least 1 step, not 0"


def test_the_next_row_stands_in():
    observations = np.arange(4, dtype=np.float32)[:, None]
    after, usable, [problem] = episode_ends.next_rows(observations, flags("0000"), flags("0001"))
    assert (after[:, 0].tolist(), usable.tolist()) == ([1, 2, 3, 3], [True, True, True, False])
    first = "no next_observations in the file: the following row stands in, and "
    assert problem.text == f"{first}the row that ends the episode is dropped"
    _, _, [problem] = episode_ends.next_rows(observations, flags("0100"), flags("0101"))
    assert problem.text == (
        f"{first}the 2 rows that end an episode are dropped, ALL 1 TERMINALS AMONG THEM: nothing that is left "
        "terminates"
    )
    assert problem.rows == (1, 3)


def test_recorded_next_observations_are_believed_or_not():
    observations = np.arange(6, dtype=np.float32)[:, None]
    after = np.array([[1], [2], [9], [4], [5], [6]], np.float32)
    usable, problems = episode_ends.recorded_next(observations, after, flags("010001"), flags("000100"))
    assert usable.tolist() == [True, True, True, False, True, True]
    assert [(problem.kind, problem.text, problem.rows) for problem in problems] == [
        (
            "discontinuous",
            "1 of 3 rows inside episodes are not followed by their next observation: rows shuffled, missing or "
            "duplicated, so figures per episode may mean little",
            (2,),
        ),
        (
            "next-crosses-timeout",
            "1 timeout records the following row as next observation, another episode's start unless the episode ran "
            "on: never learned from",
            (3,),
        ),
        (
            "next-crosses-terminal",
            "1 terminal records the following row as next observation, another episode's start: check the logger",
            (1,),
        ),
    ]
    after[2] = np.nan
    assert len(episode_ends.recorded_next(observations, after, flags("010001"), flags("000100"))[1]) == 2
    assert episode_ends.unusable(flags("010")) == []
    assert episode_ends.unusable(flags("000"))[0].text == (
        "no row has a true next observation, as where every episode is a single step: record next_observations, or "
        "check what marks the ends of episodes"
    )
