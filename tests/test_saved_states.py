"""Which checkpoints go and which stay, what a lock says, and what of a sealed run is looked at."""

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl.errors import UserError
from micro_rl.storage import locks, provenance
from micro_rl.storage.checkpoints import Checkpoints
from micro_rl.storage.json_files import write_json
from micro_rl.storage.jsonl import append_row
from micro_rl.storage.locks import is_locked, locked, process_file
from micro_rl.storage.run_folder import RunFolder

# Checkpoints


def names(kept: Checkpoints) -> list[str]:
    return sorted(os.listdir(kept.path))


@pytest.mark.parametrize(("keep", "epochs"), [(1, [5]), (2, [4, 5]), (3, [3, 4, 5])])
def test_so_many_checkpoints_stay(tmp_path: Path, keep: int, epochs: list[int]):
    kept = Checkpoints(tmp_path / "c", keep)
    for epoch in range(1, 6):
        kept.save(epoch, {"x": np.zeros(1)})
    assert kept.epochs() == epochs
    assert Checkpoints(tmp_path).keep == RunFolder(tmp_path).keep == RunFolder.create(tmp_path / "r", {}).keep == 2
    assert RunFolder(tmp_path, keep).checkpoints.keep == RunFolder(tmp_path, keep).fit_checkpoints.keep == keep


def test_names_that_are_checkpoints(tmp_path: Path):
    kept = Checkpoints(tmp_path / "c")
    assert kept.epochs() == [] and kept.newest() is None
    folders = ("epoch-000003", "epoch-123456789", ".epoch-000007.old", "epoch-000000", ".epoch-000003.old")
    others = ("epoch-00003", "epoch-1234567890", "xepoch-000004", "epoch-000005x", ".epoch-000006.tmp", "epoch-+00001")
    for name in (*folders, *others):
        (kept.path / name).mkdir(parents=True)
    assert kept.epochs() == [0, 3, 7, 123_456_789]
    assert kept.folder(5).name == "epoch-000005" and kept.folder(1_234_567).name == "epoch-1234567"


def test_later_ones_and_leftovers_go_and_earlier_ones_stay(tmp_path: Path):
    kept = Checkpoints(tmp_path / "c", 9)
    for epoch in (1, 2, 3):
        kept.save(epoch, {"x": np.zeros(1)})
    (kept.path / ".epoch-000009.tmp").mkdir()
    (kept.path / "note").touch()
    kept.drop_after(2)
    assert names(kept) == ["epoch-000001", "epoch-000002", "note"]
    assert kept.read(2).epoch == 2 and kept.read(2).skipped == []
    kept.drop_all()
    assert names(kept) == ["note"]
    (kept.path / "note").unlink()
    kept.drop_all()
    assert not kept.path.exists()


@pytest.mark.parametrize("score", [True, "9", None, math.nan])
def test_a_score_that_is_no_number_is_not_the_best(tmp_path: Path, score: Any):
    kept = Checkpoints(tmp_path / "c", 2)
    kept.save(1, {"x": np.zeros(1)}, score=-5.0)
    kept.save(2, {"x": np.zeros(1)})
    write_json(kept.folder(2) / "state.json", {"epoch": 2, "score": score})
    kept = Checkpoints(tmp_path / "c", 1)
    kept.save(3, {"x": np.zeros(1)})
    assert kept.epochs() == [1, 3]


def test_what_no_checkpoint_can_say(tmp_path: Path):
    kept = Checkpoints(tmp_path / "c", 9)
    kept.save(1, {"x": np.zeros(1)}, score=1.5, note="a")
    assert kept.read(1).meta == {"epoch": 1, "score": 1.5, "unwritten": [], "note": "a"}
    kept.folder(1).rename(kept.folder(2))
    with pytest.raises(UserError, match=r"epoch-000002: holds epoch 1; rename it back"):
        kept.read(2)
    with pytest.raises(UserError, match=r"c: no checkpoint can be used \(.*rename it back\); start a new run"):
        kept.newest()


# Locks


@pytest.mark.parametrize(
    ("text", "number"), [("12\n", "12"), ("9" * 19, "9" * 19), ("9" * 20, None), ("-1", None), ("", None), ("a", None)]
)
def test_the_number_that_a_killed_process_left(tmp_path: Path, text: str, number: str | None):
    process_file(tmp_path / "lock").write_text(text)
    with locked(tmp_path / "lock") as killed:
        assert killed == number
        assert process_file(tmp_path / "lock").read_text() == str(os.getpid())
    assert os.listdir(tmp_path) == ["lock"] and process_file(tmp_path / "lock").name == "lock.pid"


