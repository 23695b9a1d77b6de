"""Times in Parquet: texts and digits are read as in a CSV, and files of one folder may count in other units."""

import datetime

import pyarrow as pa
import pytest
from pyarrow import parquet

from micro_rl.data import ReadOptions, load
from tests.data.test_loading import refused

GERMAN = "%d.%m.%Y %H:%M:%S"
START = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)


def written(path, times):
    columns = {"x": [row / 7 for row in range(len(times))], "valve": [row % 2 / 2 for row in range(len(times))]}
    parquet.write_table(pa.table(columns | {"r": columns["x"], "t": times}), path)
    return path


def reading(time_format=None):
    return ReadOptions(observations=("x",), actions=("valve",), reward="r", time="t", time_format=time_format)


@pytest.mark.parametrize(
    ("times", "time_format"),
    [
        (pa.array([f"2024-01-01 00:0{minute}:00" for minute in range(4)]), None),
        (pa.array([f"2024-01-01 00:0{minute}:00" for minute in range(4)], pa.large_string()).dictionary_encode(), None),
        (pa.array([f"01.02.2024 00:0{minute}:00" for minute in range(4)]), GERMAN),
        (pa.array([20240101000000 + 100 * minute for minute in range(4)]), "%Y%m%d%H%M%S"),
        (pa.array([20240101000000.0 + 100 * minute for minute in range(4)]), "%Y%m%d%H%M%S"),
    ],
)
def test_texts_and_digits_are_times(tmp_path, times, time_format):
    log = load(written(tmp_path / "log.parquet", times), reading=reading(time_format))
    assert (log.step_seconds, log.lengths.tolist()) == (60.0, [4])


@pytest.mark.parametrize(
    ("times", "time_format", "words"),
    [
        (["01.02.2024 00:00:00"], None, "holds text ('01.02.2024 00:00:00'): say how it is written with time_format"),
        (["01.02.2024 00:00:00", "?"], GERMAN, "the time column 't' holds '?' in row 1, which is no such time: repair"),
        (["2024-01-01 00:00:00", "?"], None, "the time column 't' holds '?' in row 1, which is no such time: repair"),
        (["2024-01-01 00:00:00", None], None, "the time column 't' is empty in row 1: fill it"),
        ([20240101000000, None], "%Y%m%d%H%M%S", "the time column 't' is empty in row 1: fill it"),
        ([START], GERMAN, "the time column 't' holds timestamp[us, tz=UTC], no text: leave time_format out"),
        ([START], "%H %Z", "names of zones (%Z) are not read"),
    ],
)
def test_what_is_no_time(tmp_path, times, time_format, words):
    refused(written(tmp_path / "log.parquet", pa.array(times)), words, reading=reading(time_format))


@pytest.mark.parametrize("units", [("us", "ms"), ("ms", "us"), ("s", "ns"), ("ns", "s")])
def test_files_of_a_folder_may_count_in_other_units(tmp_path, units):
    minutes = [START + datetime.timedelta(minutes=minute) for minute in range(8)]
    for file, (unit, times) in enumerate(zip(units, (minutes[:4], minutes[4:]), strict=True)):
        written(tmp_path / f"log_{file}.parquet", pa.array(times, pa.timestamp(unit, "UTC")))
    log = load(tmp_path, reading=reading())
    assert (log.step_seconds, log.lengths.tolist()) == (60.0, [8])


def test_a_folder_of_dates_and_numbers_is_refused(tmp_path):
    written(tmp_path / "log_0.parquet", pa.array([START]))
    written(tmp_path / "log_1.parquet", pa.array([1.0]))
    refused(tmp_path, "'t' holds dates in some files and numbers in others: write them alike", reading=reading())
