"""Times as people's programs write them: fractions of a second, halves of the day, zones; read as `data init` says."""

import re
import tomllib
from dataclasses import replace

import pytest

from micro_rl.data import ReadOptions, load
from micro_rl.data.guesses.description import draft
from tests.data.test_loading import refused

HALVES = ["01.02.2024 10:00:00", "01.02.2024 10:00:00.500", "01.02.2024 10:00:01.000", "01.02.2024 10:00:01,5"]


def written(path, times):
    """A table of those times, a row each, a semicolon between date and time of day or none."""
    heading = ("Date;Time" if ";" in times[0] else "Date") + ";x;valve;r"
    rows = [f"{time};{row}.5;{row % 2 / 2 + 0.25};1" for row, time in enumerate(times)]
    path.write_text("\n".join([heading, *rows]) + "\n")
    return path


def reading(time, time_format):
    return ReadOptions(observations=("x",), actions=("valve",), reward="r", time=time, time_format=time_format)


@pytest.mark.parametrize(
    ("times", "time_format"),
    [
        (HALVES, "%d.%m.%Y %H:%M:%S"),
        (HALVES[:3], "%d.%m.%Y %H:%M:%S.%f"),
        ([time.replace(" ", ";") for time in HALVES], "%d.%m.%Y %H:%M:%S"),
        (["2024-02-01 10:00:00,500", "2024-02-01 10:00:01,000"], None),
        (["2024-02-01T10:00:00,500", "2024-02-01T10:00:01,000"], None),
        (["2024-02-01;10:00:00.500", "2024-02-01;10:00:01.000"], None),
        (["20240201100000.5", "20240201100001"], "%Y%m%d%H%M%S"),
        (["10.00.00:500", "10.00.01:000"], "%H.%M.%S:%f"),
        (["02/01/2024 11:59:59.500 AM", "02/01/2024 12:00:00 PM"], "%m/%d/%Y %I:%M:%S %p"),
        (["27.10.2024 02:59:59.5 +0200", "27.10.2024 02:00:00 +0100"], "%d.%m.%Y %H:%M:%S %z"),
    ],
)
def test_half_a_second_from_row_to_row(tmp_path, times, time_format):
    path = written(tmp_path / "log.csv", times)
    log = load(path, reading=reading(("Date", "Time") if ";" in times[0] else "Date", time_format))
    assert (log.step_seconds, log.lengths.tolist()) == (0.5, [len(times)])


def test_names_of_zones_are_refused_since_they_would_be_passed_over(tmp_path):
    times = ["27.10.2024 02:59:59.5 CEST", "27.10.2024 02:00:00 CET"]
    path = written(tmp_path / "log.csv", times)
    refused(path, "names of zones (%Z) are not read", reading=reading("Date", "%d.%m.%Y %H:%M:%S %Z"))
    path = written(tmp_path / "utc.csv", [time.replace("CEST", "UTC").replace("CET", "UTC") for time in times[::-1]])
    assert load(path, reading=reading("Date", "%d.%m.%Y %H:%M:%S UTC")).step_seconds == 3599.5


@pytest.mark.parametrize("between", [" ", "T"])
def test_times_of_several_zones_are_read_in_utc_and_those_without_one_refused(tmp_path, between):
    zoned = [f"2024-10-27{between}02:59:59+02:00", f"2024-10-27{between}02:00:00+01:00"]
    path = written(tmp_path / "log.csv", zoned)
    log = load(path, reading=reading("Date", None))
    assert (log.step_seconds, log.lengths.tolist()) == (1.0, [2])
    path = written(tmp_path / "mixed.csv", [zoned[0], zoned[1].removesuffix("+01:00")])
    refused(path, "in line 3, which is no such time", reading=reading("Date", None))


def test_a_time_that_is_not_written_so_is_named_with_its_line(tmp_path):
    path = written(tmp_path / "log.csv", [*HALVES, "1 Feb 2024"])
    words = "column 'Date' holds '1 Feb 2024' in line 6, which is no such time"
    refused(path, words, reading=reading("Date", "%d.%m.%Y %H:%M:%S"))


@pytest.mark.parametrize(("unit", "second"), [("ns", 10**9), ("us", 10**6), ("ms", 1000), (None, 1)])
def test_a_unit_of_numbers_is_guessed_by_their_size(tmp_path, unit, second):
    path = written(tmp_path / "log.csv", [str((1_700_000_000 + 30 * row) * second) for row in range(3)])
    path.write_text(path.read_text().replace("Date", "timestamp"))
    text = draft(path).text
    assert tomllib.loads(text).get("time_unit") == unit
    path.with_suffix(".toml").write_text("reward = 'x'\n" + text)
    assert load(path).step_seconds == pytest.approx(30)


