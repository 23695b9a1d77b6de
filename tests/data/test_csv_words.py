"""What people's CSV files are like: date and time apart, units below the heading, text above it, words for flags."""

from typing import Any

import numpy as np
import pytest

from micro_rl.data import load
from micro_rl.data.read_options import ReadOptions
from tests.data.test_loading import refused

READING: dict[str, Any] = {
    "observations": ("level",),
    "actions": ("valve",),
    "reward": "r",
    "action_bounds": (-1.0, 1.0),
}
ROWS = [f"{row / 10},{row % 3 - 1},{row}" for row in range(12)]


def written(tmp_path, lines, encoding="utf-8"):
    """A CSV of those lines."""
    path = tmp_path / "log.csv"
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    return path


def read(path, **words):
    """The log, cut every four rows where nothing else tells."""
    return load(path, reading=ReadOptions(**{**READING, "horizon": 4, **words}))


@pytest.mark.parametrize("date, form", [("2006-12-16", None), ("16/12/2006", "%d/%m/%Y %H:%M:%S"), ("20061216", None)])
@pytest.mark.parametrize("sign", [",", ";"])
def test_date_and_time_in_two_columns(tmp_path, date, form, sign):
    times = [f"{date},10:{minute:02d}:00" for minute in (0, 1, 2, 3, 30, 31, 32, 33)]
    lines = ["Date,Time,level,valve,r", *(f"{time},{row}" for time, row in zip(times, ROWS, strict=False))]
    path = written(tmp_path, [line.replace(",", sign) for line in lines])
    log = read(path, time=("Date", "Time"), time_format=form, horizon=None)
    assert log.lengths.tolist() == [4, 4]
    form = f'time_format = "{form}"\n' if form else ""
    (tmp_path / "log.toml").write_text(f'time = ["Date", "Time"]\n{form}')
    assert load(path, reading=ReadOptions(**READING)).lengths.tolist() == [4, 4]


def test_dates_that_may_mean_two_things_are_asked_for(tmp_path):
    path = written(tmp_path, ["Date,Time,level,valve,r", *(f"01/02/2006,10:0{n}:00,{n},0,1" for n in range(5))])
    reading = ReadOptions(**READING, time=("Date", "Time"))
    refused(path, "the time '01/02/2006 10:00:00' in row 0", "time_format", reading=reading)
    refused(
        path, "time: there is no column 'Tme' (did you mean 'Time'?)", reading=ReadOptions(**READING, time=("Tme",))
    )


@pytest.mark.parametrize("below", [["m,%,-"], ["m,%,-", "Avg,Smp,Smp"], ["[m],[%],"], ["TS,RN,kg", "a,b,c", "d,e,f"]])
def test_units_below_the_heading(tmp_path, below):
    log = read(written(tmp_path, ["level,valve,r", *below, *ROWS]))
    assert len(log) == 12
    assert log.columns.observations[0].unit == below[0].split(",")[0].strip("[]")
    assert any(f"{len(below)} line{'s' * (len(below) > 1)} below the heading" in note for note in log.notes)


def test_units_that_were_said_outrank_those_in_the_file(tmp_path):
    path = written(tmp_path, ["level,valve,r", "m,%,-", *ROWS])
    (tmp_path / "log.toml").write_text('[units]\nlevel = "cm"\n')
    columns = read(path).columns
    assert (columns.observations[0].unit, columns.actions[0].unit) == ("cm", "%")


@pytest.mark.parametrize("first", ["nan,0,1", ",0,1", "0.5,nan,nan", "NA,NA,NA"])
def test_a_row_of_missing_values_is_no_unit(tmp_path, first):
    log = read(written(tmp_path, ["level,valve,r", first, *ROWS]), missing="drop")
    assert len(log) == 12
    assert not any("below the heading" in note for note in log.notes)


def test_a_column_of_texts_is_no_unit(tmp_path):
    log = read(written(tmp_path, ["state,level,valve,r", *(f"auto,{row}" for row in ROWS)]))
    assert len(log) == 12


@pytest.mark.parametrize("above", [["station 7,x"], ["TOA5,station 7,CR1000,1,2", "a"], ["made by hand", "", "x"]])
def test_text_above_the_heading(tmp_path, above):
    path = written(tmp_path, [*above, "level,valve,r", *ROWS])
    assert len(read(path, skip_rows=len(above))) == 12
    (tmp_path / "log.toml").write_text(f"skip_rows = {len(above)}\n")
    assert len(read(path)) == 12


