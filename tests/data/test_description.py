"""The TOML beside a log: every key, what it does, and what is wrong with it."""

import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micro_rl.data import Column, ReadOptions, load
from micro_rl.data.description import Description, describe
from micro_rl.data.toml_file import ONLY_IN_TOML
from micro_rl.errors import UserError
from tests.data import logs
from tests.data.test_loading import refused


def described(path, text):
    """The log with that TOML beside it."""
    path.with_suffix(".toml").write_text(text)
    return path


@pytest.fixture
def arrays(tmp_path):
    """A file of arrays, for which a TOML may say names, units, bounds, a time limit and a rule."""
    return logs.write_hdf5(tmp_path / "log.hdf5", logs.columns())


def test_arrays_are_described_too(arrays):
    before = load(arrays)
    text = """
        observations = ["level", "tank temperature"]
        actions = ["valve"]
        termination = "level > 4 or `tank temperature` > 90"
        [units]
        level = "m"
        [bounds]
        valve = [-1, 3]
    """
    log = load(described(arrays, text))
    assert log.columns.observations == (Column("level", "m"), Column("tank temperature"))
    assert log.columns.actions == (Column("valve"),)
    assert log.action_high == 3
    assert log.termination is not None
    values = {"level": np.array([1.0, 5.0]), "tank temperature": np.array([20.0, 20.0])}
    np.testing.assert_array_equal(log.termination(values), [False, True])
    assert log.sha256 != before.sha256


EXPORT = """\
stamp;batch;level;temp_1;temp_2;valve;heat [kW];tripped;cut;mode;shift
01.03.2025 09:59:59;1;1,5;20;21;10;0,5;0;0;MAN;early
01.03.2025 10:00:00;1;1,5;20;21;10;0,5;0;0;AUTO;early
01.03.2025 10:00:01;1;1,75;20;Bad Input;20;1;0;0;AUTO;early
01.03.2025 10:00:30;1;2;20;22;30;1;0;1;AUTO;late
01.03.2025 10:00:31;2;4,75;20;23;40;2;1;0;AUTO;late
"""


def test_the_documented_example_is_complete_and_true(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "guides" / "data.md").read_text()
    text = page.partition("```toml\n")[2].partition("```")[0]
    known = {field.name for field in fields(ReadOptions)} - {"part"} | {*ONLY_IN_TOML} - {"provenance"}
    assert [key for key in known if not re.search(rf"^(# |\[)?{key}(\]| =)", text, re.MULTILINE)] == []
    (tmp_path / "pump.csv").write_text(EXPORT, "latin-1")
    log = load(described(tmp_path / "pump.csv", text))
    np.testing.assert_array_equal(log.lengths, [2, 1, 1])
    assert log.groups is not None and log.groups.tolist() == ["early", "early", "late", "late"]
    np.testing.assert_array_equal(log.observations[:, 2], [21, 21, 22, 23])
    np.testing.assert_allclose(log.rewards[0], -0.55, rtol=1e-6)
    assert [str(column) for column in log.columns.observations] == ["level [m]", "temp_1 [°C]", "temp_2"]
    np.testing.assert_array_equal(log.action_high, [100, 5])
    assert log.termination is not None and log.terminals.sum() == 1
    assert log.exogenous == (2,)


def test_flags_outrank_the_toml(arrays):
    described(arrays, 'action_bounds = [-2, 2]\nhorizon = 7\nobservations = ["p", "q"]')
    assert describe(arrays, ReadOptions(horizon=3)).reading == ReadOptions(3, (-2.0, 2.0), ("p", "q"))
    assert load(arrays).action_high == 2
    assert load(arrays, reading=ReadOptions(action_bounds=(-4.0, 4.0))).action_high == 4
    assert load(arrays, action_low=-5, action_high=5).action_high == 5


def test_no_toml_says_nothing(arrays):
    assert describe(arrays, ReadOptions(horizon=3)) == Description(ReadOptions(horizon=3), text="horizon = 3\n")


