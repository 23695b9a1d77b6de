"""Logs made of arrays and DataFrames: the same log as the file's, and errors that name the argument."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from micro_rl.data import Column, Dataset, load
from micro_rl.data.conversion import difference
from micro_rl.data.description import Description
from micro_rl.data.in_memory import of_arrays
from micro_rl.errors import UserError
from tests.data import logs
from tests.data.noise import refusal
from tests.test_named_columns import TOML, write_tank

WORDS: dict[str, Any] = {
    "observations": ["level", "T_air*", "flow"],
    "actions": ["valve"],
    "reward": "-abs(level - 2)",
    "episode": "batch",
    "action_bounds": [0, 100],
    "units": {"level": "m"},
}
ROWS = 12


def arrays(**changes: Any) -> dict[str, Any]:
    random = np.random.default_rng(0)
    made = {"observations": random.normal(size=(ROWS, 2)), "actions": random.uniform(-1, 1, (ROWS, 1))}
    return made | {"rewards": random.normal(size=ROWS), "horizon": 4} | changes


def test_arrays_make_the_log_that_their_file_makes(tmp_path: Path):
    stored: dict[str, Any] = logs.columns()
    from_file = load(logs.write_hdf5(tmp_path / "log.hdf5", stored))
    log = Dataset.from_arrays(**stored)
    assert difference(from_file, log) is None and difference(log, from_file) is None
    assert [note.replace(" in the file", "") for note in from_file.notes] == list(log.notes)
    assert log.in_memory and not from_file.in_memory and len(log.sha256) == 64


def test_names_units_bounds_and_horizon_are_the_arguments():
    named = {"observation_names": ["p", "q"], "action_names": ["u"], "units": {"p": "bar"}, "exogenous": ["q"]}
    log = Dataset.from_arrays(**arrays(action_low=-2, action_high=[3], name="a rig"), **named)
    assert (log.name, log.columns.observations) == ("a rig", (Column("p", "bar"), Column("q")))
    assert (log.action_low, log.action_high) == (-2, 3) and log.exogenous == (1,)
    assert log.lengths.tolist() == [4, 4, 4]
    assert log.usable.sum() == ROWS - 3, "without next observations no episode's last row is used"


def test_the_arrays_are_copied_and_their_digest_is_that_of_the_values():
    parts = arrays()
    log = Dataset.from_arrays(**parts)
    parts["observations"][0] = 9
    assert log.observations[0, 0] != 9 and not log.observations.flags.writeable
    changed = Dataset.from_arrays(**parts)
    same = Dataset.from_arrays(**arrays(rewards=arrays()["rewards"].tolist()))
    other = [Dataset.from_arrays(**arrays(**more)) for more in ({"horizon": 3}, {"action_names": ["u"]})]
    bounded = Dataset.from_arrays(**arrays(action_low=-1, action_high=1))
    digests = [each.sha256 for each in (log, changed, *other, bounded)]
    assert same.sha256 == log.sha256 and len(set(digests)) == len(digests)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon": None}, "arrays: no timeouts: give the episodes' time limit as horizon, or timeouts"),
        ({"rewards": np.zeros(3)}, "arrays: the columns differ in length (observations 12, actions 12, rewards 3"),
        ({"actions": np.zeros(ROWS)}, "arrays: actions has shape (12,): store it as [row, column]"),
        ({"actions": np.full((ROWS, 1), 5)}, "give those of the system that made the log (action_low, action_high)"),
        ({"observations": [["a"]]}, "observations holds no plain numbers (type <U1)"),
        ({"observations": [[1], [2, 3]]}, "observations is no array of numbers"),
        (
            {"observations": np.full((ROWS, 2), np.nan)},
            "observations (o0, o1) holds NaN or infinity in 12 rows",
        ),
        ({"rewards": np.ma.masked_equal(np.arange(ROWS), 3)}, "rewards holds NaN or infinity in 1 row (3)"),
        ({"terminals": np.full(ROWS, 2)}, "terminals must be 0 or 1 but is 2 in row 0"),
        ({"next_observations": np.zeros((ROWS, 1))}, "next_observations has 1 column but observations has 2"),
        ({"observation_names": ["p"]}, "observation_names: ('p',) for 2 columns: give each a name of its own"),
        ({"observation_names": ["p", "p"]}, "observation_names: ('p', 'p') for 2 columns"),
        ({"units": {"p": "m"}}, "units: there is no column 'p'; columns: o0, o1, a0"),
        ({"action_low": 0}, "give both action_low and action_high"),
        ({"name": "a/b"}, "name: 'a/b' cannot be a log's"),
        ({"name": ""}, "name: '' cannot be a log's"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_argument(changes: dict[str, Any], message: str):
    with pytest.raises(UserError) as refusal:
        Dataset.from_arrays(**arrays(**changes))
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


def test_every_error_is_told_at_once():
    with pytest.raises(UserError, match=r"NaN or infinity.*; nothing tells the bounds") as refusal:
        Dataset.from_arrays(**arrays(rewards=np.full(ROWS, np.nan), actions=np.full((ROWS, 1), 5)))
    assert "data check" not in str(refusal.value)


class Pandas:
    """As much of a pandas DataFrame as is used, and a named index."""

    def __init__(self, table: pa.Table, index: list[str | None]):
        self._table, self.index = table, SimpleNamespace(names=index)

    @property
    def columns(self) -> list[str]:
        return [name for name in self._table.column_names if name not in self.index.names]

    def reset_index(self) -> "Pandas":
        return Pandas(self._table, [None])

    def __getitem__(self, names: list[str]) -> pa.Table:
        return self._table.select(names)


@pytest.fixture
def tank(tmp_path: Path) -> Path:
    return write_tank(tmp_path / "tank.csv")


@pytest.mark.parametrize("kind", ["arrow", "pandas", "indexed"])
def test_a_frame_makes_the_log_that_its_table_makes(kind: str, tank: Path):
    table = csv.read_csv(tank)
    frames = {"arrow": table, "pandas": Pandas(table, [None]), "indexed": Pandas(table, ["batch"])}
    log = Dataset.from_frame(frames[kind], **WORDS)
    assert difference(load(tank), log) is None
    assert log.in_memory and log.columns.observations[0] == Column("level", "m")


def test_the_words_of_a_frame_may_stand_in_a_toml(tank: Path):
    table, toml = csv.read_csv(tank), tank.with_suffix(".toml")
    log = Dataset.from_frame(table, mapping=toml, name="tank")
    assert difference(load(tank), log) is None and log.mapping == TOML
    over = Dataset.from_frame(table, mapping=str(toml), observations=["level"], units={})
    assert over.observations.shape[1] == 1
    assert over.mapping.startswith('# by an argument: observations = ["level"]\n') and over.mapping.endswith(TOML)
    mapping = Dataset.from_frame(table, **WORDS).mapping
    toml.write_text(mapping)
    assert difference(load(tank), Dataset.from_frame(table, mapping=toml)) is None, "it reads back"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"reward": 3}, "frame: reward must be text in quotes"),
        ({"observations": ["levle"]}, "no column 'levle' (did you mean 'level'?)"),
        ({"observation": ["level"]}, "no key 'observation' (did you mean 'observations'?)"),
        ({"actions": "valve"}, "actions must be a list of names"),
        ({"decimal": ","}, "decimal is for CSV: leave it out"),
        ({"units": {"levle": "m"}}, "frame: units: there is no column 'levle'"),
        ({"observations": ["batch"]}, "column 'batch' holds no numbers"),
        ({"time": "batch"}, "holds text ('a'): convert it to dates before"),
        ({"action_bounds": [0, 1]}, "(action_bounds, or bounds for each its own)"),
    ],
)
def test_wrong_words_are_answered_as_in_a_toml(words: dict[str, Any], message: str, tank: Path):
    with pytest.raises(UserError) as refusal:
        Dataset.from_frame(csv.read_csv(tank), **(WORDS | words))
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("frame", [{"level": [1.0]}, np.zeros((2, 2)), "tank.csv"])
def test_what_is_no_frame_is_refused(frame: Any):
    with pytest.raises(UserError, match="has no named columns: give a pandas, Polars or PyArrow DataFrame"):
        Dataset.from_frame(frame, **WORDS)


def test_a_missing_word_is_asked_for(tank: Path):
    with pytest.raises(UserError, match=r"frame: reward is missing: say which columns; there are batch, level"):
        Dataset.from_frame(csv.read_csv(tank), observations=["level"], actions=["valve"])


def test_an_array_that_is_missing_is_named():
    rows = np.zeros((4, 1))
    fields = {"observations": None, "actions": rows, "rewards": rows[:, 0]}
    with pytest.raises(UserError, match="observations is None: give an array"):
        of_arrays("rig", fields, (None, None), Description())


def test_names_of_arrays_are_bounded():
    for name, good in (("n" * 100, True), ("n" * 101, False), (" ", False)):
        rows = np.zeros((4, 1))
        make = lambda name: Dataset.from_arrays(rows, rows, rows[:, 0], horizon=2, name=name)  # noqa: B023, E731
        if good:
            assert make(name).name == name
        else:
            assert refusal(make, name) == f"name: {name!r:.40} cannot be a log's: give a short word without slashes"
