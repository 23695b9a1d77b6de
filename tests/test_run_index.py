"""The runs below a folder, each in its line, whatever state they are in."""

from pathlib import Path

import pytest

from micro_rl.cli import main as cli
from micro_rl.errors import UserError
from micro_rl.storage.jsonl import append_row
from micro_rl.storage.locks import locked
from micro_rl.storage.run_folder import RunFolder
from micro_rl.storage.run_index import runs_below


def make(
    path: Path, epochs: int, key: str = "eval/normalised_score", planned: int = 12, seal: bool = False
) -> RunFolder:
    config = {"method": "micro", "log": {"name": "hopper"}, "settings": {"epochs": planned}}
    run = RunFolder.create(path, config)
    for epoch in range(1, epochs + 1):
        run.append_metrics({"epoch": epoch, key: float(epoch)})
    if seal:
        run.write_scores({})
        (path / "policy.safetensors").write_bytes(b"policy")
        run.seal()
    return run


def test_every_state(tmp_path: Path, capsys):
    make(tmp_path / "a/done", 12, seal=True)
    make(tmp_path / "a/until", 5, seal=True)
    make(tmp_path / "killed", 3, "eval/return")
    make(tmp_path / "diverged", 2, "model_estimate/return").diverged.mkdir()
    fitting = make(tmp_path / "fitting", 0)
    append_row(fitting.path / "fit.jsonl", {"epoch": 7, "loss": 1.0})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/config.json").write_text("{")
    (tmp_path / "nothing").mkdir()
    running = make(tmp_path / "running", 1)
    with locked(running.lock):
        runs = {run.name: run for run in runs_below(tmp_path)}
        assert cli.run(["runs", str(tmp_path)]) == 0
    assert [run.state for run in runs.values()] == [
        "done", "stopped", "unreadable", "diverged", "stopped", "stopped", "running",
    ]  # fmt: skip
    assert runs["a/done"][1:] == ("micro", "hopper", "12 of 12", "score 7.50", "done", "")
    assert runs["a/until"].epoch == "5 of 12" and runs["killed"].score == "return 2.00"
    assert runs["diverged"].score == "return (model's own estimate) 1.50"
    assert (runs["fitting"].epoch, runs["fitting"].score) == ("fit 7", "")
    assert "not valid JSON" in runs["broken"].note
    output = capsys.readouterr().out
    assert output.splitlines()[0].split() == ["run", "method", "log", "epoch", "score", "state"]
    assert "unreadable: " in output and "broken/config.json" in output


def test_a_run_itself_may_be_named(tmp_path: Path):
    make(tmp_path / "one", 1)
    (tmp_path / "one/model").mkdir()
    (tmp_path / "one/model/config.json").write_text("{}")
    assert [run.name for run in runs_below(tmp_path / "one")] == ["one"]


def test_no_runs_and_no_folder(tmp_path: Path, capsys):
    with pytest.raises(UserError, match="holds no runs"):
        runs_below(tmp_path)
    assert cli.run(["runs", str(tmp_path / "nowhere")]) == 2
    assert "is no folder" in capsys.readouterr().err
