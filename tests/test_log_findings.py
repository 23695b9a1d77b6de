"""Training says what the check finds, keeps it in the run folder, and needs no permission to go on."""

from typing import Any

import h5py
import numpy as np
import pytest
from markupsafe import escape

from micro_rl.cli import main as cli
from micro_rl.reports.run import record
from micro_rl.reports.run.page import render
from micro_rl.storage.json_files import read_json
from tests.tiny_runs import OF_ANY, OF_MODEL, options, write_log


@pytest.fixture
def log(tmp_path):
    """One absurd value in a column of small ones."""
    path = write_log(tmp_path / "swing.hdf5")
    with h5py.File(path, "a") as file:
        columns: Any = file
        columns["observations"][7, 1] = np.float32(-9999)
        columns["next_observations"][6, 1] = np.float32(-9999)
    return str(path)


@pytest.mark.parametrize("verb", ["train", "fit", "sweep"])
def test_whatever_learns_says_what_is_odd_and_where_to_read_more(verb, log, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("micro_rl.reports.run.write_report", lambda path: None)
    words = (
        options(only=OF_MODEL)
        if verb == "fit"
        else [*options(only=OF_ANY, epochs=1), "--method", "bc", "--no-scoring-model"]
    )
    assert cli.run([verb, log, *words, "--out", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    [note] = [line for line in lines if "9,999" in line or "9999" in line]
    assert note.startswith("note: ")
    assert sum(f"micro-rl data check {log}" in line for line in lines) == 1
    kept = {"train": "config.json", "fit": "ensemble.json"}
    if verb in kept:
        assert note.removeprefix("note: ") in read_json(tmp_path / "out" / kept[verb])["notes"]
    if verb == "train":
        assert escape(note.removeprefix("note: ")) in render(record.read(tmp_path / "out"))
    if verb == "fit":
        assert any(line.startswith("model   one step is off by") for line in lines)