@pytest.mark.parametrize(
    ("times", "time_format"),
    [
        ([time.replace("01.02", "13.02") for time in HALVES], "%d.%m.%Y %H:%M:%S"),
        (["13.02.2024;10:00:00.500", "13.02.2024;10:00:01.000"], "%d.%m.%Y %H:%M:%S"),
        (["02/13/2024 11:59:59.500 AM", "02/13/2024 12:00:00 PM"], "%m/%d/%Y %I:%M:%S %p"),
        (["2024-02-13;11:59:59.500 AM", "2024-02-13;12:00:00 PM"], "%Y-%m-%d %I:%M:%S %p"),
        (["2024-02-01 10:00:00,500", "2024-02-01 10:00:01,000"], None),
        (["2024-10-27T02:59:59.500+02:00", "2024-10-27T02:00:00.000+01:00"], None),
    ],
)
def test_what_data_init_proposes_is_read(tmp_path, times, time_format):
    path = written(tmp_path / "log.csv", times)
    text = draft(path).text
    assert tomllib.loads(text).get("time_format") == time_format and "0.5 s from row to row" in text
    path.with_suffix(".toml").write_text("reward = 'x'\n" + text)
    assert load(path).step_seconds == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "times", "time_format", "second"),
    [
        ("When", ["20240330235800", "20240330235900", "20240331000000"], "%Y%m%d%H%M%S", 60),
        ("stamp", ["20240330235800.0", "20240330235900.0", "20240331000000.0"], "%Y%m%d%H%M%S", 60),
        ("When", ["202403302358", "202403302359", "202403310000"], "%Y%m%d%H%M", 60),
        ("Date", ["20240330", "20240331", "20240401"], "%Y%m%d", 86400),
        ("Date;Time", ["20240331;23:58:00", "20240331;23:59:00", "20240401;00:00:00"], "%Y%m%d %H:%M:%S", 60),
        ("Date;Time", ["20240331;23:57:00", "20240331;23:58:00", "20240331;23:59:00"], "%Y%m%d %H:%M:%S", 60),
    ],
)
def test_dates_in_digits_are_guessed_and_read(tmp_path, name, times, time_format, second):
    path = written(tmp_path / "log.csv", times)
    path.write_text(path.read_text().replace("Date;Time" if ";" in name else "Date", name))
    text = draft(path).text
    table = tomllib.loads(text)
    assert (table["time_format"], table["observations"], "time_unit" in table) == (time_format, ["x"], False)
    path.with_suffix(".toml").write_text("reward = 'x'\n" + text)
    assert load(path).step_seconds == second and f"{second} s from row to row" in text


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("time", ["20240330", "20240332", "20240401"]),
        ("level", ["20240330", "20240331", "20240401"]),
        ("lot", ["20240330180000", "20240330180000", "20240331180000"]),
        ("time", ["20240330180000", "20240330180060", "20240330180120"]),
    ],
)
def test_other_numbers_are_no_dates_in_digits(tmp_path, name, numbers):
    path = written(tmp_path / "log.csv", numbers)
    path.write_text(path.read_text().replace("Date", name))
    assert "time_format" not in draft(path).text


@pytest.mark.parametrize(
    ("first", "step", "unit"),
    [
        (45381.75, 60 / 86400, "d"),
        (45381.75, 900 / 86400, "d"),
        (45381.75, 1 / 86400, "d"),
        (36000.5, 0.01, None),
        (36000.5, 0.5, None),
        (36000, 60, None),
        (0.5, 60 / 86400, None),
    ],
)
def test_a_spreadsheets_days_are_guessed_by_their_size_and_pace(tmp_path, first, step, unit):
    path = written(tmp_path / "log.csv", [f"{first + row * step:.8f}" for row in range(9)])
    path.write_text(path.read_text().replace("Date", "time"))
    text = draft(path).text
    assert tomllib.loads(text).get("time_unit") == unit
    path.with_suffix(".toml").write_text("reward = 'x'\n" + text)
    assert load(path).step_seconds == pytest.approx(step * (86400 if unit else 1), rel=1e-3)


@pytest.mark.parametrize(
    ("times", "unit", "words"),
    [
        (
            [1711821600000, 1711821660000],
            None,
            r"holds 1711821660000, read as seconds, .* time_unit = 'ms' \(--time-unit\)",
        ),
        ([1711821600000000, 1711821660000000], "s", "time_unit = 'us'"),
        (
            [20240330180000, 20240330180100],
            None,
            r"\(20240330180000, %Y%m%d%H%M%S\), read as a count of seconds: say how",
        ),
        ([20240330180000, 20240330180100], "ms", "read as a count of ms: say how it is written with time_format"),
        ([20240330, 20240331], None, r"\(20240330, %Y%m%d\), read as a count of seconds"),
        ([1711821600, 1711821660], None, None),
        ([13356295200, 13356295260], None, "say in which unit it counts, as in time_unit = 's'"),
        ([13356295200, 13356295260], "s", None),
        ([1711821600000, 1711821660000], "ms", None),
        ([45381.75, 45381.76], "d", None),
        ([738000.75, 738000.76], "d", None),
    ],
)
def test_numbers_that_can_be_no_seconds_are_noted(tmp_path, times, unit, words):
    path = written(tmp_path / "log.csv", list(map(str, times)))
    log = load(path, reading=replace(reading("Date", None), time_unit=unit))
    notes = [note for note in log.notes if "the time column" in note]
    assert len(notes) == (words is not None) and (words is None or re.search(words, notes[0]))
    if words:
        words = replace(reading("Date", None), time_unit=unit, resample=("5min",))
        refused(path, notes[0], reading=words)
