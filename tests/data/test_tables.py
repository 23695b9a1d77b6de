"""CSV and Parquet: episodes, times, missing values, formulas, and the ways in which people write numbers."""

import datetime
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from micro_rl.data import Column, ReadOptions, load
from micro_rl.data.readers import parquet_table
from micro_rl.errors import UserError
from tests.data import logs
from tests.data.test_loading import refused

PUMP = """\
run;stamp;level;valve;heat [kW];trip
1;01.02.2025 10:00:00;1,5;0,1;-0,5;0
1;01.02.2025 10:00:01;1,75;0,2;0;0
1;01.02.2025 10:00:02;2;0,3;0,25;0
1;01.02.2025 10:00:30;3;0,4;0,5;0
1;01.02.2025 10:00:31;3,5;0,4;0,5;0
2;01.02.2025 10:00:32;4;0,5;1;0
2;01.02.2025 10:00:33;4,5;0,6;1;1
"""
TOML = """\
decimal = ","
episode = "run"
time = "stamp"
time_format = "%d.%m.%Y %H:%M:%S"
observations = ["level"]
actions = ["valve", "heat*"]
reward = "-abs(level - 2) - 0.5 * valve"
terminal = "trip"
termination = "level >= 4.5"
[units]
level = "m"
"""


@pytest.fixture
def pump(tmp_path):
    (tmp_path / "pump.csv").write_text(PUMP)
    (tmp_path / "pump.toml").write_text(TOML)
    return tmp_path / "pump.csv"


def described(path, **changed: Any):
    """The same log with other words in its TOML; None leaves one out."""
    lines = [line for line in TOML.splitlines() if line.split(" ")[0] not in changed]
    new = [f"{key} = {value!r}" for key, value in changed.items() if value is not None]
    path.with_suffix(".toml").write_text("\n".join(new + lines))
    return path


def test_a_log_as_a_plant_writes_it(pump):
    log = load(pump)
    np.testing.assert_array_equal(log.observations[:, 0], [1.5, 1.75, 2, 3, 3.5, 4, 4.5])
    np.testing.assert_array_equal(log.actions[3], np.array([0.4, 0.5], np.float32))
    np.testing.assert_allclose(log.rewards[:3], [-0.55, -0.35, -0.15], rtol=1e-6)
    np.testing.assert_array_equal(log.lengths, [3, 2, 2])
    np.testing.assert_array_equal(np.flatnonzero(log.terminals), [6])
    np.testing.assert_array_equal(np.flatnonzero(log.usable), [0, 1, 3, 5])
    assert (log.name, log.format) == ("pump", "csv")
    assert log.columns.observations == (Column("level", "m"),)
    assert [column.name for column in log.columns.actions] == ["valve", "heat [kW]"]
    assert log.termination is not None
    assert log.termination({"level": np.array([4.0, 4.5])}).tolist() == [False, True]
    assert any("longer than 3 s: an episode begins at 1 row (3)" in note for note in log.notes)


