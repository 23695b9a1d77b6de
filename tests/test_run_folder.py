"""A run folder keeps what a run needs to go on, says what is damaged, and takes one training at a time."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from micro_rl.errors import UserError
from micro_rl.storage.arrays import read_arrays, write_arrays
from micro_rl.storage.json_files import FORMAT, NewerFormat, write_json
from micro_rl.storage.jsonl import append_row
from micro_rl.storage.run_folder import RunFolder

ROOT = Path(__file__).parent.parent


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", {"method": "micro", "beta": 0.5})


def save(run: RunFolder, *epochs: int) -> None:
    for epoch in epochs:
        run.checkpoints.save(epoch, {"x": np.full(3, epoch)}, note=f"at {epoch}")


def test_create_and_open(run):
    opened = RunFolder.open(run.path)
    assert opened == run
    assert opened.config() == {"format": FORMAT, "method": "micro", "beta": 0.5}
    assert opened.metrics() == opened.fit() == opened.checkpoints.epochs() == []
    assert opened.checkpoints.newest() is None


def test_create_refuses_what_is_not_empty(run, tmp_path):
    with pytest.raises(UserError, match="--resume"):
        RunFolder.create(run.path, {})
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        RunFolder.create(tmp_path / "file", {})


def test_create_after_a_crash_in_create(tmp_path):
    (tmp_path / ".config.json.tmp").write_text("{")
    assert RunFolder.create(tmp_path, {"a": 1}).config()["a"] == 1


def test_open_refuses_other_folders_and_newer_ones(tmp_path, run):
    with pytest.raises(UserError, match="not a run folder"):
        RunFolder.open(tmp_path)
    write_json(run.path / "config.json", {"format": FORMAT + 1})
    with pytest.raises(NewerFormat):
        RunFolder.open(run.path)


def test_the_newest_checkpoints_are_kept(run):
    save(run, 5, 10, 15, 1_000_000)
    assert run.checkpoints.epochs() == [15, 1_000_000]
    newest = run.checkpoints.newest()
    assert (newest.epoch, newest.meta, newest.skipped) == (
        1_000_000,
        {"note": "at 1000000", "epoch": 1_000_000, "score": None, "unwritten": []},
        [],
    )
    np.testing.assert_array_equal(newest.arrays["x"], [1_000_000] * 3)


def test_a_damaged_checkpoint_is_passed_over_and_named(run):
    save(run, 5, 10)
    with open(run.checkpoints.folder(10) / "state.safetensors", "r+b") as file:
        file.truncate(20)
    newest = run.checkpoints.newest()
    assert newest.epoch == 5
    assert len(newest.skipped) == 1 and "epoch-000010" in newest.skipped[0]
    run.rewind(newest.epoch)
    assert run.checkpoints.epochs() == [5]


def test_no_usable_checkpoint_is_an_error_and_a_newer_one_is_not_passed_over(run):
    save(run, 5, 10)
    manifest = run.checkpoints.folder(10) / "manifest.json"
    manifest.write_text(manifest.read_text().replace(f'"format": {FORMAT}', f'"format": {FORMAT + 1}'))
    with pytest.raises(NewerFormat):
        run.checkpoints.newest()
    for epoch in (5, 10):
        (run.checkpoints.folder(epoch) / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"epoch-000010.*epoch-000005"):
        run.checkpoints.newest()


def test_a_checkpoint_under_another_epochs_name_is_passed_over(run):
    save(run, 5)
    shutil.copytree(run.checkpoints.folder(5), run.checkpoints.folder(10))
    newest = run.checkpoints.newest()
    assert newest.epoch == 5 and "holds epoch 5" in newest.skipped[0]


def test_a_checkpoint_caught_between_two_renames_is_found(run):
    save(run, 5, 10)
    os.rename(run.checkpoints.folder(10), run.checkpoints.folder(10).with_name(".epoch-000010.old"))
    assert run.checkpoints.newest().epoch == 10
    save(run, 15)
    assert run.checkpoints.epochs() == [10, 15]


def test_rewound_and_continued_equals_uninterrupted(tmp_path, run):
    def train(folder: RunFolder, start: int, stop: int) -> None:
        for epoch in range(start, stop):
            folder.append_metrics({"epoch": epoch, "loss": 1 / epoch})
            if epoch % 5 == 0:
                save(folder, epoch)

    uninterrupted = RunFolder.create(tmp_path / "other", {})
    train(uninterrupted, 1, 20)
    train(run, 1, 14)
    with open(run.path / "metrics.jsonl", "ab") as file:
        file.write(b'{"epoch": 14, "lo')
    (run.path / "checkpoints" / ".epoch-000015.tmp").mkdir()
    run.rewind(run.checkpoints.newest().epoch)
    train(run, 11, 20)
    assert (run.path / "metrics.jsonl").read_bytes() == (uninterrupted.path / "metrics.jsonl").read_bytes()
    assert sorted(os.listdir(run.path / "checkpoints")) == ["epoch-000010", "epoch-000015"]


def test_metrics_need_an_epoch(run):
    with pytest.raises(ValueError, match="epoch"):
        run.append_metrics({"loss": 1.0})


def test_fit_scores_and_model(run):
    append_row(run.path / "fit.jsonl", {"epoch": 1, "holdout": 0.5})
    assert run.fit() == [{"epoch": 1, "holdout": 0.5}]
    run.write_scores({"last": 1.5})
    assert run.scores() == {"last": 1.5}
    write_arrays(run.model, "ensemble", {"x": np.arange(3)})
    np.testing.assert_array_equal(read_arrays(run.model, "ensemble")[0]["x"], range(3))


def test_a_run_that_goes_on_is_not_a_finished_one_tampered_with(run):
    run.append_metrics({"epoch": 1})
    run.write_scores({})
    (run.path / "policy.safetensors").write_bytes(b"policy")
    with pytest.raises(UserError, match="not finished"):
        run.verify()
    run.seal()
    run.verify()
    run.append_metrics({"epoch": 2})
    with pytest.raises(UserError, match=r"metrics\.jsonl: is not the file"):
        run.verify()
    run.rewind(1)
    with pytest.raises(UserError, match="not finished"):
        run.verify()


def test_nothing_here_needs_jax():
    code = "import sys, micro_rl.storage.run_folder, micro_rl.storage.metrics_log; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