def test_text_above_the_heading_that_nobody_told_of(tmp_path):
    path = written(tmp_path, ["TOA5,7", "level,valve,r", *ROWS])
    refused(path, "line 2 has 3 values and the heading 2", "skip_rows", reading=ReadOptions(**READING))


def test_lines_below_the_heading_by_number(tmp_path):
    assert len(read(written(tmp_path, ["level,valve,r", *ROWS]), skip_after_heading=4)) == 8
    refused(written(tmp_path, ["level,valve,r", *ROWS]), "skip_rows is 99", reading=ReadOptions(skip_rows=99))


@pytest.mark.parametrize("name", ["skip_rows", "skip_after_heading"])
def test_lines_below_none_are_refused(tmp_path, name):
    path = written(tmp_path, ["level,valve,r", *ROWS])
    refused(path, f"{name} is -1: give a number of lines, 0 or more", reading=ReadOptions(**{**READING, name: -1}))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8"])
@pytest.mark.parametrize("sign", [",", "\t", ";"])
def test_marks_tell_the_encoding(tmp_path, encoding, sign):
    lines = [line.replace(",", sign) for line in ["höhe,valve,r", *ROWS]]
    log = read(written(tmp_path, lines, encoding), observations=("höhe",))
    np.testing.assert_allclose(log.observations[:, 0], np.arange(12) / 10, rtol=1e-6)
    assert not any("last line" in note for note in log.notes)


def test_units_and_utf16_together(tmp_path):
    log = read(written(tmp_path, ["level\tvalve\tr", "°C\t%\t-", *(row.replace(",", "\t") for row in ROWS)], "utf-16"))
    assert log.columns.observations[0].unit == "°C"


@pytest.mark.parametrize("rows", [ROWS, [row.replace(".", ",").replace(",", ";") for row in ROWS]])
def test_no_heading(tmp_path, rows):
    refused(written(tmp_path, rows), "no heading: its first line is numbers", reading=ReadOptions(**READING))


WORDS = [("yes", "no"), ("Yes", "No"), ("TRUE", "FALSE"), ("ja", "nein"), ("Y", "N"), ("on", "off"), ("1", "0")]


@pytest.mark.parametrize("yes, no", WORDS)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_words_for_flags(tmp_path, yes, no, form):
    marks = [yes if row % 4 == 3 else no for row in range(12)]
    path = written(tmp_path, ["level,valve,r,end", *(f"{row},{mark}" for row, mark in zip(ROWS, marks, strict=True))])
    if form == "parquet":
        import pyarrow
        import pyarrow.parquet

        numbers = np.array([row.split(",") for row in ROWS], float)
        table = {"level": numbers[:, 0], "valve": numbers[:, 1], "r": numbers[:, 2], "end": marks}
        path = tmp_path / "log.parquet"
        pyarrow.parquet.write_table(pyarrow.table(table), path)
    assert read(path, terminal="end", horizon=50).terminals.tolist() == [row % 4 == 3 for row in range(12)]


@pytest.mark.parametrize(
    "line, words",
    [
        ("bad,0,1", "column 'level' holds 'bad' in line 5, which is no number"),
        ("1,2", "line 5 has 2 values and the heading 3"),
        ("1,2,3,4", "line 5 has 4 values and the heading 3"),
    ],
)
def test_errors_name_line_and_column_in_our_words(tmp_path, line, words):
    path = written(tmp_path, ["level,valve,r", *ROWS[:3], line, *ROWS])
    message = refused(path, words, reading=ReadOptions(**READING, horizon=4))
    assert "CSV" not in str(message)


def test_a_flag_that_is_neither(tmp_path):
    path = written(tmp_path, ["level,valve,r,end", *(f"{row},no" for row in ROWS[:3]), "1,0,1,maybe"])
    refused(path, "column 'end' holds 'maybe' in line 5", reading=ReadOptions(**READING, terminal="end"))


@pytest.mark.parametrize(
    "encoding, words",
    [
        (None, "column 'mode' in line 13 is not written in UTF-8"),
        ("ascii", "can't decode byte 0xfc"),
        ("utf-16", "UTF-16 stream"),
    ],
)
def test_texts_in_another_encoding_ask_for_it(tmp_path, encoding, words):
    path = written(tmp_path, ["level,valve,r,mode", *(f"{row},on" for row in ROWS[1:]), f"{ROWS[0]},für"], "latin-1")
    reading = ReadOptions(**READING, episode="mode", encoding=encoding)
    refused(path, words, ": give its encoding (--encoding latin-1, for one)", reading=reading)
    assert len(load(path, reading=ReadOptions(**READING, episode="mode", encoding="latin-1"))) == 12
