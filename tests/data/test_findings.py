"""Errors and warnings about a log, all of them found in one look."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from micro_rl.data.assemble import Overrides, examine
from micro_rl.data.checks import findings
from micro_rl.data.raw_log import RawLog
from tests.data import logs
from tests.data.test_loading import refused


def findings_of(arrays, tmp_path, horizon=None):
    """Everything that is found in those columns, by kind."""
    path = logs.write_hdf5(tmp_path / "hopper.hdf5", arrays)
    raw = RawLog(arrays, {key: key for key in arrays}, None, None)
    return {finding.kind: finding for finding in examine(path, "d4rl-hdf5", raw, Overrides(horizon=horizon)).findings}


def test_every_error_is_found_and_the_refusal_counts_them(tmp_path):
    columns = logs.columns()
    columns["observations"][[1, 4], 0] = np.nan
    columns["rewards"][5] = np.inf
    columns["actions"][7] = -3
    columns["terminals"] = columns["terminals"].astype(np.int8)
    columns["terminals"][0] = 2
    everything = findings_of(columns, tmp_path)
    assert set(everything) == {"not-finite", "flag", "out-of-bounds"}
    assert everything["flag"].rows == (0,)
    assert everything["out-of-bounds"].rows == (7,)
    assert everything["not-finite"].rows == (5,)
    refused(tmp_path / "hopper.hdf5", "observations (o0) holds NaN", "3 more errors")


def test_actions_past_the_usual_bounds_of_a_log_that_records_none(tmp_path):
    columns = logs.columns()
    columns["actions"][7] = -3
    logs.write_hdf5(tmp_path / "plant.hdf5", columns)
    refused(tmp_path / "plant.hdf5", "they reach 3 (a0 from -3 to", "--action-bounds LOW HIGH")


def test_nan_is_not_taken_for_a_break(tmp_path):
    columns = logs.columns()
    columns["observations"][1] = columns["next_observations"][0] = np.nan
    assert set(findings_of(columns, tmp_path)) == {"not-finite"}


def test_a_clean_log_has_no_findings(tmp_path):
    assert findings_of(logs.columns(), tmp_path) == {}


def test_rows_are_listed_briefly():
    assert findings.listed([3]) == "1 row (3)"
    assert findings.ranges((3, 4, 5, 9, 11, 12)) == "3-5, 9, 11-12"
    assert findings.listed(range(1200)) == "1,200 rows (0-1199)"
    assert findings.listed([2, 3, 4, 6, 8, 10, 12]) == "7 rows (2-4, 6, 8, 10, 12)"
    assert findings.listed(np.arange(0, 14, 2)) == "7 rows (0, 2, 4, 6, 8, ...)"
    assert len(findings.warning("many", "many", range(1200)).rows) == findings.KEPT


@given(arrays(np.float32, st.tuples(st.integers(1, 30), st.integers(1, 3)), elements=st.integers(0, 2)))
def test_repeated_rows_are_those_that_occurred_before(values):
    rows, again = set(), []
    for number, row in enumerate(map(tuple, values)):
        if row in rows:
            again.append(number)
        rows.add(row)
    assert findings.repeated(values).tolist() == again


@pytest.mark.parametrize("bad", [0.5, -1.0, np.nan])
def test_flags_are_zero_or_one(bad):
    marked, wrong = findings.flags("done", np.array([0, 1, bad, 1]))
    assert marked.tolist() == [False, True, False, True]
    assert wrong[0].rows == (2,)


def test_bounds_that_most_rows_pass_are_taken_for_wrong(tmp_path):
    arrays = logs.columns()
    arrays["actions"] = np.linspace(0, 100, len(arrays["actions"]), dtype=np.float32)[:, None]
    path = logs.write_hdf5(tmp_path / "log.hdf5", arrays, action_low=0.0, action_high=1.0)
    refused(path, "so many that the bounds must be wrong (first row 1", "[bounds] in the TOML, for each its own")
    few = logs.write_hdf5(tmp_path / "few.hdf5", arrays, action_low=0.0, action_high=90.0)
    refused(few, "1 row has an action outside", "correct the log, or give")