def test_the_same_by_flags_alone(pump):
    before = load(pump)
    pump.with_suffix(".toml").unlink()
    reading = ReadOptions(
        episode="run",
        time="stamp",
        time_format="%d.%m.%Y %H:%M:%S",
        observations=("level",),
        actions=("valve", "heat*"),
        reward="-abs(level - 2) - 0.5 * valve",
        terminal="trip",
        decimal=",",
    )
    log = load(pump, reading=reading)
    np.testing.assert_array_equal(log.rewards, before.rewards)
    np.testing.assert_array_equal(log.lengths, before.lengths)
    assert log.reading == reading


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"observations": None}, "which columns are observations? Say observations = [...] in"),
        ({"actions": None}, "columns: run, stamp, level, valve, heat [kW], trip"),
        ({"reward": None}, "which column is the reward?"),
        ({"reward": "levl"}, "reward: 'levl' names 'levl', no column (did you mean 'level'?)"),
        ({"reward": "level +"}, "reward: 'level +' cannot be read at"),
        ({"episode": "rum"}, "episode: there is no column 'rum' (did you mean 'run'?)"),
        ({"decimal": None}, "are these decimal commas? Say decimal = ','"),
        ({"decimal": ";"}, "decimal and delimiter are both ';'"),
        ({"decimal": "ab"}, "decimal must be one plain character"),
        ({"delimiter": "|"}, "there is no column"),
        ({"time_format": None}, "holds text ('01.02.2025 10:00:00'): say how it is written with time_format"),
        ({"time_format": "%Y"}, "column 'stamp' holds '01.02.2025 10:00:00' in line 2, which is no such time"),
        ({"reward": "stamp"}, "column 'stamp' holds '01.02.2025 10:00:00' in line 2, which is no number"),
        ({"reward": "-heat [kW]"}, "write `heat [kW]` between backticks"),
        ({"time_unit": "ms"}, "holds dates, not numbers: leave time_unit out"),
        ({"terminal": "level"}, "column 'level' must be 0 or 1, true or false, but holds 1.5"),
        ({"observations": ["level", "level"]}, "'level' is named twice"),
        ({"next_observations": ["level", "valve"]}, "2 next_observations for 1 observations"),
        ({"encoding": "utf-99"}, "there is no encoding 'utf-99': say utf-8"),
    ],
)
def test_refused(pump, changed: dict[str, Any], words):
    if changed.get("observations"):
        pump.with_suffix(".toml").write_text(TOML.replace('["level"]', '["level", "level"]'))
    else:
        described(pump, **changed)
    refused(pump, words)


def test_where_nothing_describes_a_table_its_error_says_what_would(pump):
    pump.with_suffix(".toml").unlink()
    refused(pump, f"(`micro-rl data init {pump}` writes a first one), or --observations NAME NAME")


def test_gaps_repeats_and_clocks_that_run_back(tmp_path):
    times = [0, 1, 2, 2, 3, 10, 11, 5, 6]
    arrays = logs.columns((9,), (False,))
    del arrays["next_observations"], arrays["timeouts"], arrays["terminals"]
    path = logs.write_csv(tmp_path / "log", arrays)
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join([lines[0] + ",t", *(f"{line},{time}" for line, time in zip(lines[1:], times, strict=True))])
    )
    logs.describe_table(path, arrays, time="t")
    log = load(path)
    np.testing.assert_array_equal(log.lengths, [5, 2, 2])
    notes = " | ".join(log.notes)
    assert "gaps in time longer than 3 s: an episode begins at 1 row (5)" in notes
    assert "time runs backwards at 1 row (7)" in notes
    assert "time stands still at 1 row (3)" in notes
    logs.describe_table(path, arrays, time="t", time_unit="min", largest_gap=1000.0)
    np.testing.assert_array_equal(load(path).lengths, [7, 2])


@pytest.mark.parametrize(
    "policy, kept, lengths",
    [("drop", [0, 1, 4, 5, 7, 8], [2, 2, 2]), ("previous", [0, 1, 2, 3, 4, 5, 7, 8], [6, 2])],
)
def test_missing_values(tmp_path, policy, kept, lengths):
    """Rows 2 and 3 lack an observation; so does row 6, the first of its episode, which has nothing to hold."""
    arrays = logs.columns((6, 3), (False, False))
    observed = arrays["observations"].copy()
    del arrays["next_observations"], arrays["timeouts"], arrays["terminals"]
    arrays["observations"] = observed.copy()
    arrays["observations"][[2, 3, 6], 1] = np.nan
    path = logs.write_csv(tmp_path / "log", arrays)
    lines = path.read_text().splitlines()
    episode = ["run", *(["a"] * 6), *(["b"] * 3)]
    path.write_text("\n".join(f"{line},{name}" for line, name in zip(lines, episode, strict=True)))
    logs.describe_table(path, arrays, episode="run")
    refused(path, "observations (o1) holds NaN or infinity in 3 rows (2-3, 6)", "missing = 'drop'")
    logs.describe_table(path, arrays, episode="run", missing=policy)
    log = load(path)
    np.testing.assert_array_equal(log.lengths, lengths)
    expected = observed[kept].copy()
    if policy == "previous":
        expected[2:4, 1] = observed[1, 1]
    np.testing.assert_array_equal(log.observations, expected)
    assert any("were dropped: an episode begins after each" in note for note in log.notes)


