"""Times as people's programs write them: fractions of a second, halves of the day, zones; read as `data init` says."""

import tomllib

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
