"""`data init`: whole texts that it writes, and the guesses of which they are made, one at a time."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from micro_rl.data.guesses import sample
from micro_rl.data.guesses.by_name import assigned
from micro_rl.data.guesses.columns import Guess, decimal_sign, guess, seconds
from micro_rl.data.guesses.description import draft
from micro_rl.errors import UserError
from tests.data.test_guesses import PLANT

HEAD = """\
# How to read {0}: guessed from all {1} rows.
# Look every line over, write the reward, then: micro-rl data check {0}
# NOT GUESSED: the reward: what is a good row?
"""
LONGER = '# resample = "5min"   # longer steps; `micro-rl data info` proposes some where they are needed\n'
OTHERS = "   # all other numbers\n"
SET = "   # by their names; what was set, not what came of it\n"
OUTSIDE = "   # observed, but no action moves them: set-points, weather\n"
YOURS = "   # YOURS: a column, or a formula over columns\n"
LACK = '# missing = "drop"   # rows that still lack a value: drop, or previous; refused by default\n\n'
BOUNDS = "[bounds]   # of every action: what the actuator can do; here 0 to 100 %, or what the rows show\n"

PLANT_DRAFT = f"""\

observations = ["Level [m]", "Level SP [m]", "T_out (°C)"]{OTHERS}actions = ["Valve [%]"]{SET}\
exogenous = ["Level SP [m]", "T_out (°C)"]{OUTSIDE}# reward = "-abs(`Level [m]` - 1)"{YOURS}\
# never change, left out: Pump speed

time = "Zeit"   # 60 s from row to row; 1 gaps longer than three such steps
time_format = "%d.%m.%Y %H:%M:%S"
{LONGER}
# Mode holds texts: 'AUTO' 4 times, 'MAN' 1 time
# where = "`Mode` == 'AUTO'"
# 2 cells are empty, the longest hole has 1 row
# fill = {{"Level [m]" = "linear", "T_out (°C)" = "linear", limit = 1}}
{LACK}decimal = ","
encoding = "cp1252"
missing_values = ["Bad Input"]

{BOUNDS}"Valve [%]" = [0, 100]

[units]
"Level [m]" = "m"
"Level SP [m]" = "m"
"T_out (°C)" = "°C"
"Valve [%]" = "%"
"""
RIG_DRAFT = f"""\

observations = ["level", "flow 1", "ambient"]{OTHERS}actions = ["valve", "u1"]{SET}\
exogenous = ["ambient"]{OUTSIDE}# reward = "-abs(`level` - 1)"{YOURS}\
episode = "batch"   # a new one begins where it changes
terminal = "trip"   # 1 where the plant itself ended the episode?
# never change, left out: bad

time = "time"   # 500 ms from row to row; 1 gaps longer than three such steps
time_unit = "ms"   # a guess, by their size
{LONGER}
# note holds texts: 'on' 30 times, 'off' 10 times
# where = "`note` == 'on'"
# 12 cells are empty, the longest hole has 7 rows
# fill = {{"level" = "linear", "flow 1" = "linear", "valve" = "previous", limit = 5}}
{LACK}skip_rows = 1
missing_values = ["Err"]
# the row of units below the heading is read as such

{BOUNDS}"valve" = [0, 100]
"u1" = [-2, 0]

