"""Which checkpoints stay; that damage in any of their files is seen; that nothing hostile gets further than that."""

import json
import os
import pickle
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from micro_rl.errors import UserError
from micro_rl.storage.checkpoints import Checkpoints
from micro_rl.storage.files import CannotWrite, sha256
from micro_rl.storage.json_files import FORMAT, NewerFormat

FILES = ("state.safetensors", "state.json", "manifest.json")


@pytest.fixture
def kept(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints")


def save(kept: Checkpoints, epoch: int, score: float | None = None) -> None:
    kept.save(
        epoch,
        {"x": np.full(5, epoch), "y": np.full((1, 1), epoch, np.float32)},
        score=score,
        unwritten=[{"epoch": epoch}],
    )


def newest_epoch(kept: Checkpoints) -> int:
    newest = kept.newest()
    assert newest is not None
    np.testing.assert_array_equal(newest.arrays["x"], np.full(5, newest.epoch))
    return newest.epoch


def test_the_newest_few_and_the_best_stay(kept: Checkpoints):
    for epoch, score in enumerate((-5.0, None, 3.0, 2.0, None, float("nan"), 1.0), start=1):
        save(kept, epoch, score)
    assert kept.epochs() == [3, 6, 7]
    save(kept, 8, 3.0)  # as good, and newer
    save(kept, 9, -9.0)
    save(kept, 10)
    assert kept.epochs() == [8, 9, 10]
    assert newest_epoch(kept) == 10


def test_epochs_are_in_the_order_of_their_numbers_past_six_digits(kept: Checkpoints):
    save(kept, 1_000_000)
    save(kept, 999_999)
    assert kept.epochs() == [999_999, 1_000_000]
    assert newest_epoch(kept) == 1_000_000


def test_rows_that_the_disk_refused_come_back(kept: Checkpoints):
    save(kept, 4)
    newest = kept.newest()
    assert newest is not None
    assert newest.meta["unwritten"] == [{"epoch": 4}]


def test_what_is_dropped_goes_although_a_save_of_it_was_cut_short(kept: Checkpoints):
    save(kept, 1)
    save(kept, 2)
    leftover = kept.path / ".epoch-000002.tmp"
    leftover.mkdir()
    (leftover / "state.safetensors").write_bytes(b"half")
    kept.drop_after(1)
    assert os.listdir(kept.path) == ["epoch-000001"]


@pytest.mark.parametrize("file", FILES)
def test_a_flipped_bit_anywhere_leads_to_the_one_before_and_is_said(kept: Checkpoints, file: str):
    save(kept, 1)
    save(kept, 2)
    path = kept.folder(2) / file
    content = path.read_bytes()
    for position in range(len(content)):
        flipped = bytearray(content)
        flipped[position] ^= 1 << (position % 8)
        path.write_bytes(flipped)
        newest = kept.newest()
        assert newest is not None
        assert newest.epoch == 1, (position, flipped)
        assert len(newest.skipped) == 1 and "epoch-000002" in newest.skipped[0]
    path.write_bytes(content)
    assert newest_epoch(kept) == 2


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", ["missing", "empty", "half", "longer", "folder", "link to nothing"])
def test_damage_leads_to_the_one_before(kept: Checkpoints, file: str, damage: str):
    save(kept, 1)
    save(kept, 2)
    path = kept.folder(2) / file
    content = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage == "link to nothing":
        path.symlink_to("/nowhere")
    elif damage != "missing":
        path.write_bytes({"empty": b"", "half": content[: len(content) // 2], "longer": content + b"\0"}[damage])
    assert newest_epoch(kept) == 1


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


def test_pickles_under_a_checkpoints_names_are_refused_unread(kept: Checkpoints, tmp_path: Path):
    kept = Checkpoints(kept.path, keep=9)
    save(kept, 1)
    np.savez(tmp_path / "objects.npz", x=np.array([Bomb()], object), allow_pickle=True)
    for number, content in enumerate((pickle.dumps(Bomb()), (tmp_path / "objects.npz").read_bytes()), start=2):
        save(kept, number)
        (kept.folder(number) / "state.safetensors").write_bytes(content)
        reseal(kept.folder(number))
        newest = kept.newest()
        assert newest is not None
        assert newest.epoch == 1 and "does not begin like a safetensors file" in newest.skipped[0]
    (kept.path / "epoch-000009").write_bytes(pickle.dumps(Bomb()))
    assert newest_epoch(kept) == 1


def reseal(folder: Path) -> None:
    """Make the manifest vouch for what is there, as someone hostile would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, entry in manifest["files"].items():
        entry.update(bytes=(folder / name).stat().st_size, sha256=sha256(folder / name))
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("rows", [5, "abc", [1], [{"epoch": "x"}], [{"epoch": [1]}], {"a": 1}])
def test_rows_that_are_none_are_damage(kept: Checkpoints, rows):
    save(kept, 1)
    save(kept, 2)
    path = kept.folder(2) / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"unwritten": rows}))
    reseal(kept.folder(2))
    assert newest_epoch(kept) == 1


def test_a_later_format_is_not_passed_over(kept: Checkpoints):
    save(kept, 1)
    save(kept, 2)
    path = kept.folder(2) / "manifest.json"
    path.write_text(path.read_text().replace(f'"format": {FORMAT}', f'"format": {FORMAT + 1}'))
    with pytest.raises(NewerFormat, match="update micro-rl"):
        kept.newest()


def fuzzed(rng: random.Random, value, depth: int = 0):
    """A JSON value, somewhere in it another one."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        changed = dict(value)
        name = rng.choice(list(changed))
        kept_value = changed.pop(name)
        if rng.random() < 0.8:
            name = rng.choice((name, name, name, "../state.json", "/etc/passwd", "state.pkl", ""))
            changed[name] = fuzzed(rng, kept_value, depth + 1)
        return changed
    odd = (None, True, -1, 0, 1e400, 2**63, 10**30, "", "NaN", "../..", "a" * 64, [], {}, [[]], {"files": {}}, value)
    return rng.choice(odd)


def test_a_thousand_fuzzed_manifests_raise_nothing_but_our_errors(kept: Checkpoints):
    save(kept, 1)
    path, rng, refused = kept.folder(1) / "manifest.json", random.Random(0), 0
    honest = path.read_bytes()
    for number in range(1000):
        if number % 2:
            content = json.dumps(fuzzed(rng, json.loads(honest))).encode()
        else:
            changed = bytearray(honest)
            for _ in range(rng.randint(1, 8)):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            content = bytes(changed)[: rng.choice((None, None, rng.randrange(len(changed))))]
        path.write_bytes(content)
        try:
            kept.newest()
        except UserError:
            refused += 1
    assert refused > 900


# A disk that fails in the middle: what the system's functions do is put in their place, none of ours.


@pytest.mark.parametrize("call", ["fsync", "rename", "mkdir"])
@pytest.mark.parametrize("number", [28, 5, 30])
def test_a_disk_that_fails_at_any_call_leaves_the_checkpoint_before(
    kept: Checkpoints, monkeypatch, call: str, number: int
):
    """ENOSPC, EIO and EROFS at the first, second, third ... call of each kind."""
    save(kept, 1)
    honest, calls = getattr(os, call), 0
    for failing in range(20):
        calls = 0

        def refused(*arguments, failing=failing, **options):
            nonlocal calls
            calls += 1
            if calls == failing + 1:
                raise OSError(number, os.strerror(number))
            return honest(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, refused)
            try:
                save(kept, 2)
            except CannotWrite as error:
                assert os.strerror(number) in str(error)
        if calls <= failing:
            break
        assert newest_epoch(kept) in (1, 2)
        shutil.rmtree(kept.folder(2), ignore_errors=True)
    else:
        pytest.fail("it never ends")
    assert failing >= 1
    save(kept, 2)
    assert newest_epoch(kept) == 2
    assert all(name.startswith("epoch-") for name in os.listdir(kept.path))