def test_marks_for_missing_values(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("o,a,r,run\n1,0,1,1\nBad Input,0,1,1\n3,0,,1\n4,0,1,1\n5,0,1,1\n")
    text = 'observations = ["o"]\nactions = ["a"]\nreward = "r"\nepisode = "run"\nmissing = "drop"\n'
    path.with_suffix(".toml").write_text(text)
    refused(path, "column 'o' holds 'Bad Input' in line 3, which is no number", "missing_values")
    path.with_suffix(".toml").write_text(text + 'missing_values = ["Bad Input"]')
    np.testing.assert_array_equal(load(path).observations[:, 0], [1, 4, 5])


def test_a_log_in_which_every_row_lacks_something(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("o,a,r\n1,,1\n,0,1\n")
    path.with_suffix(".toml").write_text('observations=["o"]\nactions=["a"]\nreward="r"\nmissing="drop"\nhorizon=2')
    refused(path, "every row lacks a value")


def test_a_last_line_without_an_end_is_said(tmp_path):
    path = logs.write_csv(tmp_path / "hopper", logs.columns())
    path.write_text(path.read_text()[:-1])
    assert "the last line has no end" in load(path).notes[0]


def test_only_names_and_no_rows(tmp_path):
    path = logs.write_csv(tmp_path / "log", {key: values[:0] for key, values in logs.columns().items()})
    refused(path, "no rows")


def test_columns_of_one_name(tmp_path):
    path = logs.write_csv(tmp_path / "log", logs.columns())
    path.write_text(path.read_text().replace("o1", "o0", 1).replace("n1", "n0", 1))
    refused(path, "observations: 'o0' is named twice")
    refused(
        path, "several columns are called 'o0'", reading=ReadOptions(observations=("o0",), next_observations=("n0",))
    )
    log = load(path, reading=ReadOptions(observations=("a0",), next_observations=("r",)))
    assert log.observations.shape == (9, 1)


@pytest.mark.parametrize("encoding, first", [("utf-8", "\ufeff"), ("latin-1", ""), ("utf-16", "")])
def test_encodings_and_marks(tmp_path, encoding, first):
    text = "höhe,a,r\n" + "".join(f"{row},0,1\n" for row in range(4))
    path = tmp_path / "log.csv"
    path.write_bytes((first + text).encode(encoding))
    reading = ReadOptions(horizon=2, observations=("höhe",), actions=("a",), reward="r", encoding=encoding)
    assert len(load(path, reading=reading)) == 4


def test_quotes_and_line_ends_of_all_kinds(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b'"tank, level",a,r\r\n"1",0,1\r\n2,0,"1"\r\n')
    log = load(path, reading=ReadOptions(horizon=2, observations=("tank, level",), actions=("a",), reward="r"))
    np.testing.assert_array_equal(log.observations[:, 0], [1, 2])


def test_flags_that_are_empty_are_said(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("o,a,r,end\n1,0,1,\n2,0,1,true\n3,0,1,0\n")
    log = load(path, reading=ReadOptions(horizon=9, observations=("o",), actions=("a",), reward="r", terminal="end"))
    np.testing.assert_array_equal(log.terminals, [False, True, False])
    assert any("'end' is empty in 1 row (0): counted as 0" in note for note in log.notes)


def test_an_episode_that_comes_back_is_said(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("o,a,r,run\n1,0,1,x\n2,0,1,y\n3,0,1,x\n4,0,1,x\n")
    log = load(path, reading=ReadOptions(observations=("o",), actions=("a",), reward="r", episode="run"))
    np.testing.assert_array_equal(log.lengths, [1, 1, 2])
    assert any("values of 'run' come back after others at 1 row (2)" in note for note in log.notes)
    path.write_text("o,a,r,run\n1,0,1,x\n2,0,1,\n")
    refused(path, "the episode column 'run' is empty in row 1", reading=log.reading)


START = datetime.datetime(2025, 3, 30, 0, 0, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([0, 1, 2, 60, 61], pa.int64()),
        pa.array([0, 1, 2, 60, 61], pa.float32()),
        pa.array(
            [START + datetime.timedelta(seconds=second) for second in (0, 1, 2, 60, 61)], pa.timestamp("us", "UTC")
        ),
        pa.array([0, 1, 2, 60, 61], pa.timestamp("s")),
        pa.array(["a", "a", "a", "b", "b"]).dictionary_encode(),
    ],
    ids=["int", "float", "zone", "plain", "dictionary"],
)
def test_times_and_labels_in_parquet(tmp_path, column):
    path = tmp_path / "log.parquet"
    table = pa.table({"t": column, "o": np.arange(5.0), "a": np.zeros(5), "r": [True, False, True, True, True]})
    pyarrow.parquet.write_table(table, path)
    reading = ReadOptions(observations=("o",), actions=("a",), reward="r")
    role = "episode" if pa.types.is_dictionary(column.type) else "time"
    log = load(path, reading=replace(reading, **{role: "t"}))
    np.testing.assert_array_equal(log.lengths, [3, 2])
    np.testing.assert_array_equal(log.rewards, [1, 0, 1, 1, 1])


def test_iso_times_in_csv_keep_fractions_that_come_later(tmp_path):
    path = tmp_path / "log.csv"
    stamps = ["2025-01-01T00:00:00Z", "2025-01-01T00:00:01Z", "2025-01-01T00:00:01.500Z", "2025-01-01T00:01:00Z"]
    path.write_text("t,o,a,r\n" + "".join(f"{stamp},{row},0,1\n" for row, stamp in enumerate(stamps)))
    log = load(path, reading=ReadOptions(time="t", observations=("o",), actions=("a",), reward="r"))
    np.testing.assert_array_equal(log.lengths, [3, 1])


def test_columns_of_parquet_that_are_no_numbers(tmp_path):
    path = tmp_path / "log.parquet"
    for bad in (["x"] * 3, [["x"]] * 3, [datetime.date(2025, 1, 1)] * 3):
        pyarrow.parquet.write_table(pa.table({"o": bad, "a": [0.0] * 3, "r": [1.0] * 3}), path)
        refused(path, "column 'o' holds no numbers", reading=ReadOptions(3, None, ("o",), ("a",), reward="r"))
    refused(path, "delimiter is for CSV", reading=ReadOptions(3, None, ("o",), ("a",), reward="r", delimiter=","))


def test_batches_join_without_a_seam(tmp_path):
    """Two hundred thousand rows come in several batches; what is carried from one to the next must not show."""
    rows = 200_000
    run = np.arange(rows) // 1000
    table = pa.table(
        {"run": run, "t": np.arange(rows) * 1.0, "o": np.arange(rows) % 997, "a": np.zeros(rows), "r": run}
    )
    reading = ReadOptions(observations=("o",), actions=("a",), reward="r * 2", episode="run", time="t")
    pyarrow.parquet.write_table(table, tmp_path / "log.parquet")
    pyarrow.csv.write_csv(table, tmp_path / "log.csv")
    for name in ("log.parquet", "log.csv"):
        log = load(tmp_path / name, reading=reading)
        assert (log.lengths == 1000).all()
        np.testing.assert_array_equal(log.observations[:, 0], np.arange(rows) % 997)
        np.testing.assert_array_equal(log.rewards, 2 * run)
        assert not any("gap" in note for note in log.notes)


def test_without_the_extra(pump, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"needs pyarrow.*pip install 'micro-rl\[tables\]'"):
        load(pump)


def test_a_parquet_file_with_fewer_rows_than_it_declares(tmp_path, monkeypatch):
    path = tmp_path / "log.parquet"
    pyarrow.parquet.write_table(pa.table({"x": [0.0, 1.0, 2.0], "a": [0.0, 1.0, 0.0], "r": [1.0, 1.0, 1.0]}), path)
    batches = parquet_table.Table.batches
    monkeypatch.setattr(parquet_table.Table, "batches", lambda table, kinds: batches(declaring(table), kinds))

    def declaring(table: parquet_table.Table) -> parquet_table.Table:
        table.rows += 2
        return table

    reading = ReadOptions(observations=("x",), actions=("a",), reward="r")
    with pytest.raises(UserError, match="declares 5 rows but holds 3: fetch or write it again"):
        load(path, reading=reading)
