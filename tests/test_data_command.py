"""The verbs of `micro-rl data`."""

import json

import numpy as np

from micro_rl.cli.main import run
from tests.data import logs


def test_lists_its_verbs(capsys):
    for words in (["data"], ["data", "--help"]):
        assert run(words) == 0
        assert "micro-rl data check LOG" in capsys.readouterr().out


def test_an_unknown_verb_is_answered_with_the_nearest(capsys):
    assert run(["data", "chek"]) == 2
    assert "did you mean 'check'" in capsys.readouterr().err


def test_check_answers_with_a_verdict(capsys):
    assert run(["data", "check", "pendulum-demo"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("pendulum-demo (d4rl-hdf5): 14,600 rows, 73 episodes (0 terminate, 73 time out)")
    assert lines[-1].startswith("verdict  usable: nothing was found against it. Next: micro-rl")


def test_check_lists_all_that_is_wrong(tmp_path, capsys):
    columns = logs.columns()
    columns["rewards"][3] = np.nan
    columns["actions"][5] = 9
    path = logs.write_hdf5(tmp_path / "log.hdf5", columns)
    assert run(["data", "check", str(path)]) == 2
    captured = capsys.readouterr()
    assert "error    rewards holds NaN or infinity in 1 row (3)" in captured.out
    assert "error    nothing tells the bounds of the actions, and they reach 9 (" in captured.out
    assert "verdict  not usable: 2 errors" in captured.out
    assert "2 errors, listed above" in captured.err


def test_check_answers_machines(tmp_path, capsys):
    columns = logs.columns()
    columns["rewards"][3] = np.nan
    path = logs.write_hdf5(tmp_path / "hopper.hdf5", columns)
    assert run(["data", "check", str(path), "--json"]) == 2
    report = json.loads(capsys.readouterr().out)
    assert (report["rows"], report["episodes"], report["errors"]) == (9, 3, 1)
    assert report["findings"][0]["kind"] == "not-finite"
    assert report["findings"][0]["rows"] == [3]