def test_what_was_said_is_kept_as_toml_the_flags_above_the_files_words(arrays):
    assert load(arrays).mapping == ""
    assert load(arrays, reading=ReadOptions(horizon=9)).mapping == "horizon = 9\n"
    text = '# a tank\naction_bounds = [-2, 2]\nactions = ["a [°C]"]\n'
    described(arrays, text)
    assert load(arrays).mapping == text
    mapping = load(arrays, reading=ReadOptions(observations=("p", "q"), horizon=9)).mapping
    assert mapping == f'# by a flag: horizon = 9\n# by a flag: observations = ["p", "q"]\n{text}'


@pytest.mark.parametrize(
    "text, words",
    [
        ("observatoins = ['x']", "no key 'observatoins' (did you mean 'observations'?); known: horizon,"),
        ("[unit]\nx = 'm'", "did you mean 'units'?"),
        ("horizon = ", "is no TOML (Invalid value (at "),
        ("horizon = 'x'", "horizon must be a whole number, not 'x'"),
        ("horizon = 1.5", "horizon must be a whole number"),
        ("horizon = true", "horizon must be a whole number"),
        ("reward = 3", "reward must be text in quotes, not 3"),
        ("largest_gap = nan", "largest_gap must be a number, not nan"),
        ("missing = 'drp'", "missing must be one of refuse, drop, previous, not 'drp'"),
        ("time_unit = 'y'", "time_unit must be one of ns, us, ms"),
        ("observations = 'x'", 'observations must be a list of names, as in ["first", "second"], not \'x\''),
        ("observations = [1]", "must be a list of names"),
        ("action_bounds = [1, -1]", "action_bounds must be two numbers, the lower first"),
        ("action_bounds = [1]", "must be two numbers"),
        ("action_bounds = [-inf, inf]", "must be two numbers"),
        (f"action_bounds = [0, {'9' * 400}]", "must be two numbers"),
        ("bounds = 3", "bounds must be a table"),
        ("[bounds]\na0 = 3", "bounds of 'a0' must be two numbers"),
        ("[bounds]\na0 = [0, 1]\nhorizon = 3", "horizon stands below [bounds], which is for columns alone"),
        ("[bounds]\nvalve = [0, 1]", "bounds: there is no column 'valve'; columns: a0"),
        ("[bounds]", "neither"),
        ("[units]\no0 = 3", "units of 'o0' must be text"),
        ("[units]\noo = 'm'", "units: there is no column 'oo'"),
        ("observations = ['x']", "observations must name its 2 columns, each by another name, not 1"),
        ("observations = ['x', 'x']", "each by another name"),
        ("termination = 'o0'", "termination: 'o0' is a number: compare it"),
        ("termination = 'o3 > 1'", "termination: 'o3 > 1' names 'o3', no column"),
        ("episode = 'run'", "episode is for CSV and Parquet"),
        ("missing_values = ['x']", "missing_values is for CSV and Parquet"),
        ("x = " + "[" * 2000, "is no TOML"),
    ],
)
def test_refused(arrays, text, words):
    if words == "neither":
        assert len(load(described(arrays, text))) == 9
        return
    assert words in refused(described(arrays, text))


def test_a_toml_that_cannot_be_read(arrays):
    arrays.with_suffix(".toml").write_bytes(b"\xff\xfe")
    refused(arrays, "is not UTF-8")
    arrays.with_suffix(".toml").write_bytes(b"#" * 2**21)
    refused(arrays, "larger than")


@given(st.text(alphabet="abcdorewhiznmtupl_ =[]{}'\"\n.,#0123456789-", max_size=60))
def test_any_text_is_a_description_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("toml", numbered=True) / "log.hdf5"
    described(path, text)
    try:
        assert isinstance(describe(path, ReadOptions()), Description)
    except UserError as error:
        assert "\n" not in str(error)