def test_how_long_a_lock_is_waited_for(tmp_path: Path):
    assert (locks.PATIENCE, locks.GLANCE) == (0.5, 0.1)
    with locked(tmp_path / "lock", "fit"):
        begin = time.monotonic()
        assert is_locked(tmp_path / "lock")
        assert time.monotonic() - begin > 0.09
        begin = time.monotonic()
        with pytest.raises(UserError) as refusal, locked(tmp_path / "lock", "fit"):
            pytest.fail("was let in")
        assert time.monotonic() - begin > 0.4
    assert str(refusal.value) == (
        f"{tmp_path}: another fit is going on there (process {os.getpid()}); wait for it or stop it"
    )


def test_a_note_for_who_goes_on_after_a_killed_process_in_another_place(tmp_path: Path, monkeypatch: Any):
    run, notes = RunFolder.create(tmp_path / "run", {}), []
    monkeypatch.setattr(provenance, "fingerprint", lambda: {"jax": "1"})
    with locks.run_lock(run, "first", notes.append):
        pass
    assert notes == [] and [entry["command"] for entry in run.processes()] == ["first"]
    run.checkpoints.save(7, {"x": np.zeros(1)})
    process_file(run.lock).write_text("77")
    monkeypatch.setattr(provenance, "fingerprint", lambda: {"jax": "2"})
    with locks.run_lock(run, "second", notes.append):
        pass
    assert notes == [
        "process 77, which trained here, was killed",
        "bits may differ from those of an undisturbed run: jax 1, now 2",
    ]
    assert [entry["after_epoch"] for entry in run.processes()] == [0, 7]


# Sealed runs

SEALED = ("config.json", "metrics.jsonl", "policy.safetensors", "scores.json", "processes.jsonl")


def sealed(tmp_path: Path) -> RunFolder:
    run = RunFolder.create(tmp_path / "run", {})
    run.append_metrics({"epoch": 1})
    run.write_scores({})
    (run.path / "policy.safetensors").write_bytes(b"policy")
    run.append_process({"command": "a"})
    run.seal()
    return run


@pytest.mark.parametrize(
    "name", ["config.json", "metrics.jsonl", "policy.safetensors", "scores.json", "processes.jsonl"]
)
@pytest.mark.parametrize("damage", ["missing", "empty", "other"])
def test_every_sealed_file_is_looked_at(tmp_path: Path, name: str, damage: str):
    run = sealed(tmp_path)
    run.verify()
    path = run.path / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else b"x" + path.read_bytes())
    with pytest.raises(UserError) as refusal:
        run.verify()
    words = "is not the file this run wrote; restore it from a copy or train again"
    assert str(refusal.value) == f"{path}: {words}"


def test_a_finished_run_stays_one_while_another_process_looks_at_it(tmp_path: Path):
    run, notes = sealed(tmp_path), list[str]()
    for command in ("again", "once more"):
        with locks.run_lock(run, command, notes.append):
            run.verify()
    run.verify()
    path = run.path / "processes.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"b"'))
    with pytest.raises(UserError, match=r"processes\.jsonl: is not the file this run wrote"):
        run.verify()


@pytest.mark.parametrize("change", ["less", "more", "page", "no object", "none"])
def test_what_a_seal_may_list(tmp_path: Path, change: str):
    run = sealed(tmp_path)
    manifest = json.loads((run.path / "manifest.json").read_text())
    assert set(manifest["files"]) == {
        *("config.json", "metrics.jsonl", "policy.safetensors"),
        "scores.json",
        "processes.jsonl",
    }
    files: Any = manifest["files"]
    if change == "less":
        del files["scores.json"]
    elif change == "more":
        files["else.json"] = {"sha256": ""}
    elif change == "page":
        append_row(run.path / "fit.jsonl", {"epoch": 1})
        run.seal()
        files = json.loads((run.path / "manifest.json").read_text())["files"]
        assert set(files) == {*SEALED, "fit.jsonl"}
        manifest["files"] = files | {"report.html": {"sha256": "of an older page"}}  # all that may be listed
    elif change == "no object":
        files["scores.json"] = "abc"
    else:
        manifest["files"] = []
    (run.path / "manifest.json").write_text(json.dumps(manifest))
    if change == "page":
        run.verify()
        return
    message = "scores.json: is not the file" if change == "no object" else "manifest.json: does not list config.json"
    with pytest.raises(UserError, match=message):
        run.verify()


def test_going_back_takes_the_seal_and_what_blew_up_away(tmp_path: Path):
    run = sealed(tmp_path)
    run.diverged.mkdir()
    run.append_metrics({"epoch": 2})
    run.rewind(1, [{"epoch": 0}])
    assert not run.sealed and not run.diverged.exists()
    assert run.metrics() == [{"epoch": 1}, {"epoch": 0}]
    places = {name: getattr(run, name).name for name in ("model", "scoring_model", "diverged", "inherited", "lock")}
    assert places == {name: name.replace("_", "-") for name in places}
    assert (run.checkpoints.path.name, run.fit_checkpoints.path.name) == ("checkpoints", "fit")