[units]
"level" = "m"
"flow 1" = "l/s"
"ambient" = "degC"
"valve" = "%"
"u1" = "V"
"""


def rig() -> str:
    """Forty rows below a title, a heading and units; a gap of 90 s, holes of 7, 2, 1 and 1 rows, a text."""
    lines = ["Tank 7, exported", "time,batch,level,flow 1,valve,u1,trip,ambient,note,bad", "ms,-,m,l/s,%,V,-,degC,-,-"]
    for row in range(40):
        level = "" if 10 <= row < 17 or row == 30 else f"{1 + row / 10:.1f}"
        flow = "" if row in (3, 4) else "Err" if row == 20 else f"{row % 7}.5"
        cells = [1_700_000_000_000 + 500 * row + 90_000 * (row > 25), row // 20, level, flow, row if row != 35 else ""]
        cells += [-(row % 3), int(row % 20 == 19), row / 4, "on" if row % 4 else "off", ""]
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("name", "text", "rows", "rest"),
    [("plant.csv", PLANT, 5, PLANT_DRAFT), ("rig.csv", rig(), 40, RIG_DRAFT)],
)
def test_a_whole_draft(tmp_path: Path, name, text, rows, rest):
    (tmp_path / name).write_text(text, "cp1252")
    assert draft(tmp_path / name).text == HEAD.format(name, rows) + rest


def test_a_draft_of_parquet_and_one_of_dates_and_times_of_day(tmp_path: Path):
    columns = {"t": [0, 1, 2, 9], "x": [1.5, None, 2.5, 3.0], "pump_cmd": [0.0, 100.0, 120.0, 50.0]}
    parquet.write_table(pa.table(columns), tmp_path / "log.parquet")
    hole = '# 1 cell is empty, the longest hole has 1 row\n# fill = {"x" = "linear", limit = 1}\n'
    head = f'\nobservations = ["x"]{OTHERS}actions = ["pump_cmd"]{SET}# reward = "-abs(`x` - 1)"{YOURS}\n'
    clock = 'time = "t"   # 1 s from row to row; 1 gaps longer than three such steps\n'
    assert draft(tmp_path / "log.parquet").text == (
        HEAD.format("log.parquet", 4) + head + clock + LONGER + f'\n{hole}{LACK}{BOUNDS}"pump_cmd" = [0, 120]\n\n'
    )
    lines = [f"{day:02d}/04/2025\t10:0{minute}\t{minute}.{day}\t{minute * 20}" for day in (3, 4) for minute in range(6)]
    (tmp_path / "log.tsv").write_text("\n".join(["Date\tClock\tx\tvalve", *lines]) + "\n")
    both = "# NOT GUESSED: whether day or month comes first in 'Date': both fit; correct time_format\n"
    clock = 'time = ["Date", "Clock"]   # 60 s from row to row; 1 gaps longer than three such steps\n'
    assert draft(tmp_path / "log.tsv").text == (
        HEAD.format("log.tsv", 12)
        + both
        + head.replace("pump_cmd", "valve")
        + clock
        + f'time_format = "%d/%m/%Y %H:%M"\n{LONGER}\n{BOUNDS}"valve" = [0, 100]\n\n'
    )


@pytest.mark.parametrize(
    ("cells", "decimal", "kind", "marks"),
    [
        (["", "NaN", "n/a"], None, "empty", ()),
        (["1", "0", "1"], None, "flag", ()),
        (["1", "1", ""], None, "constant", ()),
        (["1.5", "+2", "-3e-2", ".5", "4."], None, "number", ()),
        (["1,5", "2"], ",", "number", ()),
        (["1.5", "2,5", "3"], ",", "number", ("1.5",)),
        (["1,5", "2", "3"], None, "number", ("1,5",)),
        (["1", "x", "2", "x", "y", "3"], None, "number", ("x", "y")),
        (["1", "x"], None, "constant", ("x",)),
        (["1", "x", "y"], None, "text", ()),
        (["1e39", "2", "3"], None, "number", ("1e39",)),
        (["3e38", "-3e38", "3"], None, "number", ()),
        (["a", "a"], None, "constant", ()),
        (["2025-01-02 03:04", "2025-01-02 03:05"], None, "time", ()),
        (["2025-01-02", "2025-01-03"], None, "date", ()),
        (["10:00", "10:01"], None, "clock", ()),
        (["31.12.25", "30.12.25"], None, "text", ()),
        (["01.02.2025 10:00"] * 10 + ["?"], None, "time", ()),
        (["01.02.2025 10:00"] * 9 + ["?"], None, "text", ()),
    ],
)
def test_what_a_column_holds(cells, decimal, kind, marks):
    told = guess("c", cells, decimal)
    assert (told.kind, told.marks) == (kind, marks)


def test_units_in_names_holes_and_texts():
    names = {"a [m]": "m", "b (l/s)": "l/s", "c": "", f"d [{'u' * 20}]": "u" * 20, f"e [{'u' * 21}]": ""}
    assert {name: guess(name, ["1"], None).unit for name in names} == names
    holes = guess("c", ["", "", "1", "", "2", "", "", ""], None)
    assert (holes.holes, holes.longest_hole) == (6, 3)
    assert (guess("c", ["1", "2"], None).holes, guess("c", ["1", "2"], None).longest_hole) == (0, 0)
    assert guess("c", ["", "b", "a", "b"], None).texts == (("b", 2), ("a", 1))
    assert len(guess("c", list("abcdefghi"), None).texts) == 8
    assert len(guess("c", [*"abcdefghijk", *"11111111111"], None).marks) == 10
    assert guess("c", ["03/04/2025 10:00"], None).ambiguous and not guess("c", ["13/04/2025 10:00"], None).ambiguous
    assert decimal_sign([["1,5", "2,5", "1.5"]]) == "," and decimal_sign([["1,5", "1.5"]]) is None
    assert decimal_sign([["x"] * 200 + ["1,5"]]) is None and decimal_sign([["x"] * 199 + ["1,5"]]) == ","


def test_times_in_seconds():
    cells = [" 1970-01-02 00:00:01 ", "no time", "1970-01-01T00:00:00+02:00"]
    np.testing.assert_array_equal(seconds(cells, Guess("t", "time", np.zeros(3))), [86401, np.nan, -7200])
    written = Guess("t", "time", np.zeros(1), time_format="%d.%m.%Y %H:%M")
    assert seconds(["02.01.1970 00:01"], written).tolist() == [86460]
    assert seconds(["7"], Guess("t", "number", np.array([7.0]))).tolist() == [7]


@pytest.mark.parametrize(
    ("name", "values", "role"),
    [
        ("Level SP", [1, 2, 3], "exogenous"),
        ("tempSetpoint [K]", [1, 2, 3], "exogenous"),
        ("ambient.temp", [1, 2, 3], "exogenous"),
        ("Valve_2", [1, 2, 3], "actions"),
        ("u12", [1, 2, 3], "actions"),
        ("u12x", [1, 2, 3], "observations"),
        ("heatingCmd", [1, 2, 3], "actions"),
        ("trip", [0, 1, 0], "terminal"),
        ("trip", [0, 1, 2], "observations"),
        ("batch", [1.0] * 5 + [2.0] * 6, "episode"),
        ("batch", [1.0] * 3 + [2.0] * 3, "observations"),
        ("batch", [1.5] * 5 + [2.0] * 6, "observations"),
        ("time", [1, 2, 3], "time"),
        ("time", [3, 2, 1], "observations"),
        ("time_left", [1, 2, 3], "time"),
        ("timer", [1, 2, 3], "observations"),
    ],
)
def test_what_a_column_may_be_for(name, values, role):
    column = guess(name, [f"{value:g}" for value in values], None)
    roles = assigned([guess("x", ["1", "5", "3"], None), column])
    there = getattr(roles, role)
    assert there is column or (isinstance(there, list) and any(each is column for each in there))
    assert any(each is column for each in roles.observations) is (role in ("observations", "exogenous"))


@pytest.mark.parametrize(("rows", "whole"), [(3, True), (4, False)])
def test_whether_a_sample_is_all_rows(tmp_path: Path, monkeypatch, rows, whole):
    monkeypatch.setattr(sample, "ROWS", 3)
    (tmp_path / "log.csv").write_text("a,b\n" + "1,2\n" * rows)
    parquet.write_table(pa.table({"a": range(rows)}), tmp_path / "log.parquet")
    for file in ("log.csv", "log.parquet"):
        taken = sample.take(tmp_path / file)
        assert (taken.whole, len(taken.columns[0])) == (whole, 3)
    monkeypatch.setattr(sample, "BYTES", 4 + 4 * rows - 1)
    monkeypatch.setattr(sample, "ROWS", 100)
    taken = sample.take(tmp_path / "log.csv")
    assert (taken.whole, len(taken.columns[0])) == (False, rows - 1), "the last line may be cut"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a;b\n1;2\n", {"delimiter": None, "skip_rows": None, "encoding": None}),
        ("a|b\n1|2\n", {"delimiter": None}),
        ("a;b,c\n1;2\n", {"delimiter": ";", "names": ("a", "b,c")}),
        ("a,b;c,d\n1;2\n3;4\n", {"delimiter": ";", "names": ("a,b", "c,d")}),
        ("title\n\na,b,c\n1,2,3\n", {"skip_rows": 2, "names": ("a", "b", "c")}),
        ("x,y\na,b,c,d\n1,2,3,4\n1,2,3,4\n", {"skip_rows": 1}),
        ("x,y\na,b,c\n1,2,3\n1,2,3\n", {"skip_rows": 1, "names": ("a", "b", "c")}),
        ("a,b\n1,2,\n1,2,\n", {"skip_rows": None, "names": ("a", "b")}),
        ("title\na,b,c,4\n1,2,3,4\n1,2,3,4\n", {"skip_rows": 1, "names": ("a", "b", "c", "4")}),
        ('"TOA5","7","CR1"\n"T","a","b","c","d"\n"TS","m","%","-","-"\n' + "t,1,2,3,4\n" * 3, {"skip_rows": 1}),
        ('"x","y"\n"a\nm",b,c\n1,2,3\n1,2,3\n', {"skip_rows": 1, "names": ("a m", "b", "c")}),
        ("a,b\n1\n2,3,4\n", {"columns": (["1", "2"], ["", "3"])}),
        ("a,b\r\n1,2\r3,4\n", {"columns": (["1", "3"], ["2", "4"])}),
        ("é,b\n1,2\n", {"encoding": "cp1252"}),
        ("a,b\n[m],[s]\n1,2\n", {"units": {"a": "m", "b": "s"}, "columns": (["1"], ["2"])}),
    ],
)
def test_how_a_csv_is_written(tmp_path: Path, text, told):
    (tmp_path / "log.csv").write_bytes(text.encode("cp1252"))
    taken = sample.take(tmp_path / "log.csv")
    assert {key: getattr(taken, key) for key in told} == told


def test_a_sample_of_nothing(tmp_path: Path):
    parquet.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "log.parquet")
    with pytest.raises(UserError, match=r"log\.parquet: holds no rows: write the log again$"):
        sample.take(tmp_path / "log.parquet")
    with pytest.raises(UserError, match=r"cannot be opened \(No such file or directory\): check its name and permiss"):
        sample.take(tmp_path / "none.csv")
