"""Columns of Arrow to NumPy: every kind, what is refused in whole sentences, what is carried from batch to batch."""

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from micro_rl.data import ReadOptions
from micro_rl.data.description import Description
from micro_rl.data.readers import arrow_columns, csv_table, csv_text, parquet_table, text_times
from micro_rl.data.readers.arrow_columns import Changes, Steps
from micro_rl.errors import UserError

LOG = Path("log.csv")


def refusal(read, *arguments) -> str:
    with pytest.raises(UserError) as caught:
        read(*arguments)
    return str(caught.value)


def test_flags_are_numbers_words_or_nothing():
    words = pa.array(["yes", " No ", "1", "0", "", None, "WAHR", "f", "oui", "off"])
    values, silent = arrow_columns.flags(LOG, "end", words)
    assert values.tolist() == [True, False, True, False, False, False, True, False, True, False]
    assert silent.tolist() == [4, 5]
    for column in (pa.array([1, 0, None]), pa.array([True, False, None]), pa.array([1.0, 0.0, None])):
        values, silent = arrow_columns.flags(LOG, "end", column)
        assert (values.tolist(), silent.tolist()) == ([True, False, False], [2])
    coded = pa.array(["ja", "nein", "ja"]).dictionary_encode()
    assert arrow_columns.flags(LOG, "end", coded)[0].tolist() == [True, False, True]


LONG = "x" * 50


@pytest.mark.parametrize(
    ("read", "column", "message"),
    [
        (
            arrow_columns.flags,
            pa.array(["yes", LONG, "what"]),
            f"log.csv: column 'c' must be 0 or 1, true or false, yes or no, but holds '{LONG[:40]}'",
        ),
        (
            arrow_columns.flags,
            pa.array([0.0, 1.0, 0.1234567, 3.0]),
            "must be 0 or 1, true or false, but holds 0.123457",
        ),
        (
            arrow_columns.texts,
            pa.array([[1], [2]]),
            "log.csv: column 'c' holds list<item: int64>, no texts: leave it out",
        ),
        (arrow_columns.numbers, pa.array(["a"]), "column 'c' holds no numbers (string): leave it out or convert it"),
    ],
)
def test_what_is_no_such_column(read, column, message):
    assert refusal(read, LOG, "c", column).endswith(message)


def test_texts_and_numbers():
    assert arrow_columns.texts(LOG, "c", pa.array(["a", None, "b"]).dictionary_encode()).tolist() == ["a", "", "b"]
    assert arrow_columns.texts(LOG, "c", pa.array([1, 2])).tolist() == ["1", "2"]
    assert arrow_columns.numbers(LOG, "c", pa.array([True, False])).tolist() == [1.0, 0.0]
    np.testing.assert_array_equal(arrow_columns.numbers(LOG, "c", pa.array([2, None])), [2, np.nan])
    np.testing.assert_array_equal(arrow_columns.numbers(LOG, "c", pa.nulls(2)), [np.nan, np.nan])


def test_changes_go_on_from_batch_to_batch():
    changes = Changes(LOG, "batch")
    assert changes(pa.array(["a", "a", "b"])).tolist() == [True, False, True]
    assert changes(pa.array(["b", "c", "a", "a"])).tolist() == [False, True, True, False]
    assert changes(pa.array(["b"])).tolist() == [True]
    assert changes.again == [5, 7]
    assert refusal(changes, pa.array(["b", None])) == "log.csv: the episode column 'batch' is empty in row 9: fill it"
    assert refusal(Changes(LOG, "batch"), pa.array([0.0, np.nan])).endswith("'batch' is empty in row 1: fill it")
    assert refusal(changes, pa.array([[1]])) == (
        "log.csv: the episode column 'batch' holds list<item: int64>: use plain values"
    )


