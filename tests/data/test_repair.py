"""What is dropped, clipped and cut in a mended copy, row by row."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micro_rl.cli.main import run
from micro_rl.data import load, loading
from micro_rl.data.checks.inspection import inspect
from micro_rl.data.checks.repair import mend, repair
from tests.data import logs


def mended(tmp_path, columns, horizon=None, without=(), **attributes):
    """The log after repair, and its changes by kind."""
    rest = {name: values for name, values in columns.items() if name not in without}
    path = logs.write_hdf5(tmp_path / "hopper.hdf5", rest, **attributes)
    dataset, *_ = loading.examine(path, usual_horizon=horizon)
    after, changes = repair(dataset, "next_observations" not in without, horizon)
    return after, {change.kind: change.rows for change in changes}


def test_a_clean_log_is_left_alone(tmp_path):
    after, changes = mended(tmp_path, logs.columns())
    assert changes == {}
    np.testing.assert_array_equal(after.observations, logs.columns()["observations"])


def test_rows_that_are_not_finite_are_dropped_and_the_episode_cut(tmp_path):
    columns = logs.columns((5, 4), (True, False))
    columns["observations"][2, 0] = columns["next_observations"][1, 0] = np.nan
    columns["rewards"][8] = np.inf
    after, changes = mended(tmp_path, columns)
    assert changes == {"not-finite": (1, 2, 8), "cut": (0, 7)}
    np.testing.assert_array_equal(after.rewards, columns["rewards"][[0, 3, 4, 5, 6, 7]])
    np.testing.assert_array_equal(after.timeouts, [True, False, False, False, False, True])
    np.testing.assert_array_equal(after.terminals, [False, False, True, False, False, False])


def test_without_next_observations_the_row_before_a_gap_has_none(tmp_path):
    columns = logs.columns((5,), (False,))
    columns["observations"][2, 0] = np.nan
    after, changes = mended(tmp_path, columns, without=("next_observations",))
    assert changes == {"not-finite": (2,), "cut": (1,)}
    np.testing.assert_array_equal(after.usable, [True, False, True, False])
    np.testing.assert_array_equal(after.next_observations[0], columns["observations"][1])


def test_actions_are_clipped(tmp_path):
    columns = logs.columns()
    columns["actions"][[2, 5], 0] = [1.5, -7]
    after, changes = mended(tmp_path, columns)
    assert changes == {"clipped": (2, 5)}
    np.testing.assert_array_equal(after.actions[[2, 5], 0], [1, -1])


def test_rows_logged_twice_are_dropped_without_a_cut(tmp_path):
    columns = {name: values[[0, 1, 1, 1, 2, 3, 4]] for name, values in logs.columns((5,), (False,)).items()}
    after, changes = mended(tmp_path, columns)
    assert changes == {"repeated": (2, 3)}
    assert after.timeouts.tolist() == [False] * 4 + [True]


@pytest.mark.parametrize("without", [(), ("next_observations",)])
def test_a_system_at_rest_repeats_itself(tmp_path, without):
    columns = logs.columns((4,), (False,))
    for name in ("observations", "next_observations", "actions", "rewards"):
        columns[name][:] = 0.5
    assert mended(tmp_path, columns, without=without)[1] == {}


def test_a_system_at_rest_loses_only_the_row_that_is_not_finite(tmp_path):
    columns = logs.columns((8,), (False,))
    for name in ("observations", "actions", "rewards"):
        columns[name][:] = 0.5
    columns["observations"][2, 0] = np.nan
    after, changes = mended(tmp_path, columns, without=("next_observations",))
    assert changes == {"not-finite": (2,), "cut": (1,)} and len(after) == 7


def test_an_infinite_action_is_dropped_and_not_clipped(tmp_path):
    columns = logs.columns((5,), (False,))
    columns["actions"][1, 0], columns["actions"][3, 0] = np.inf, 1.5
    after, changes = mended(tmp_path, columns, without=("next_observations",))
    assert changes == {"clipped": (3,), "not-finite": (1,), "cut": (0,)} and len(after) == 4


def test_a_table_at_rest_loses_the_row_at_which_time_stands_still(tmp_path):
    """At rest from row 1 on; row 3 was logged twice, row 0 is the valve's filter in front of it."""
    rows = [(0, 1, 0.5), *((second, 2, 0.5) for second in (1, 2, 2, 3, 4))]
    path = tmp_path / "rest.csv"
    path.write_text("mode,t,level,valve\n9,-1,2,0.5\n" + "".join(f"1,{t},{o},{a}\n" for t, o, a in rows))
    words = 'time = "t"\nwhere = "mode == 1"\nobservations = ["level"]\nactions = ["valve"]\nreward = "-level"\n'
    path.with_suffix(".toml").write_text(words + "[bounds]\nvalve = [0, 1]\n")
    changes, _ = mend(inspect(path), tmp_path / "mended.csv", None, "")
    assert [(change.kind, change.rows) for change in changes] == [("repeated", (3,))]
    assert load(tmp_path / "mended.csv").observations.ravel().tolist() == [1, 2, 2, 2, 2]


def test_episodes_that_occurred_before_are_dropped(tmp_path):
    columns = {name: np.concatenate([values, values[3:5]]) for name, values in logs.columns().items()}
    after, changes = mended(tmp_path, columns)
    assert changes == {"episode-again": (9, 10)}
    assert len(after) == 9


def test_an_episode_at_rest_is_no_copy_of_another(tmp_path):
    columns = logs.columns((4, 3), (False, False))
    for name in ("observations", "next_observations", "actions", "rewards"):
        columns[name][:] = 0.5
    assert mended(tmp_path, columns, without=("next_observations",))[1] == {}


