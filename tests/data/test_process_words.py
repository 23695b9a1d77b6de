"""Words of a description: filling, resampling, and what does not fit a file of arrays."""

from pathlib import Path

import pytest

from micro_rl.data import load
from micro_rl.data.process_words import Filling, Resampling, filling, resampling
from micro_rl.data.toml_file import check_reading
from tests.data import logs
from tests.data.noise import refusal


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("a=linear", "b*=previous", "limit=1"), Filling({"a": "linear", "b*": "previous"}, 1)),
        (("a=linear", "limit=1000000"), Filling({"a": "linear"}, 1_000_000)),
        (("limit=linear", "a=linear", "limit=3"), None),
        (("a=linear", "limit=0"), None),
        (("a=linear", "limit=1000001"), None),
        (("a=linear",), None),
    ],
)
def test_words_of_filling(words, expected):
    if expected is None:
        assert refusal(filling, words, "x").startswith("x: fill: ")
    else:
        assert filling(words, "x") == expected


def test_a_number_fills_nothing():
    assert refusal(filling, ("a=5", "limit=3"), "x") == "x: fill: a is '5': choose linear or previous"


def test_words_of_resampling():
    assert resampling((" 5min ", "a=sum", "b=last"), "x") == Resampling(300, "5min", {"a": "sum", "b": "last"})
    assert [resampling((text,), "x").seconds for text in ("30s", "1h", "0.5min")] == [30, 3600, 30]
    near = "x: resample: a is 'median' (did you mean 'mean'?): choose mean or last or sum"
    assert refusal(resampling, ("5min", "a=median"), "x") == near


def test_reading_of_another_type():
    words = "reading: must be a micro_rl.data.ReadOptions, as in ReadOptions(observations=('level',))"
    assert refusal(check_reading, 5) == words


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('exogenous = ["o*"]', "exogenous names every observation: then no action has an effect; leave some out"),
        ("[bounds]\nb0 = [0, 1]", "bounds: there is no column 'b0'"),
        ('termination = "o0 + 1"', "termination: 'o0 + 1' is a number: compare it, as in level > 4"),
        ("[task]\nhorizn = 5", "task: there is no key 'horizn' (did you mean 'horizon'?)"),
        ("x", "is no TOML ("),
        ('where = "o0 > 1"', "where is for CSV and Parquet, and this file is neither: leave it out"),
    ],
)
def test_words_that_do_not_fit_a_file_of_arrays(tmp_path: Path, toml, message):
    path = logs.write_hdf5(tmp_path / "log.hdf5", logs.columns())
    path.with_suffix(".toml").write_text(toml + "\n")
    assert message in refusal(load, path)
