"""What files say of themselves: tasks, columns, simulators, spaces and headings."""

import json

import numpy as np
import pytest

from micro_rl.core.columns import Column, Columns
from micro_rl.core.tasks import Task
from micro_rl.data import log_metadata
from micro_rl.data.readers import heading, minari_spaces
from tests.data.noise import LOG, refusal


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
    assert refusal(log_metadata.columns, LOG, {"observation_names": ["p", "p"]}, 2, 1) == (
        "log.npz: observation_names: several columns are called 'p': give each a name of its own"
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