@pytest.mark.parametrize(
    ("unit", "batches", "seconds"),
    [
        (None, ([0.0, 1.5], [2.0]), [0, 1.5, 0.5]),
        ("min", ([5, 6], [6.5, 4]), [0, 60, 30, -150]),
        ("h", ([1, 2],), [0, 3600]),
        ("d", ([1, 2],), [0, 86400]),
        ("ms", ([0, 250],), [0, 0.25]),
        ("us", ([0, 250],), [0, 0.00025]),
        ("ns", ([0, 250],), [0, 2.5e-7]),
    ],
)
def test_steps_in_seconds(unit, batches, seconds):
    steps = Steps(LOG, "t", unit)
    np.testing.assert_allclose(np.concatenate([steps(pa.array(batch)) for batch in batches]), seconds)


def test_steps_of_dates():
    days = pa.array([datetime.date(2026, 1, 1), datetime.date(2026, 1, 3)])
    assert Steps(LOG, "t", None)(days).tolist() == [0, 2 * 86400]
    times = pa.array([0, 90], pa.timestamp("s"))
    assert Steps(LOG, "t", None)(times).tolist() == [0, 90]
    assert Steps(LOG, "t", None)(times.cast(pa.timestamp("ms"))).tolist() == [0, 90]
    assert refusal(Steps(LOG, "t", "s"), times) == "log.csv: 't' holds dates, not numbers: leave time_unit out"


def test_steps_that_are_none():
    steps = Steps(LOG, "t", None)
    steps(pa.array([0.0, 1.0, 2.0]))
    assert refusal(steps, pa.array([3.0, np.inf, np.nan])) == (
        "log.csv: the time column 't' is no number in row 4: repair it"
    )
    assert refusal(steps, pa.array([3.0, 4.0, None])) == "log.csv: the time column 't' is empty in row 5: fill it"
    assert refusal(steps, pa.array([LONG])) == (
        f"log.csv: the time column 't' holds text ('{LONG[:40]}'): say how it is written with time_format "
        "(--time-format)"
    )


def dated(days, hours) -> pa.RecordBatch:
    return pa.record_batch({"day": pa.array(days, pa.string()), "hour": pa.array(hours, pa.string())})


@pytest.mark.parametrize(
    ("day", "hour", "form"),
    [
        ("2026-01-02", "03:04:05", None),
        ("2026/01/02", "03:04:05", None),
        ("20260102", " 03:04:05", "%Y%m%d  %H:%M:%S"),
        ("02.01.2026", "03:04:05", "%d.%m.%Y %H:%M:%S"),
    ],
)
def test_times_in_two_columns(day, hour, form):
    [time] = text_times.joined(LOG, dated([day], [hour]), ("day", "hour"), form, 0).to_pylist()
    assert time == datetime.datetime(2026, 1, 2, 3, 4, 5)


def test_times_in_two_columns_that_are_none():
    def joined(days, hours, form=None):
        return refusal(text_times.joined, LOG, dated(days, hours), ("day", "hour"), form, 100)

    assert joined(["2026-01-02", None], ["03:04", "03:04"]) == (
        "log.csv: the time in 'day' and 'hour' is empty in row 101: fill it"
    )
    how = "say how with time_format (--time-format '%d/%m/%Y %H:%M:%S', for one), a space between date and time"
    rows = ["2026-01-02", "2026-01-02", LONG], ["03:04"] * 3
    assert joined(*rows) == f"log.csv: the time '{LONG[:40]}' in row 102 is not written in a way known: {how}"
    assert joined(*rows, "%d.%m.%Y %H:%M") == (
        f"log.csv: the time '2026-01-02 03:04' in row 100 is not written as %d.%m.%Y %H:%M: {how}"
    )


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([["[m]", "[s]"], ["1", "2"], ["3", "4"]], 1),
        ([["m", "s"], ["raw", "raw"], ["1", "2"]], 2),
        ([["m"], ["a"], ["b"], ["c"], ["1"], ["2"]], 4),
        ([["m"], ["a"], ["b"], ["c"], ["d"], ["1"]], 0),
        ([["1"], ["2"]], 0),
        ([["", "-"], ["1", "2"]], 0),
        ([["m", "5"], ["1", "2"]], 0),
        ([["m", "name"], ["1", "text"], ["", "other"]], 1),
        ([["m"], ["none"], ["-"]], 0),
        ([["m"]], 0),
        ([["m", "s"], ["1"], ["2", "3"]], 1),
        ([["m"], *[["1"]] * 23, ["late text"]], 1),
        ([["m"], *[["1"]] * 22, ["late text"]], 0),
    ],
)
def test_rows_of_units_below_a_heading(rows, count):
    assert csv_text.rows_of_text(rows, ".") == count