def test_terminals_at_the_time_limit_become_timeouts_when_it_is_given(tmp_path):
    columns = logs.columns((4, 2, 4), (True, True, True))
    assert mended(tmp_path, columns)[1] == {}
    after, changes = mended(tmp_path, columns, horizon=4)
    assert changes == {"terminal-to-timeout": (3, 9)}
    np.testing.assert_array_equal(np.flatnonzero(after.terminals), [5])


def test_timeouts_that_record_the_next_start_are_dropped(tmp_path):
    columns = logs.columns((3, 3), (False, False))
    columns["next_observations"][2] = columns["observations"][3]
    after, changes = mended(tmp_path, columns)
    assert changes == {"crossing": (2,), "cut": (1,)}
    assert after.usable.all()


@pytest.mark.parametrize("without", [(), ("next_observations",)])
def test_a_code_for_a_missing_value_stays_unusable_in_the_copy(tmp_path, without):
    columns = logs.columns((30, 30), (False, False))
    columns["observations"][40, 0] = columns["next_observations"][39, 0] = -9999
    columns["rewards"][50] = np.nan
    rest = {name: values for name, values in columns.items() if name not in without}
    path, copy = logs.write_hdf5(tmp_path / "hopper.hdf5", rest), tmp_path / "mended.hdf5"
    assert run(["data", "check", str(path), "--fix", str(copy)]) == 0
    ends = [29, 49, 58] if without else []
    assert np.flatnonzero(~load(copy).usable).tolist() == sorted([*ends, 39, 40])


@given(st.sets(st.integers(0, 8), max_size=8))
def test_what_is_left_has_nothing_to_mend(tmp_path_factory, bad):
    columns = logs.columns()
    columns["rewards"][list(bad)] = np.nan
    after, _ = mended(tmp_path_factory.mktemp("mend"), columns)
    np.testing.assert_array_equal(after.rewards, np.delete(columns["rewards"], list(bad)))
    again, changes = repair(after, True, None)
    assert changes == [] and len(again) == len(after)


def test_the_copy_tells_who_controlled_and_how_long_a_step_is(tmp_path, capsys):
    path = tmp_path / "tank.csv"
    lines = [f"{60 * row},{row % 5},{row % 3 - 1},{row},{'ann' if row < 6 else 'bob'}\n" for row in range(12)]
    lines[7] = "420,,0,7,bob\n"
    path.write_text("time,level,valve,r,who\n" + "".join(lines))
    words = 'observations = ["level"]\nactions = ["valve"]\nreward = "r"\ntime = "time"\ngroup = "who"\n'
    path.with_suffix(".toml").write_text(words)
    assert run(["data", "check", str(path), "--fix", str(tmp_path / "copy.hdf5")]) == 0
    assert "not kept" not in capsys.readouterr().out
    log = load(tmp_path / "copy.hdf5")
    assert (log.step_seconds, np.asarray(log.row_groups).tolist()) == (60, ["ann"] * 6 + ["bob"] * 5)
    assert run(["data", "check", str(path), "--fix", str(tmp_path / "copy.parquet"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["not_kept"] == ["how long a step is (60 s)"]


@pytest.mark.parametrize("bad", [range(0), [0], [3, 4], [1, 5, 8], range(1, 9), range(9)])
def test_the_command_writes_what_loads(tmp_path, bad):
    columns = logs.columns()
    columns["rewards"][list(bad)] = np.nan
    path, copy = logs.write_hdf5(tmp_path / "hopper.hdf5", columns), tmp_path / "mended" / "hopper.hdf5"
    assert run(["data", "check", str(path), "--fix", str(copy)]) == (2 if len(bad) == 9 else 0)
    if 0 < len(bad) < 9:
        np.testing.assert_array_equal(load(copy).rewards, np.delete(columns["rewards"], list(bad)))
    assert copy.exists() == (0 < len(bad) < 9)


def test_the_command_lists_every_row(tmp_path, capsys):
    columns = logs.columns((40, 40), (False, False))
    columns["observations"][10:20] = np.nan
    columns["next_observations"][9:19] = np.nan
    columns["actions"][50] = 3
    path = logs.write_hdf5(tmp_path / "hopper.hdf5", columns)
    assert run(["data", "check", str(path)]) == 2
    assert f"--fix {'mended/hopper.hdf5'}" in capsys.readouterr().out
    copy = tmp_path / "copy" / "hopper.hdf5"
    assert run(["data", "check", str(path), "--fix", str(copy), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    rows = {change["kind"]: change["rows"] for change in report["mended"]}
    assert rows == {"clipped": [50], "not-finite": list(range(9, 20)), "cut": [8]}
    assert run(["data", "check", str(path), "--fix", str(copy)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert run(["data", "check", str(copy), "--fix", str(tmp_path / "again.hdf5")]) == 0
    assert "no copy was written" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".parquet"])
def test_other_forms(tmp_path, suffix):
    columns = logs.columns()
    columns["rewards"][4] = np.nan
    path, copy = logs.write_hdf5(tmp_path / "hopper.hdf5", columns), tmp_path / f"mended{suffix}"
    assert run(["data", "check", str(path), "--fix", str(copy)]) == 0
    assert len(load(copy)) == 8


def test_what_nobody_told_cannot_be_mended(tmp_path, capsys):
    columns = logs.columns()
    columns["actions"][0] = 4
    path = logs.write_hdf5(tmp_path / "log.hdf5", columns)
    assert run(["data", "check", str(path), "--fix", str(tmp_path / "copy.hdf5")]) == 2
    assert (
        "nothing can be mended before this is: nothing tells the bounds of the actions, and they reach 4"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "copy.hdf5").exists()
