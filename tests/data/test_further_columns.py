"""Columns of a table beside those that are learned from, in the log's own rows."""

import numpy as np
import pytest

from micro_rl import Dataset, load
from micro_rl.data.further_columns import further_columns
from micro_rl.data.read_options import ReadOptions
from micro_rl.errors import UserError

TOML = """observations = ["x", "s"]
actions = ["u"]
reward = "r"
exogenous = ["s"]
horizon = 6
where = "mode == 1"
termination = "x > 90"

[bounds]
u = [-1, 1]
"""


@pytest.fixture
def table(tmp_path):
    """Six rows, two of which are left out; `pi` is what the current policy would do."""
    rows = [
        "x,s,u,pi,r,mode",
        "1,8,0,.1,5,1",
        "2,8,0,.2,5,1",
        "3,8,0,.3,5,0",
        "4,8,0,.4,5,1",
        "5,8,0,.5,5,1",
        "6,8,0,,5,0",
    ]
    (tmp_path / "plant.csv").write_text("\n".join(rows))
    (tmp_path / "plant.toml").write_text(TOML)
    return tmp_path / "plant.csv"


def test_they_have_the_rows_of_the_log(table):
    log = load(table)
    assert log.observations[:, 0].tolist() == [1, 2, 4, 5]
    assert (
        further_columns(log, ["pi", "x"]).tolist()
        == np.array([[0.1, 1], [0.2, 2], [0.4, 4], [0.5, 5]], np.float32).tolist()
    )


def test_they_follow_the_callers_reading(table):
    log = load(table, reading=ReadOptions(where="x < 3"))
    assert further_columns(log, ["pi"])[:, 0].tolist() == np.array([0.1, 0.2], np.float32).tolist()


def test_next_observations_that_are_named_stay_paired(tmp_path):
    (tmp_path / "steps.csv").write_text("x,y,u,pi,r\n1,2,0,7,1\n2,3,0,8,1\n3,4,1,9,1\n")
    reading = ReadOptions(observations=("x",), actions=("u",), next_observations=("y",), reward="r", horizon=3)
    log = load(tmp_path / "steps.csv", reading=reading, action_low=0, action_high=1)
    assert further_columns(log, ["pi"])[:, 0].tolist() == [7, 8, 9]


@pytest.mark.parametrize(("name", "message"), [("none", "none"), ("pi", "pi")])
def test_a_column_that_lacks_or_has_holes_is_named(table, name, message):
    table.with_suffix(".toml").write_text(TOML.replace('where = "mode == 1"\n', ""))
    with pytest.raises(UserError, match=message):
        further_columns(load(table), [name])


def test_arrays_have_none():
    log = Dataset.from_arrays(np.zeros((3, 1)), np.eye(3)[:, :1], np.ones(3), horizon=3)
    with pytest.raises(UserError, match="only a CSV or a Parquet"):
        further_columns(log, ["pi"])
