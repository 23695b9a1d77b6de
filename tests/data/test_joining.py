"""Logs put behind one another: rows, episodes and what is known of their ends; what does not fit is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl import Controller, UserError, load
from micro_rl.cli import main as cli
from micro_rl.data.conversion import convert, difference
from micro_rl.data.joining import join
from micro_rl.data.writers.hdf5 import write_log
from tests.control.loops import at, proportional
from tests.control.test_monitor import plant
from tests.data.logs import columns, write_hdf5

NAMES: dict[str, Any] = {"observation_names": ["level", "flow"], "action_names": ["valve"], "action_low": -3.0}
NAMES |= {"action_high": 2.5}


def test_rows_and_episodes_are_those_of_both(tmp_path: Path):
    one = load(write_hdf5(tmp_path / "one.hdf5", columns(), **NAMES))
    two = load(write_hdf5(tmp_path / "two.hdf5", columns(seed=1), **NAMES))
    both = join(one, [two])
    assert (len(both), both.lengths.tolist(), both.name) == (18, [*one.lengths, *two.lengths], "one")
    for name in ("observations", "actions", "rewards", "next_observations", "terminals", "timeouts", "usable"):
        assert np.array_equal(getattr(both, name), np.concatenate([getattr(one, name), getattr(two, name)]))
    assert both.sha256 not in (one.sha256, two.sha256)


@pytest.mark.parametrize("first_lacks", [False, True])
def test_only_the_log_that_does_not_know_what_followed_loses_its_last_rows(tmp_path: Path, first_lacks: bool):
    own = columns()
    bare = {name: values for name, values in columns(seed=1).items() if name != "next_observations"}
    whole, lacking = (load(write_hdf5(tmp_path / f"{n}.hdf5", c, **NAMES)) for n, c in (("one", own), ("two", bare)))
    assert whole.lengths.tolist() == [3, 2, 4] and np.flatnonzero(whole.terminals).tolist() == [2, 8]
    both = join(lacking, [whole]) if first_lacks else join(whole, [lacking])
    old, short = (slice(6, 15), slice(0, 6)) if first_lacks else (slice(0, 9), slice(9, 15))
    assert (
        len(both) == 15 and both.usable.all() and np.array_equal(both.next_observations[old], own["next_observations"])
    )
    assert both.terminals[old].tolist() == own["terminals"].tolist() and not both.terminals[short].any()
    assert np.flatnonzero(both.timeouts[short]).tolist() == [1, 2, 5]
    assert np.array_equal(both.next_observations[short], bare["observations"][[1, 2, 4, 6, 7, 8]])
    assert difference(both, convert(both, tmp_path / "both.hdf5", "hdf5", "")[0]) is None


def test_what_is_joined_reads_back(tmp_path: Path):
    """Rows of the first log are not followed by their next observation; a code stands apart in the second alone."""
    broken = columns((20, 20), (False, True))
    broken["next_observations"][3] += 1
    coded = {name: values for name, values in columns((20,), (False,), 1).items() if name != "next_observations"}
    coded["observations"][10, 0] = -9999
    one, two = (load(write_hdf5(tmp_path / f"{n}.hdf5", c, **NAMES)) for n, c in (("one", broken), ("two", coded)))
    both = join(one, [two])
    back, _ = convert(both, tmp_path / "both.csv", "csv", "")
    assert difference(both, back) is None and np.flatnonzero(~back.usable).tolist() == [49, 50]


def test_the_next_log_may_begin_where_the_one_before_stopped(tmp_path: Path):
    before, after = columns((3, 3), (True, False)), columns((3,), (False,), 1)
    after["observations"][0] = before["next_observations"][-1]
    one, two = (load(write_hdf5(tmp_path / f"{n}.hdf5", c, **NAMES)) for n, c in (("one", before), ("two", after)))
    both = join(one, [two])
    assert difference(both, convert(both, tmp_path / "both.hdf5", "hdf5", "")[0]) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"observation_names": ["flow", "level"]}, "two.hdf5: its observations are not those of .*level, flow"),
        ({"observation_units": ["cm", ""]}, "level is in cm, in .* in m"),
        ({"action_high": 3.0}, "its action_high is .*3.0.*say the same"),
        ({"termination_expression": "level > 1"}, "its exogenous columns or its termination"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], words: str, tmp_path: Path):
    told = NAMES | {"observation_units": ["m", ""]}
    one = load(write_hdf5(tmp_path / "one.hdf5", columns(), **told))
    two = load(write_hdf5(tmp_path / "two.hdf5", columns(seed=1), **(told | changes)))
    with pytest.raises(UserError, match=words):
        join(one, [two])
    with pytest.raises(UserError, match="give each log once"):
        join(one, [one])


def test_a_log_and_a_controllers_record_become_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    old, record, joined = (str(tmp_path / name) for name in ("tank.hdf5", "record.csv", "joined.hdf5"))
    write_log(Path(old), plant(100), {})
    with Controller(proportional(), record=record) as loop:
        for step in range(30):
            loop.step(at(1.0 + step / 30), reward=float(step))
    assert cli.run(["data", "convert", old, joined, "--join", record]) == 0
    words = capsys.readouterr().out
    assert "read back and equal to what was read of" in words and "tank.hdf5 and " in words
    log = load(joined)
    assert len(log) == 100 + len(load(record)) and log.columns.actions[0].name == "valve"
    assert cli.run(["data", "convert", old, record, "--join", record, "--force"]) == 2
    assert "is the log itself" in capsys.readouterr().err


def test_options_that_are_for_the_first_log_alone_are_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = "".join(f"{row},{row / 7},{row % 2 / 2}\n" for row in range(9))
    words = "observations = ['x']\nactions = ['u']\ntime = 't'\nreward = '-abs(x)'\nlargest_gap = 9.0\n"
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text("t,x,u\n" + rows + ("9,0,0\n" if name == "two" else ""))
        (tmp_path / f"{name}.toml").write_text(words)
    one, two, both = (str(tmp_path / name) for name in ("one.csv", "two.csv", "both.hdf5"))
    options = ["--reward", "-abs(x - 1)", "--where", "x < 1", "--largest-gap", "9", "--delimiter", ","]
    assert cli.run(["data", "convert", one, both, "--join", two, *options]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert (
        "--reward is for one.csv alone: two.csv is read by '-abs(x)'; to read both alike, convert two.csv with --reward"
        in words
    )
    assert "--where is for one.csv alone: two.csv is read without it; to" in words
    assert "gap is for" not in words and "delimiter is for" not in words
    assert cli.run(["data", "convert", one, both, "--force", *options]) == 0
    assert "alone" not in capsys.readouterr().out


def test_who_controlled_is_told_where_all_logs_tell(tmp_path: Path):
    one = replace(load(write_hdf5(tmp_path / "one.hdf5", columns(), **NAMES)), groups=np.array(["a", "b", "c"]))
    two = load(write_hdf5(tmp_path / "two.hdf5", columns((3,), (True,), 1), **NAMES))
    both = join(one, [replace(two, groups=np.array(["d", "e", "f"]), step_seconds=60.0)])
    assert both.groups is not None and "".join(both.groups) == "aaabbccccdef" and both.step_seconds == 60
    assert join(one, [two]).groups is None


def test_logs_of_other_steps_are_refused(tmp_path: Path):
    one = load(write_hdf5(tmp_path / "one.hdf5", columns(), **NAMES))
    two = load(write_hdf5(tmp_path / "two.hdf5", columns(seed=1), **NAMES))
    timed = replace(one, step_seconds=60.0)
    assert len(join(timed, [replace(two, step_seconds=60.1)])) == len(join(timed, [two])) == 18
    with pytest.raises(UserError, match=r"two\.hdf5: a step lasts 600 s, in .*one\.hdf5 60 s: say the same resample"):
        join(timed, [replace(two, step_seconds=600.0)])
