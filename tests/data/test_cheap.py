"""Findings of one kind on many columns are one line, and those that training asks for are one of each kind."""

from dataclasses import replace

import numpy as np
import pytest

from micro_rl.core.columns import Column, Columns, titles
from micro_rl.data import load
from micro_rl.data.checks import channels
from micro_rl.data.checks.cheap import by_kind, cheap_findings
from micro_rl.data.checks.findings import warning
from tests.data import logs
from tests.data.test_inspection import planted

NAMED = (Column("o0"), Column("level", "m"), Column("T"), Column("o3"), Column("o4"), Column("o5"), Column("o6"))


@pytest.mark.parametrize(
    "places, words",
    [
        ([0], "observation 0"),
        ([1], "observation 1 (level [m])"),
        ([0, 2], "observations 0, 2 (T)"),
        ([0, 3, 4, 5], "observations 0, 3 to 5"),
        (range(7), "observations 0 to 6 (level [m], T)"),
        ([0, 1, 2, 4], "observations 0, 1 (level [m]), 2 (T), 4"),
    ],
)
def test_columns_are_named_briefly(places, words):
    assert titles("observation", places, NAMED) == words


def test_many_saturated_columns_are_one_line(tmp_path):
    clipped = {name: (lambda o: np.minimum(o, 1)) for name in ("observations", "next_observations")}
    arrays = planted(**clipped)
    wide = {name: np.tile(arrays[name], (1, 8)) if "observations" in name else arrays[name] for name in arrays}
    path = logs.write_hdf5(tmp_path / "log.hdf5", wide, action_low=-1.0, action_high=1.0)
    [finding] = cheap_findings(load(path))
    assert finding.kind == "saturated"
    assert finding.columns == tuple(range(32))
    assert finding.text.startswith("observations 0 to 31 are at their limits (1) in ")


def test_many_constant_and_stuck_columns_are_one_line_each(tmp_path):
    arrays = planted()
    for name in ("observations", "next_observations"):
        still = np.full((len(arrays[name]), 3), 2, np.float32)
        arrays[name][410:440, [0, 2]] = arrays[name][410, [0, 2]]
        arrays[name] = np.concatenate([still, arrays[name]], axis=1)
    log = load(logs.write_hdf5(tmp_path / "log.hdf5", arrays, action_low=-1.0, action_high=1.0))
    assert [note for note in log.notes if "never" in note] == ["observations 0 to 2 never change"]
    named = replace(log, columns=Columns(tuple(Column(name) for name in "abcdefg"), log.columns.actions))
    [finding] = channels.odd(named)
    assert (finding.kind, finding.columns) == ("stuck", (3, 5))
    assert finding.text.startswith("observations 3 (d), 5 (f) stand still in 30 rows (410-439)")


def test_one_finding_of_each_kind():
    [one, other] = by_kind([warning("a", "first", [1]), warning("b", "second"), warning("a", "third", [4, 5])])
    assert (one.text, one.count) == ("first (and 1 more of this kind)", 3)
    assert other.text == "second"


def test_training_is_told_nothing_about_the_demo():
    assert cheap_findings(load("pendulum-demo")) == []
