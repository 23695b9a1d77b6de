"""Where controllers come from: folders, files, the command; and what a kill and a full disk leave of a record."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from micro_rl import Controller, ControlSettings, UserError
from micro_rl.cli.main import run as command
from micro_rl.control import making
from micro_rl.control.record import Record
from micro_rl.data.writers.hdf5 import write_log
from tests import full_disk
from tests.control.loops import at, proportional, range_guard
from tests.control.test_monitor import plant

ENDLESS = """
import itertools, sys
from micro_rl import Controller
with Controller.load(sys.argv[1], record=sys.argv[2]) as loop:
    for step in itertools.count():
        loop.step({"level": step % 2, "flow": 0.0})
        if step == 50:
            print("going", flush=True)
"""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A policy's file and a log of its columns."""
    proportional().save(tmp_path / "policy.safetensors")
    write_log(tmp_path / "tank.hdf5", plant(800), {})
    return tmp_path


def test_the_command_writes_a_folder_that_acts(made: Path, capsys: pytest.CaptureFixture[str]):
    settings = made / "limits.toml"
    settings.write_text('fallback = "function"\n[rate]\nvalve = 5\n')
    words = ["controller", str(made / "policy.safetensors"), "--log", str(made / "tank.hdf5"), "--rate", "0.05"]
    assert command([*words, "--settings", str(settings), "--out", str(made / "plant")]) == 0
    printed = capsys.readouterr().out
    assert "for a rate of 0.05" in printed and "note    its fallback is a function" in " ".join(printed.split("\n"))
    assert command(["serve", str(made / "plant")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(
        f"micro-rl: {made / 'plant'}: its fallback is a function, which only Python can give: serve"
    )
    loop = Controller.load(made / "plant", fallback=lambda seen: 1.0)
    assert loop.guard is not None and loop.guard.rate == 0.05 and loop.settings.rate == {"valve": 5.0}
    assert loop.step(at(1.0)).action.shape == (1,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[rate]\nvlave = 5\n", "limits.toml: rate: there is no column 'vlave' (did you mean 'valve'?)"),
        ("hold_missing = -1\n", "limits.toml: hold_missing: -1 is not a whole number of at least 0"),
        ("hold_mising = 1\n", "limits.toml: there is no setting 'hold_mising' (did you mean 'hold_missing'?)"),
        ("[clamp]\nvalve = [9, 1]\n", "limits.toml: clamp of 'valve': the lower number must come first"),
        ("alarm_after = 9\n", "limits.toml: alarm_after: 9 steps do not fit into alarm_window 5"),
        ('fallback = "pray"\n', "limits.toml: fallback: 'pray' is none of hold, fixed, policy, function"),
        ("shadow = 1\n", "limits.toml: shadow: 1 is neither true nor false"),
        ("=", "limits.toml: is no TOML"),
    ],
)
def test_wrong_settings_are_told_in_a_line(made: Path, capsys: pytest.CaptureFixture[str], text: str, words: str):
    (made / "limits.toml").write_text(text)
    assert command(["controller", str(made / "policy.safetensors"), "--settings", str(made / "limits.toml")]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_records_are_named_behind_one_option_and_none_is_left_out(made: Path, capsys: pytest.CaptureFixture[str]):
    words = ["controller", str(made / "policy.safetensors"), "--log", str(made / "tank.hdf5")]
    for again in (["--records", "b.csv"], ["--records=b.csv"]):
        assert command([*words, "--records", "a.csv", *again]) == 2
        error = capsys.readouterr().err
        assert error == "micro-rl: --records is there 2 times: give it once, with all its values behind it\n"
    assert command([*words, "--records", "a.csv", "b.csv"]) == 2
    assert "a.csv" in capsys.readouterr().err


def test_a_policys_file_alone_names_no_log(made: Path):
    with pytest.raises(UserError, match="names no log to fit the guard on"):
        Controller.from_run(made / "policy.safetensors")
    assert Controller.from_run(made / "policy.safetensors", log=made / "tank.hdf5").guard is not None


def test_a_choices_folder_makes_a_controller_of_the_log_that_is_named(made: Path):
    choice = made / "choice"
    choice.mkdir()
    (made / "policy.safetensors").rename(choice / "policy.safetensors")
    (choice / "decision.json").write_text('{"decision": "try it, under watch"}')
    with pytest.raises(UserError, match="names no log to fit the guard on"):
        Controller.from_run(choice)
    (choice / "training.hdf5").write_bytes((made / "tank.hdf5").read_bytes())
    own = Controller.from_run(choice).guard
    assert own is not None and own.counts["steps fitted"] > 300
    with pytest.raises(
        UserError, match=r"tank\.hdf5: holds the same as .*training\.hdf5: give each log and record once"
    ):
        Controller.from_run(choice, records=[made / "tank.hdf5"])
    assert command(["controller", str(choice), "--log", str(made / "tank.hdf5")]) == 0
    loop = Controller.load(choice / "controller")
    assert loop.guard is not None and loop.step(at(1.0)).source == "policy"
    with pytest.raises(UserError, match="is no controller's folder"):
        Controller.load(choice)


def test_a_killed_controllers_record_goes_on(made: Path):
    Controller(proportional(), range_guard()).save(made / "plant")
    record = made / "record.csv"
    words = [sys.executable, "-c", ENDLESS, str(made / "plant"), str(record)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert process.stdout is not None and process.stdout.readline() == "going\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    before = record.read_bytes()
    assert before.count(b"\n") >= 51  # the heading, and all rows but the one that was not over
    with Controller.load(made / "plant", record=record) as loop:
        loop.step(at(1.0))
    lines = record.read_bytes().splitlines()
    assert record.read_bytes().startswith(before[: before.rfind(b"\n") + 1]) and lines[-1].startswith(b"1,0,")
    assert len({line.count(b",") for line in lines if b'"' not in line}) == 1


def test_what_a_full_disk_takes_of_a_row_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    record = Record(tmp_path / "record.csv", proportional())
    really, whole = os.write, record.path.read_bytes()
    monkeypatch.setattr("os.write", lambda file, content: really(file, content[:5]))
    with pytest.raises(OSError, match="no space left"):
        record.write([0] * 14)
    assert record.path.read_bytes() == whole


@pytest.mark.parametrize("refused", ["heading", "toml"])
@pytest.mark.parametrize("old", [None, b""])
def test_a_record_that_the_disk_refuses_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str, old: bytes | None
):
    path = tmp_path / "record.csv"
    if old is not None:
        path.write_bytes(old)
    if refused == "heading":
        monkeypatch.setattr("os.write", lambda *_: 0)
    full_disk.refuse(monkeypatch, "toml")
    with pytest.raises(UserError, match=r"record\.csv.*cannot be written"):
        Record(path, proportional())
    assert [file.name for file in tmp_path.iterdir()] == ([] if old is None else ["record.csv"])


def test_a_past_of_two_lengths_is_told_and_the_loop_goes_on():
    loop = Controller(proportional(2), range_guard())
    told = loop.prime([at(1.0)], [[1.0], [2.0]])
    assert told == ("the past cannot be read (1 observation, 2 actions: give as many)",)
    assert loop.prime(iter([at(1.0)]), iter([[1.0]])) == ()
    assert np.isfinite(loop.step(at(1.0)).action).all()


def test_limits_stay_where_a_controllers_folder_is_made_anew(made: Path, capsys: pytest.CaptureFixture[str]):
    (made / "limits.toml").write_text("[rate]\nvalve = 5\n")
    words = ["controller", str(made / "policy.safetensors"), "--log", str(made / "tank.hdf5"), "--rate", "0.05"]
    words += ["--out", str(made / "plant")]
    assert command([*words, "--settings", str(made / "limits.toml")]) == 0
    assert "the settings are those" not in capsys.readouterr().out
    assert command(words) == 0
    kept = made / "plant" / "controller.toml"
    assert f"note    the settings are those of {kept}; give others with --settings" in capsys.readouterr().out
    words[1] = str(made / "plant")
    assert command([*words[:-1], str(made / "other")]) == 0
    for folder in ("plant", "other"):
        assert Controller.load(made / folder).settings.rate == {"valve": 5.0}


@pytest.mark.parametrize("name", ["config.json", "decision.json", "policy.safetensors"])
def test_a_controller_takes_no_runs_place(made: Path, name: str, capsys: pytest.CaptureFixture[str]):
    other = made / "run"
    other.mkdir()
    for file in {name, "policy.safetensors"}:
        (other / file).write_text("mine")
    words = ["controller", str(made / "policy.safetensors"), "--log", str(made / "tank.hdf5"), "--out", str(other)]
    assert command(words) == 2
    error = capsys.readouterr().err
    assert f"{other}: has a {name} that is no controller's" in error and error.count("\n") == 1
    with pytest.raises(UserError, match="choose another folder"):
        Controller(proportional()).save(other)
    assert (other / "policy.safetensors").read_text() == "mine" and not (other / "parts.json").exists()


def test_what_is_not_there_is_told(made: Path):
    with pytest.raises(UserError, match=r"none: no such file or folder; check the path"):
        Controller.from_run(made / "none")
    with pytest.raises(UserError, match=r"none: no such file or folder; check the path"):
        Controller.load(made / "none")
    (made / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: has no policy.safetensors in it; name the folder of a run"):
        Controller.from_run(made / "empty")
    (made / "empty" / "decision.json").write_text('{"decision": "keep what you have", "reason": "All are worse."}')
    with pytest.raises(UserError, match=r"the choice left no policy \(All are worse\.\): name a run's folder"):
        Controller.from_run(made / "empty")
    (made / "empty" / "policies").mkdir()
    (made / "empty" / "policies" / "bc-seed0-epoch4.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=r"name one of policies/\*\.safetensors there"):
        Controller.from_run(made / "empty")


def test_a_full_disk_leaves_the_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A new policy beside the old guard would be judged by another log."""
    Controller(proportional(), range_guard()).save(tmp_path / "loop")
    before = {path.name: path.read_bytes() for path in (tmp_path / "loop").iterdir()}
    full_disk.refuse(monkeypatch, "guard")
    with pytest.raises(UserError, match="No space left on device"):
        Controller(proportional(3), replace(range_guard(), threshold=7.0)).save(tmp_path / "loop")
    assert {path.name: path.read_bytes() for path in (tmp_path / "loop").iterdir()} == before
    Controller(proportional(3)).save(tmp_path / "loop")
    assert Controller.load(tmp_path / "loop").guard is None and not (tmp_path / "loop" / "guard.safetensors").exists()


@pytest.mark.parametrize("renamed", range(5))
def test_a_folder_that_a_kill_left_half_new_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renamed: int):
    """Four files are renamed one after the other: all old, all new, or not to be loaded."""
    folder, limits = tmp_path / "loop", ControlSettings(rate={"valve": 5.0})
    Controller(proportional(), range_guard()).save(folder)
    monkeypatch.setattr(
        making,
        "replace_files",
        lambda contents: [path.write_bytes(content) for path, content in list(contents.items())[:renamed]],
    )
    Controller(proportional(3), range_guard(threshold=7.0), limits).save(folder)
    if renamed in (0, 4):
        loop, new = Controller.load(folder), renamed == 4
        assert (loop.policy.history, loop.guard and loop.guard.threshold) == ((3, 7.0) if new else (1, 0.5))
        assert loop.settings == (limits if new else ControlSettings())
        return
    with pytest.raises(UserError, match=r"loop: .*\.safetensors is not what the folder was written with") as error:
        Controller.load(folder)
    assert "make the folder anew" in str(error.value) and "\n" not in str(error.value)


def test_settings_that_a_user_changed_and_folders_without_digests_are_taken(tmp_path: Path):
    Controller(proportional(), range_guard()).save(tmp_path / "loop")
    (tmp_path / "loop" / "controller.toml").write_text("alarm_after = 4\n")
    assert Controller.load(tmp_path / "loop").settings.alarm_after == 4
    parts = tmp_path / "loop" / "parts.json"
    parts.write_text(json.dumps({"parts": json.loads(parts.read_text())["parts"]}))
    proportional(3).save(tmp_path / "loop" / "policy.safetensors")
    assert Controller.load(tmp_path / "loop").policy.history == 3