@pytest.mark.parametrize(
    ("cell", "decimal", "is_one"),
    [("1.5", ".", True), ("1,5", ".", False), (" 1,5 ", ",", True), ("1.5", ",", True), ("x", ",", False)],
)
def test_numbers_in_cells(cell, decimal, is_one):
    assert csv_text.number(cell, decimal) is is_one


def test_units_by_name():
    cells = ["[m]", " (s) ", "-", "N/A", "u" * 40, "v" * 41]
    assert csv_text.units(cells, list("abcdef")) == {"a": "m", "b": "s", "e": "u" * 40}


OF_B = "In CSV column 'b': CSV conversion error"
COLUMNS = "CSV parse error: Expected 3 columns, got 2: 1,2"


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (
            COLUMNS,
            "line 4 has 2 values and the heading 3, as with another delimiter, text above the heading (skip_rows) or a "
            "comma within a number",
        ),
        (f"{OF_B} to double: invalid value 'x'", "column 'b' holds 'x' in line 3, which is no number"),
        (
            f"{OF_B} to bool: invalid value 'y'",
            "column 'b' holds 'y', which is neither 0 nor 1, nor true, false, yes, no",
        ),
        (f"{OF_B} to timestamp: invalid value '2'", "column 'b' holds '2' in line 2, which is no such time"),
        (f"{OF_B} to int64: invalid value '{LONG}'", f"column 'b' holds '{LONG[:40]}...', which is no int64"),
        (f"{OF_B} to int64: invalid value '{LONG[:40]}'", f"column 'b' holds '{LONG[:40]}', which is no int64"),
        ("In CSV column 'z': CSV conversion error to double: invalid value 'x'", None),
        ("something else", None),
    ],
)
def test_what_arrow_could_not_read_is_told_by_line_and_column(reason, told):
    rows = [(1, ["a", "b", "c"]), (2, ["1", "2", "3"]), (3, ["1", "x", "3"]), (4, ["1", "2"])]
    assert csv_text.explained(LOG, reason, iter(rows), ["a", "b", "c"]) == told


def test_what_is_told_needs_the_line():
    assert csv_text.explained(LOG, COLUMNS, iter([(1, ["a", "b", "c"])]), ["a", "b", "c"]) is None


@pytest.mark.parametrize(
    ("names", "decimal", "told"),
    [
        (["1", "2.5"], ".", "(1, 2.5)"),
        (["1", "2", "3", "4"], ".", "(1, 2, 3, ...)"),
        (["1", "2,5", "3"], ".", "(1, 2,5, 3)"),
        (["1"], ".", None),
        (["1", "b"], ".", None),
    ],
)
def test_a_heading_of_numbers_is_none(names, decimal, told):
    if told is None:
        csv_text.refuse_numbers(LOG, names, decimal)
        return
    assert refusal(csv_text.refuse_numbers, LOG, names, decimal) == (
        f"log.csv: no heading: its first line is numbers {told}: add a line with the columns' names"
    )


def test_what_arrow_said_is_cut_short():
    written = "correct it, use other columns, or say how the file is written "
    written += "(delimiter, decimal, encoding, missing_values, time_format)"
    for length, shown in ((201, 200), (200, 200)):
        told = csv_table.explained(LOG, Description(), "x" * length)
        assert told == f"cannot be read as CSV ({'x' * shown}): {written}"
        told = parquet_table.explained(LOG, Description(), "x" * length)
        assert told == f"cannot be read as Parquet ({'x' * shown}): fetch or write it again"
    commas = "conversion error to double: invalid value '-1,5'"
    assert csv_table.remedy(Description(), commas) == "are these decimal commas? Say decimal = ',' (--decimal ,)"
    assert csv_table.remedy(Description(ReadOptions(decimal=",")), commas) == written
