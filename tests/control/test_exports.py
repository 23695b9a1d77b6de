"""Controllers of exported files: they act and guard as that of the policy, and what is altered is refused."""

import sys
from pathlib import Path

import numpy as np
import pytest

from micro_rl import Controller, UserError, load
from micro_rl.cli.main import run as command
from micro_rl.deploy.exporting import export_onnx, export_python
from micro_rl.deploy.source import Source
from tests.control.loops import proportional, range_guard
from tests.deploy.policies import random_guard, random_policy

EXPORTS = [("policy.py", export_python), ("policy.onnx", export_onnx)]


@pytest.mark.parametrize(("name", "export"), EXPORTS)
@pytest.mark.parametrize(("history", "guarded"), [(1, False), (1, True), (3, True)])
def test_an_export_acts_and_guards_as_its_policy(name, export, history: int, guarded: bool, tmp_path: Path):
    policy = random_policy(1, history=history)
    source = Source(policy).guarded(random_guard(policy, 1)) if guarded else Source(policy)
    export(source, tmp_path / name)
    own, other = Controller(policy, source.guard), Controller.from_export(tmp_path / name)
    rng, read = np.random.default_rng(0), other.policy
    assert (read.history, read.columns) == (history, policy.columns)
    assert read.action_low == pytest.approx(policy.action_low) and read.action_high == pytest.approx(policy.action_high)
    for step in range(8):
        values = policy.observation_mean[:3] + policy.observation_std[:3] * rng.normal(size=3)
        given = [values.astype(np.float32).astype(np.float64), policy.action_mid if step % 3 else None]
        expected, decision = own.step(*given), other.step(*given)
        assert decision.action == pytest.approx(expected.action, abs=1e-5 * policy.action_half.max())
        assert decision.source == expected.source
        if guarded:
            assert decision.score == pytest.approx(expected.score, rel=1e-4) and expected.score is not None
    if other.guard is not None and source.guard is not None:
        assert other.guard.threshold == source.guard.threshold and other.guard.rate == source.guard.rate


@pytest.mark.parametrize(("name", "export"), EXPORTS)
def test_an_export_knows_its_reward(name, export, tmp_path: Path):
    mapping = 'reward = "-abs(level - 2)"  # "level" in m, \'flow\' not\nexogenous = ["flow"]\n'
    export(Source(proportional(mapping=mapping)), tmp_path / name)
    with Controller.from_export(tmp_path / name, record=tmp_path / "record.csv") as loop:
        for level in (0.5, 3.0, 1.0):
            loop.step({"level": level, "flow": 0.0})
    assert loop.policy.mapping == mapping
    assert load(tmp_path / "record.csv").rewards[:2] == pytest.approx([-1.5, -1.0])


@pytest.mark.parametrize(("name", "export"), EXPORTS)
def test_the_commands_take_exports(name, export, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / name
    export(Source(proportional()), path)
    assert command(["controller", str(path)]) == 2
    assert "has no guard in it: give its log" in capsys.readouterr().err
    export(Source(proportional()).guarded(range_guard()), path)
    assert command(["controller", str(path), "--rate", "0.1"]) == 2
    assert "--rate: " in capsys.readouterr().err
    assert command(["controller", str(path), "--out", str(tmp_path / "plant")]) == 0
    loop = Controller.load(tmp_path / "plant")
    assert loop.columns == proportional().columns and loop.guard is not None and loop.guard.threshold == 0.5
    assert loop.step({"level": 3.0, "flow": 0.0}).score == pytest.approx(1.0)


def test_what_is_altered_or_no_export_is_refused(tmp_path: Path):
    path, stranger = tmp_path / "policy.py", tmp_path / "stranger.py"
    export_python(Source(proportional()), path)
    text = path.read_text()
    cases = {
        "import os": "no export wrote it",
        text.replace("export format 1", "export format 2"): "is of another format than 1",
        text.replace("MEAN = np.array(", "MEAN = 1 + np.array("): "it was altered, or a later version wrote it",
        text.replace("MEAN = np.array([0.0", "MEAN = np.array([0.5"): "do not decide as it says that they did",
    }
    for content, words in cases.items():
        stranger.write_text(content)
        with pytest.raises(UserError, match=words):
            Controller.from_export(stranger)
    (tmp_path / "policy.onnx").write_bytes(b"no protobuf")
    for name, words in {
        "policy.onnx": "is no ONNX file|no export wrote it",
        "gone.py": "gone.py",
        "a.c": "is no export",
    }.items():
        with pytest.raises(UserError, match=words):
            Controller.from_export(tmp_path / name)


def test_nothing_in_an_exported_file_is_run(tmp_path: Path):
    export_python(Source(proportional()), tmp_path / "policy.py")
    path = tmp_path / "policy.py"
    path.write_text(path.read_text() + f"\nopen({str(tmp_path / 'ran')!r}, 'w')\n")
    Controller.from_export(path)
    assert not (tmp_path / "ran").exists() and "policy" not in sys.modules


def test_without_onnxruntime_it_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    export_onnx(Source(proportional()), tmp_path / "policy.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match="a controller of an ONNX file needs onnxruntime, which is not installed: pip"):
        Controller.from_export(tmp_path / "policy.onnx")
