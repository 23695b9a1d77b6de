"""Headings that spread over several lines, as spreadsheets write them: one name in one line, everywhere."""

import tomllib

import pytest

from micro_rl.core.columns import in_one_line
from micro_rl.data import Dataset, load
from micro_rl.data.guesses.description import draft
from micro_rl.data.readers import heading
from micro_rl.errors import UserError

ROWS = "".join(f"2025-03-01 10:{minute:02d}:00,{minute}.5,{minute % 3},{20 + minute / 7:.3f}\n" for minute in range(9))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Temp\n[°C]", "Temp [°C]"),
        ("Temp \r\n\r\n [°C]\n", "Temp [°C]"),
        ("\tTemp\x85[°C]\u2028", "Temp [°C]"),
        ("Temp\x07\x1b", "Temp"),
        ("  Temp  2 ", "  Temp  2 "),
        ("\n", ""),
    ],
)
def test_in_one_line(name, line):
    assert in_one_line(name) == line


@pytest.mark.parametrize(
    ("lines", "starts"),
    [
        (["a,b", "1,2"], [0, 1]),
        (['a,"b', '[m]"', "1,2"], [0, 2]),
        (['"a', "", 'b","c', 'd"', "1,2"], [0, 4]),
        (['5" pipe,b', "1,2"], [0, 1]),
        (['a,"b', "1,2", "3,4"], [0, 1, 2]),
        (['"say ""on', 'off""",b', "1,2"], [0, 2]),
    ],
    ids=["plain", "a break", "breaks", "an inch", "never closed", "doubled marks"],
)
def test_the_lines_of_a_row(lines, starts):
    assert [start for start, _ in heading.rows(lines)] == starts


@pytest.mark.parametrize(
    ("row", "sign"), [("a;b", ";"), ('"a,b,c";d', ";"), ('"a, in\n[m], or";b;c', ";"), ("a\tb", "\t"), ('"a","b"', ",")]
)
def test_signs_within_quotation_marks_part_nothing(row, sign):
    assert heading.delimiter_of(row) == sign


@pytest.mark.parametrize(
    ("head", "observed", "unit"),
    [
        ('time,"Temp\n[°C]",valve,level\n', ["Temp [°C]", "level"], "°C"),
        ('time,"Temp\r\n[°C]",valve,level\r\n', ["Temp [°C]", "level"], "°C"),
        ('"time\nUTC","Temp\n\n[°C]","valve\n[%]","lev\nel"\n', ["Temp [°C]", "lev el"], "°C"),
        ('\ufeff"time","Temp\nC",valve,level\n', ["Temp C", "level"], ""),
        ('"Export\nof plant 3"\ntime,"Temp\n[°C]",valve,level\n', ["Temp [°C]", "level"], "°C"),
        ('# an export\ntime,"Temp\n# [°C]",valve,level\n', ["Temp # [°C]", "level"], "°C"),
        ('time,"Temp\nA",valve,level\n,°C,%,m\n', ["Temp A", "level"], "°C"),
        ('time,"Temp\t[°C]",valve,level\n', ["Temp [°C]", "level"], "°C"),
        ('time,"Temp\n;;;;[°C]",valve,level\n', ["Temp ;;;;[°C]", "level"], "°C"),
        (f"time,{'T' * 5000},valve,level\n", ["T" * 5000, "level"], ""),
        ("time,,valve,level\n", ["level"], ""),
        ("time,   ,valve,level\n", ["level"], ""),
        ('time,"\n",valve,level\n', ["level"], ""),
        ("\n\ntime,T,valve,level\n", ["T", "level"], ""),
    ],
)
def test_data_init_describes_the_heading_and_the_log_is_read(tmp_path, head, observed, unit):
    path = tmp_path / "log.csv"
    path.write_bytes((head + ROWS).encode())
    text = draft(path).text
    assert tomllib.loads(text)["observations"] == observed
    path.with_suffix(".toml").write_text(f"reward = '-abs(`{observed[-1]}` - 2)'\n{text}")
    log = load(path)
    assert len(log) == 9 and [column.name for column in log.columns.observations] == observed
    assert log.columns.observations[0].unit == unit
    assert ("without a name left out" in text) is (len(observed) == 1)


def test_names_that_are_one_when_in_one_line_are_told_apart_by_the_user(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text('time,"Temp\nA",valve,Temp A\n' + ROWS)
    made = draft(path)
    assert "which of the columns called 'Temp A' is which: give each a name of its own" in made.open
    path.with_suffix(".toml").write_text("reward = '1 * valve'\n" + made.text)
    with pytest.raises(UserError, match="'Temp A' is named twice"):
        load(path)


def test_a_description_may_name_them_as_the_file_does(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text('"Da\nte","Time",level,"valve\n[%]",mo\n' + ROWS.replace(" 10", ",10"))
    path.with_suffix(".toml").write_text(
        'time = ["Da\\nte", "Time"]\nobservations = ["level"]\nactions = ["valve\\n[%]"]\nterminal = "mo"\n'
        'reward = "-`valve\\n[%]`"\nbounds = {"valve\\n[%]" = [0, 3]}\nunits = {"valve\\n[%]" = "%"}\n'
    )
    with pytest.raises(UserError, match="line 4") as error:
        load(path)  # the last column holds no flags
    assert "\n" not in str(error.value)
    text = path.with_suffix(".toml").read_text()
    path.with_suffix(".toml").write_text(text.replace('terminal = "mo"\n', ""))
    log = load(path)
    assert str(log.columns.actions[0]) == "valve [%]" and (log.action_low, log.action_high) == (0, 3)
    assert log.rewards.tolist() == [-(minute % 3) for minute in range(9)]


def test_parquet_and_dataframes_too(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pa.table({"Temp\n[°C]": [1.0, 2.0, 3.0], "valve\t": [0.0, 0.5, 1.0]})
    words = {"observations": ["Temp [°C]"], "actions": ["valve"], "reward": "`Temp [°C]`", "horizon": 3}
    log = Dataset.from_frame(table, action_bounds=[0, 1], **words)
    assert log.rewards.tolist() == [1, 2, 3] and log.columns.observations[0].name == "Temp [°C]"
    path = tmp_path / "log.parquet"
    parquet.write_table(table, path)
    path.with_suffix(".toml").write_text("reward = '`Temp [°C]`'\nhorizon = 3\n" + draft(path).text)
    assert load(path).rewards.tolist() == [1, 2, 3]


def test_a_remark_of_several_lines_is_no_end_of_a_row(tmp_path):
    """In a file of several blocks: where one ends, a row has to end."""
    path = tmp_path / "log.csv"
    remark = '"first line\nsecond, and more\n' + "third " * 400 + '"'
    path.write_text("t,level,valve,note\n" + "".join(f"{row},{row}.5,{row % 3},{remark}\n" for row in range(1000)))
    path.with_suffix(".toml").write_text(
        'time = "t"\nobservations = ["level"]\nactions = ["valve"]\nreward = "level"\n'
    )
    log = load(path, action_low=0, action_high=2)
    assert log.rewards.tolist() == [row + 0.5 for row in range(1000)]
