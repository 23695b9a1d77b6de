"""micro-rl export --to python and --to c, whole: of a run, a choice and a file, and what is refused."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from micro_rl.cli import main as cli
from micro_rl.control import origin
from micro_rl.control.controller import Controller
from micro_rl.data import load
from micro_rl.deploy import exporting, running
from micro_rl.opened.exported import source_in
from micro_rl.policy import Policy
from micro_rl.storage.run_folder import RunFolder
from tests import full_disk
from tests.deploy.policies import imported, random_guard, random_policy

FIXTURE = Path(__file__).parent.parent / "fixtures" / "run-format-3"
needs_compiler = pytest.mark.skipif(running.compiler() is None, reason="no C compiler")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURE, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process: the export's own trial is another test's."""
    monkeypatch.setattr(exporting, "compiler", lambda: None)


def test_a_run_becomes_a_python_file(run: Path, capsys):
    assert cli.run(["export", str(run), "--to", "python"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"policy  {run / 'policy.py'}"
    assert lines[1].startswith(
        "tried   alone (python -I) on 1,000 observations: actions differ by at most 0.0e+00 of their range (1e-05"
    )
    policy, module = Policy.load(run / "policy.safetensors"), imported(run / "policy.py")
    observation = policy.observation_mean + 0.3
    assert np.array_equal(module.act(observation).action, policy(observation))
    digest = json.loads((run / "config.json").read_text())["log"]["sha256"]
    assert module.INFO["log's SHA-256"] == digest and module.INFO["simulator"] == "Pendulum-v1"
    RunFolder.open(run).verify()
    first = (run / "policy.py").read_bytes()
    assert cli.run(["export", str(run)]) == 0
    again = capsys.readouterr().out.splitlines()
    note = "note    as Python, which needs NumPy alone; --to c and --to onnx write others"
    assert again == [*lines, note] and (run / "policy.py").read_bytes() == first


@needs_compiler
def test_an_epoch_becomes_c(run: Path, capsys):
    epoch = RunFolder.open(run).checkpoints.epochs()[0]
    assert cli.run(["export", str(run), "--to", "c", "--epoch", str(epoch)]) == 0
    lines = capsys.readouterr().out.splitlines()
    stem = run / f"policy_epoch_{epoch}"
    assert lines[0] == f"policy  {stem}.c, {stem}.h"
    assert lines[1] == "flash   160 bytes of tables"
    assert lines[2] == "RAM     0 bytes of each system's past, 28 bytes of arrays on the stack"
    assert "-std=c99 -Wall -Wextra -Werror" in lines[3] and "on 1,000 observations" in lines[3]
    assert f"epoch: {epoch}" in Path(f"{stem}.h").read_text()


def test_without_a_compiler_it_says_that_nothing_was_run(run: Path, untried, capsys):
    assert cli.run(["export", str(run), "--to", "c", "--out", str(run / "Pump 3.c")]) == 0
    assert "tried   not run: none of cc, gcc, clang is installed" in capsys.readouterr().out
    assert '#include "Pump 3.h"' in (run / "Pump 3.c").read_text() and "pump_3_act" in (run / "Pump 3.h").read_text()


def test_a_choices_policy_and_a_policys_file(tmp_path: Path, untried, capsys):
    choice = tmp_path / "choice"
    choice.mkdir()
    record = {"decision": "keep what you have", "chosen": "td3_bc-seed0-epoch-9", "sha256": "ab" * 32, "reason": "none"}
    (choice / "decision.json").write_text(json.dumps(record))
    assert cli.run(["export", str(choice), "--to", "c"]) == 2
    assert "the choice left no policy (none)" in capsys.readouterr().err
    random_policy(1, history=3).save(choice / "policy.safetensors")
    assert cli.run(["export", str(choice), "--to", "c"]) == 0
    assert capsys.readouterr().out.endswith("note    the choice that it is from says: keep what you have\n")
    header = (choice / "policy.h").read_text()
    assert f"log's SHA-256: {'ab' * 32}" in header and "candidate: td3_bc-seed0-epoch-9" in header
    file = choice / "policy-epoch-9.safetensors"
    (choice / "policy.safetensors").rename(file)
    assert cli.run(["export", str(file), "--to", "c"]) == 0
    assert (choice / "policy_epoch_9.h").exists()
    for path, word in ((choice, "choice"), (file, "policy")):
        assert cli.run(["export", str(path), "--to", "c", "--epoch", "3"]) == 2
        assert f"is a {word} and has no epochs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epoch", "77"], "the state of epoch 77 is not kept; kept are: 1, 3"),
        (["--out", "config.json/policy.c"], "cannot be written"),
        (["--out", "math.c"], "--out math.c: its header math.h hides one of the C library"),
        (["--out", "policy.py"], "--out policy.py: a C file's name ends in .c"),
        (["--to", "onnx", "--out", "policy.c"], "--out policy.c: an ONNX file's name ends in .onnx"),
        (["--to", "java"], "java"),
    ],
)
def test_mistakes_are_one_line(words: list[str], message: str, run: Path, untried, capsys, monkeypatch):
    monkeypatch.chdir(run)
    before = sorted(path.name for path in run.iterdir())
    assert cli.run(["export", ".", "--to", "c", *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error
    assert sorted(path.name for path in run.iterdir()) == before


def test_the_folder_of_an_export_is_made(run: Path, untried, tmp_path: Path):
    epoch = str(RunFolder.open(run).checkpoints.epochs()[0])
    for words in (["--epoch", epoch, "--out", "a/policy.safetensors"], ["--out", "b/c/policy.c"], ["--out", "d/p.py"]):
        assert cli.run(["export", str(run), *words[:-1], str(tmp_path / words[-1])]) == 0
        assert (tmp_path / words[-1]).is_file()


def test_what_no_export_wrote_stays(run: Path, untried, capsys):
    (run / "policy.h").write_text("int mine;\n")
    assert cli.run(["export", str(run), "--to", "c"]) == 2
    assert "policy.h: is there and no export wrote it" in capsys.readouterr().err
    assert (run / "policy.h").read_text() == "int mine;\n" and not (run / "policy.c").exists()


def test_a_run_without_a_policy(run: Path, tmp_path: Path, capsys):
    (run / "policy.safetensors").unlink()
    (run / "manifest.json").unlink()
    assert cli.run(["export", str(run), "--to", "python"]) == 2
    assert "has no policy yet" in capsys.readouterr().err
    assert cli.run(["export", str(tmp_path / "nothing"), "--to", "python"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_export_that_differs_leaves_no_file(run: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    text = exporting.python_text
    wrong = lambda *parts: text(*parts).replace("np.tanh(mean)", "np.tanh(mean + 1e-3)").replace("-05\n", "+05\n", 1)  # noqa: E731
    monkeypatch.setattr(exporting, "python_text", wrong)
    assert cli.run(["export", str(run), "--to", "python"]) == 2
    error = capsys.readouterr().err
    assert "the Python file does not decide as the policy does: action differs by" in error and error.count("\n") == 1
    assert not (run / "policy.py").exists() and not list(run.glob(".policy.*"))


def test_a_disk_that_refuses_the_second_file_leaves_what_was_there(run: Path, untried, monkeypatch, capsys):
    assert cli.run(["export", str(run), "--to", "c"]) == 0
    before = {name: (run / name).read_bytes() for name in ("policy.c", "policy.h")}
    full_disk.refuse(monkeypatch, ".c.")
    assert cli.run(["export", str(run), "--to", "c", "--epoch", "1", "--out", str(run / "policy.c")]) == 2
    assert {name: (run / name).read_bytes() for name in before} == before
    assert cli.run(["export", str(run), "--to", "c", "--out", str(run / "other.c")]) == 2
    assert not (run / "other.h").exists()


def test_a_guard_goes_into_the_export(tmp_path: Path, capsys):
    """Of a controller's folder, whose scores the export gives; or of a file, to a policy of the same columns."""
    policy = random_policy(11)
    controller = Controller(policy, random_guard(policy, 11))
    controller.save(tmp_path / "loop")
    assert cli.run(["export", str(tmp_path / "loop"), "--to", "python"]) == 0
    lines = capsys.readouterr().out.splitlines()
    words = r"guard   an alarm above 1\.\d+ \(0\.01 of healthy steps\); scores differ by at most \S+ \(1e-05 allowed\)"
    assert re.fullmatch(words, lines[-1])
    module = imported(tmp_path / "loop" / "policy.py")
    past = module.Past()
    for row in policy.observation_mean + policy.observation_std * np.random.default_rng(0).normal(size=(9, 3)):
        own, other = past.step(row), controller.step(row)
        past.applied(other.action)
        assert own.score == pytest.approx(other.score, rel=1e-9)
    guard, file = tmp_path / "loop" / "guard.safetensors", tmp_path / "loop" / "policy.safetensors"
    assert cli.run(["export", str(file), "--to", "onnx", "--guard", str(guard), "--out", str(tmp_path / "a.onnx")]) == 0
    assert "guard   an alarm above" in capsys.readouterr().out
    assert cli.run(["export", str(file), "--to", "python"]) == 0
    assert "guard   " not in capsys.readouterr().out and not hasattr(imported(file.with_suffix(".py")), "Past")
    random_policy(1, 2, 1).save(file)
    for words, message in (
        (["--to", "c", "--guard", str(guard)], "the guard's columns are not the policy's"),
        (["--to", "c", "--guard", str(file)], "holds no 'micro-rl guard' in its metadata"),
        (["--to", "safetensors", "--guard", str(guard)], "--guard goes into --to python, c and onnx"),
    ):
        assert cli.run(["export", str(file), *words]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and message in error
    assert cli.run(["export", str(tmp_path / "loop"), "--to", "c", "--epoch", "3"]) == 2
    assert "is a controller and has no epochs" in capsys.readouterr().err


def test_the_name_of_the_file_says_as_what(run: Path, untried, capsys):
    assert cli.run(["export", str(run), "--out", str(run / "pump.c")]) == 0
    assert capsys.readouterr().out.startswith(f"policy  {run / 'pump.c'}, {run / 'pump.h'}\n")
    assert cli.run(["export", str(run), "--out", str(run / "pump.txt")]) == 2
    error = capsys.readouterr().err
    assert "pump.txt: its name ends in none of .py, .c, .onnx, .safetensors" in error and error.count("\n") == 1


def test_the_help_says_what_is_exported_and_as_what(capsys):
    assert cli.run(["export", "--help"]) == 0
    words = " ".join(re.findall(r"[\w'.,-]+", capsys.readouterr().out))
    for sentence in (
        "RUN a run's, a choice's or a controller's folder, or a policy's file",
        "Without --to and --out it is written as safetensors, not as Python.",
    ):
        assert sentence in words


def test_what_is_there_as_safetensors_is_not_written_again(run: Path, tmp_path: Path, capsys):
    random_policy(3).save(tmp_path / "policy.safetensors")
    for path, message in (
        (run, f"export: {run / 'policy.safetensors'} is the last epoch's policy as safetensors; say as what else with"),
        (tmp_path / "policy.safetensors", "has its policy as safetensors already; say as what with --to"),
    ):
        assert cli.run(["export", str(path), "--to", "safetensors"]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1


def test_a_guard_of_another_log_is_told_and_the_last_epoch_is_in_the_head(run: Path, untried, capsys):
    policy = Policy.load(run / "policy.safetensors")
    digest = json.loads((run / "config.json").read_text())["log"]["sha256"]
    for log, told in ((digest, False), ("ab" * 32, True), ("", False)):
        replace(random_guard(policy, 1), log=log).save(run / "guard.safetensors")
        words = ["--to", "c", "--guard", str(run / "guard.safetensors"), "--out", str(run / "guarded.c")]
        assert cli.run(["export", str(run), *words]) == 0
        assert ("note    the guard was fitted on another log" in capsys.readouterr().out) is told
    epochs = json.loads((run / "scores.json").read_text())["epochs"]
    assert f" * epoch: {epochs}\n" in (run / "guarded.h").read_text()


def test_where_a_policy_is_from_stays_in_a_controllers_folder(run: Path, untried, capsys):
    """Made of a run, loaded and saved again; a folder that tells nothing, or of another policy, is opened too."""
    plant, log = run.parent / "plant", load("pendulum-demo")
    Controller.from_run(run, log=log, references=8).save(plant)
    Controller.load(plant).fresh().save(plant)
    assert cli.run(["export", str(plant), "--to", "c"]) == 0
    header, own = (plant / "policy.h").read_text(), source_in(run).known
    assert [name for name, _ in own] == ["method", "epoch", "log's SHA-256"] and source_in(plant).known == own
    assert all(f" * {name}: {word}\n" in header for name, word in own)
    capsys.readouterr()
    parts = json.loads((plant / "parts.json").read_text())
    of_another = parts["origin"] | {"policy's SHA-256": "ab" * 32}
    for told in ({}, {"origin": of_another}):
        (plant / "parts.json").write_text(json.dumps({"parts": parts["parts"]} | told))
        assert source_in(plant).known == () and Controller.load(plant).guard is not None
    (plant / "parts.json").write_text(json.dumps(parts | {"origin": ["a run"]}))
    assert cli.run(["export", str(plant), "--to", "c"]) == 2
    assert "parts.json: tells no origin of a policy; make the folder anew" in capsys.readouterr().err


def test_of_a_choice_too(tmp_path: Path):
    choice, policy = tmp_path / "choice", random_policy(1)
    choice.mkdir()
    policy.save(choice / "policy.safetensors")
    (choice / "decision.json").write_text(json.dumps({"decision": "try it", "chosen": "bc-seed0", "sha256": "ab" * 32}))
    known = (("decision", "try it"), ("candidate", "bc-seed0"), ("log's SHA-256", "ab" * 32))
    assert source_in(choice).known == known == origin.of_path(choice, policy)
