"""Ends of episodes, words of a description, spaces and headings: each function's cases and its whole sentences."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from micro_rl.core.columns import Column, Columns
from micro_rl.core.tasks import Task
from micro_rl.data import Dataset, conversion, episode_ends, load, log_metadata, log_paths
from micro_rl.data.checks import channels, order, regression
from micro_rl.data.process_words import Filling, Resampling, filling, resampling
from micro_rl.data.readers import heading, minari_spaces
from micro_rl.data.toml_file import check_reading
from tests.data import logs
from tests.data.test_check_limits import log
from tests.data.test_raw_values import LOG, refusal


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
        ("101", "110", None, (), "010", ["1 rows are marked both terminal and timeout: they count as terminal"]),
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
            "1 timeouts record the following row as next observation, another episode's start unless the episode ran "
            "on: never learned from",
            (3,),
        ),
        (
            "next-crosses-terminal",
            "1 terminals record the following row as next observation, another episode's start: check the logger",
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


def test_rows_whose_neighbours_are_of_their_episode(monkeypatch):
    ends = np.isin(np.arange(16), [6, 9, 15])
    whole = log(16, timeouts=ends)
    usable = np.arange(16) != 4
    assert order._inner_rows(replace(whole, usable=usable)).tolist() == [2, 3, 12, 13]
    monkeypatch.setattr(order, "ROWS", 3)
    some = order._inner_rows(replace(whole, usable=usable)).tolist()
    assert some == np.sort(np.random.default_rng(0).choice([2, 3, 12, 13], 3, replace=False)).tolist()
    monkeypatch.setattr(order, "ROWS", 4)
    assert len(order._inner_rows(replace(whole, usable=usable))) == 4


@pytest.mark.parametrize(("moved", "suspicious"), [(1, True), (-2, False)])
def test_a_reward_of_an_observation_that_two_rows_know(moved, suspicious):
    """Each row has the reward of the observation above, as no log should; or of the one two rows below."""
    rows = 320
    observations = np.random.default_rng(1).uniform(-1, 1, (rows, 1))
    rewards = np.roll(observations[:, 0], moved)
    measured = order.reward_order(
        log(rows, observations=observations, rewards=rewards, timeouts=np.arange(rows) == rows - 1)
    )
    assert measured is not None
    assert (measured.best, measured.suspicious) == (moved, suspicious)
    assert max(measured.explained) > 0.95 and (measured.alone < 0.2) is suspicious


def test_a_ridge_that_bends():
    spread = np.array([[0.0, 7], [2, 7]])
    made = regression.features(spread)
    assert made.shape == (2, 1 + 1 + 1 + 200)
    np.testing.assert_allclose(made[:, :3], [[1, -1, 1], [1, 1, 1]])
    assert (made[:, 3:] >= 0).all() and (made[:, 3:] == 0).any()
    far = regression.features(np.append(np.zeros(99), 1.0)[:, None])
    assert far[:, 1].max() == 5
    assert regression.features(np.random.default_rng(0).normal(size=(40, 25))).shape == (40, 1 + 25 + 300 + 200)
    assert regression.features(np.random.default_rng(0).normal(size=(40, 24))).shape == (40, 1 + 24 + 300 + 200)
    line = np.array([[1.0, 0], [1, 1], [1, 2]])
    guessed = regression.predicted(line, line[:, 1:], np.array([[1.0, 1.5], [1, 5], [1, -5]]))
    np.testing.assert_allclose(guessed[:, 0], [1.5, 2, 0], atol=1e-3)


def test_of_long_columns_a_sample_tells_what_is_far():
    values = np.random.default_rng(0).uniform(-1, 1, 100_001).astype(np.float32)
    values[[5, 90_000]] = 50
    assert channels._far_rows(values).tolist() == [5, 90_000]
    assert channels._far_rows(np.ones(10, np.float32)).tolist() == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("a=linear", "b*=previous", "limit=1"), Filling({"a": "linear", "b*": "previous"}, 1)),
        (("a=linear", "limit=1000000"), Filling({"a": "linear"}, 1_000_000)),
        (("limit=linear", "a=linear", "limit=3"), None),
        (("a=linear", "limit=0"), None),
        (("a=linear", "limit=1000001"), None),
        (("a=linear",), None),
    ],
)
def test_words_of_filling(words, expected):
    if expected is None:
        assert refusal(filling, words, "x").startswith("x: fill: ")
    else:
        assert filling(words, "x") == expected


def test_a_number_fills_nothing():
    assert refusal(filling, ("a=5", "limit=3"), "x") == "x: fill: a is '5': choose linear or previous"


def test_words_of_resampling():
    assert resampling((" 5min ", "a=sum", "b=last"), "x") == Resampling(300, "5min", {"a": "sum", "b": "last"})
    assert [resampling((text,), "x").seconds for text in ("30s", "1h", "0.5min")] == [30, 3600, 30]
    near = "x: resample: a is 'median' (did you mean 'mean'?): choose mean or last or sum"
    assert refusal(resampling, ("5min", "a=median"), "x") == near


FRAME = "make it one first: micro_rl.Dataset.from_frame(frame, observations=[...], actions=[...], reward=...)"
ARRAYS = "make it one first: micro_rl.Dataset.from_arrays(observations, actions, rewards, ...)"


@pytest.mark.parametrize(
    ("thing", "remedy"),
    [
        (3, "give a path, a name, or a loaded log"),
        (SimpleNamespace(transitions=1), "it is loaded already, so use it as it is"),
        (SimpleNamespace(columns=1), FRAME),
        (SimpleNamespace(column_names=1), FRAME),
        ([1.0], ARRAYS),
        ({"a": 1}, ARRAYS),
        (SimpleNamespace(ndim=2), ARRAYS),
    ],
)
def test_what_is_no_path(thing, remedy):
    assert refusal(log_paths._refuse_what_is_no_path, thing).endswith(f" is no log: {remedy}")


@pytest.mark.parametrize(
    ("attributes", "task"),
    [
        ({"horizon": np.int64(5)}, Task(horizon=5)),
        ({"env": b"Some-v0"}, Task(env="Some-v0")),
        ({"score_min": 1, "score_max": np.float32(2.5)}, Task(score_min=1.0, score_max=2.5)),
        ({"score_min": 1}, "one of score_min and score_max alone: record both or neither"),
        ({"score_max": 1}, "one of score_min and score_max alone: record both or neither"),
        ({"horizon": 0}, "horizon is 0: record 1 or more steps"),
        ({"horizon": True}, "horizon must be"),
        ({"horizon": 1.5}, "horizon must be"),
        ({"env": 5}, "env must be"),
    ],
)
def test_tasks_of_files(attributes, task):
    if isinstance(task, Task):
        assert log_metadata.task(LOG, attributes) == task
    else:
        assert refusal(log_metadata.task, LOG, attributes).startswith(f"log.npz: {task}")


def test_what_files_say_of_columns():
    attributes = {"observation_names": ["p", b"q"], "observation_units": ["m", ""], "action_names": np.array(["u"])}
    assert log_metadata.columns(LOG, attributes, 2, 1) == Columns((Column("p", "m"), Column("q")), (Column("u"),))
    assert log_metadata.columns(LOG, {}, 2, 1) == Columns((), ())
    for wrong in ("pq", ["p"], ["p", 3], ["p", "q" * 100_000]):
        assert refusal(log_metadata.columns, LOG, {"observation_names": wrong}, 2, 1) == (
            "log.npz: observation_names must be 2 texts, one a column: correct or delete it"
        )
    named = Columns((Column("p"), Column("q"), Column("r")))
    assert log_metadata._exogenous(LOG, {}, named) == ()
    assert log_metadata._exogenous(LOG, {"exogenous": ["r", "p", "r"]}, named) == (0, 2)
    assert refusal(log_metadata._exogenous, LOG, {"exogenous": ["p", "s"]}, named) == (
        "log.npz: exogenous: there is no column 's'; columns: p, q, r"
    )
    assert refusal(log_metadata._exogenous, LOG, {"exogenous": []}, named).startswith("log.npz: exogenous must be some")


def test_simulators_that_a_file_may_not_name():
    for env, why in (
        ("Nobody-v0", "is not known here"),
        ("os:X-v0", "would import a module, which no file may ask for"),
    ):
        task, [problem] = log_metadata.trusted(Task(env=env, horizon=3))
        assert task == Task(horizon=3)
        assert problem.text == f"the file names the simulator '{env}', which {why}: name one with --env"
    assert log_metadata.trusted(Task(env="Pendulum-v1")) == (Task(env="Pendulum-v1"), [])


TWO = (2, [-1, -1], [1, 2])
BOX = {"type": "Box", "shape": [2], "low": -1, "high": [1, 2]}


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (BOX, [((), *TWO, [])]),
        ({"type": "Box", "shape": [], "low": [0], "high": [1e400]}, [((), 1, [0], [np.inf], [])]),
        (
            {"type": "Dict", "subspaces": {"b": BOX, "a": BOX | {"shape": [1], "high": 3}}},
            [(("a",), 1, [-1], [3], ["a"]), (("b",), *TWO, ["b0", "b1"])],
        ),
        ({"type": "Tuple", "subspaces": [BOX]}, [(("_index_0",), *TWO, ["_index_00", "_index_01"])]),
        ({"type": "Discrete"}, "is 'Discrete': only flat boxes of numbers, and groups of them, can be learned from"),
        ({"type": "Dict", "subspaces": {}}, "is 'Dict': only flat boxes"),
        ({"type": "Dict", "subspaces": {"a/b": BOX}}, "is 'Dict': only flat boxes"),
        ({"type": "x" * 41}, f"is '{'x' * 40}': only flat boxes"),
        ([], "is 'unknown': only flat boxes"),
        (BOX | {"shape": [2, 2]}, "has shape [2, 2]: only flat observations and actions can be learned from"),
        (BOX | {"shape": [0]}, "has shape [0]: only flat"),
        (BOX | {"shape": [2**16 + 1]}, "has shape [65537]: only flat"),
        (BOX | {"low": [1]}, "the bounds in observation_space are not 2 numbers: fetch or write the set again"),
        (BOX | {"low": [1, None]}, "are not 2 numbers"),
    ],
)
def test_spaces_of_minari(space, expected):
    metadata = {"observation_space": json.dumps(space)}
    if isinstance(expected, str):
        assert expected in refusal(minari_spaces.leaves, LOG, "observation_space", metadata)
        return
    there = minari_spaces.leaves(LOG, "observation_space", metadata)
    assert [(leaf.keys, leaf.width, leaf.low.tolist(), leaf.high.tolist(), leaf.names) for leaf in there] == expected


def test_spaces_nest_eight_deep():
    def nested(depth: int) -> dict:
        return BOX if not depth else {"type": "Dict", "subspaces": {"k": nested(depth - 1)}}

    assert minari_spaces.leaves(LOG, "s", {"s": json.dumps(nested(8))})[0].keys == ("k",) * 8
    assert "is 'Dict'" in refusal(minari_spaces.leaves, LOG, "s", {"s": json.dumps(nested(9))})
    assert refusal(minari_spaces.leaves, LOG, "s", {"s": "{"}) == "log.npz: s is no JSON: fetch or write the set again"
    assert "no s in its metadata" in refusal(minari_spaces.leaves, LOG, "s", {})


@pytest.mark.parametrize(
    ("text", "line", "begins"),
    [
        (b"a,b\n1,2\n", 0, True),
        (b"# c\n# d\na,b\n", 2, True),
        (b"# a,b\n1,2\n", 0, True),
        (b"# c\n# a|b\n1|2\n", 1, True),
        (b"# a,b,c\n1,2\n", 1, True),
        (b"a\n1\n", 0, False),
        (b"# c\na\n", 1, False),
        (b"a,b\0\n", 0, False),
        (b"\x80a,b\n", 0, False),
        (b"\x1fa,b\n", 0, False),
        (b"a;b\n", 0, True),
        (b"a\tb\n", 0, True),
    ],
)
def test_where_a_table_begins(text, line, begins):
    assert (heading.line_of(text), heading.begins_table(text)) == (line, begins)


def test_logs_that_differ():
    whole = log(100)
    assert conversion.difference(whole, whole) is None
    named = replace(whole, columns=Columns((Column("p"), Column("q")), whole.columns.actions))
    for other, what in (
        ({"rewards": whole.rewards + 1}, "rewards"),
        ({"action_high": whole.action_high + 1}, "action_high"),
        ({"columns": named.columns}, "names or units of columns"),
        ({"exogenous": (0,)}, "exogenous columns"),
    ):
        assert conversion.difference(whole, replace(whole, **other)) == what
        assert conversion.difference(replace(whole, **other), whole) == what
    known = replace(whole, task=Task(horizon=5))
    assert conversion.difference(known, whole) == "horizon" and conversion.difference(whole, known) is None


def test_what_a_conversion_leaves_behind(tmp_path: Path):
    arrays = logs.columns()
    stored: dict[str, Any] = {logs.NEORL2_KEYS[key]: values for key, values in arrays.items()}
    stored["obs"] = stored["obs"].astype(np.float64)
    np.savez(tmp_path / "log.npz", **stored, extra=np.zeros(3), also=np.zeros(3))
    assert conversion.left_behind(load(tmp_path / "log.npz")) == [
        "also, extra of log.npz",
        "obs beyond float32's digits",
    ]
    arrays["rewards"] = arrays["rewards"].astype(np.float64)
    path = logs.write_hdf5(tmp_path / "log.hdf5", arrays | {"extra": np.zeros(3)})
    assert conversion.left_behind(load(path)) == ["extra of log.hdf5", "rewards beyond float32's digits"]
    assert conversion.left_behind(load(logs.write_npz(tmp_path / "good.npz", logs.columns()))) == []
    assert conversion.left_behind(log(100)) == []


def test_reading_of_another_type():
    words = "reading: must be a micro_rl.data.ReadOptions, as in ReadOptions(observations=('level',))"
    assert refusal(check_reading, 5) == words


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('exogenous = ["o*"]', "exogenous names every observation: then no action has an effect; leave some out"),
        ("[bounds]\nb0 = [0, 1]", "bounds: there is no column 'b0'"),
        ('termination = "o0 + 1"', "termination: 'o0 + 1' is a number: compare it, as in level > 4"),
        ("[task]\nhorizn = 5", "task: there is no key 'horizn' (did you mean 'horizon'?)"),
        ("x", "is no TOML ("),
        ('where = "o0 > 1"', "where is for CSV and Parquet, and this file is neither: leave it out"),
    ],
)
def test_words_that_do_not_fit_a_file_of_arrays(tmp_path: Path, toml, message):
    path = logs.write_hdf5(tmp_path / "log.hdf5", logs.columns())
    path.with_suffix(".toml").write_text(toml + "\n")
    assert message in refusal(load, path)


def test_names_of_arrays_are_bounded():
    for name, good in (("n" * 100, True), ("n" * 101, False), (" ", False)):
        rows = np.zeros((4, 1))
        make = lambda name: Dataset.from_arrays(rows, rows, rows[:, 0], horizon=2, name=name)  # noqa: B023, E731
        if good:
            assert make(name).name == name
        else:
            assert refusal(make, name) == f"name: {name!r:.40} cannot be a log's: give a short word without slashes"
